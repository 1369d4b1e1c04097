"""/buy_subscription: the plans, the link to pay, and how a payment stands."""

import time

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandStart
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Message

from app import keyboards
from app.catalog import PLANS
from app.flows.purchases import Purchases
from app.flows.purchases.checkout import Outcome
from app.handlers.filters import Pressed
from app.keyboards import PlanPress
from app.words import Words


async def paid(message: Message, purchases: Purchases, words: Words) -> SendMessage:
    """The way back from YooKassa's page: looks the payment up at once instead of promising."""
    status = await purchases.poll.look_up(message.chat.id)
    return message.answer(
        words.payment_state(status), reply_markup=keyboards.resume(words) if status == "succeeded" else None
    )


async def plans(message: Message, words: Words) -> SendMessage:
    """One button a plan."""
    return message.answer(words.plans_offer, reply_markup=keyboards.plans(words))


async def plans_again(query: CallbackQuery, bot: Bot, words: Words) -> AnswerCallbackQuery:
    """The same from a button."""
    await bot.send_message(query.from_user.id, words.plans_offer, reply_markup=keyboards.plans(words))
    return query.answer()


async def choose(
    query: CallbackQuery, callback_data: PlanPress, purchases: Purchases, bot: Bot, words: Words, arrived_at: float
) -> AnswerCallbackQuery:
    """A plan: the link to pay for it, or a sentence to try again.

    `arrived_at` (monotonic): a person's presses are handled one after another, and the wait counts for each.
    """
    if callback_data.plan not in PLANS:
        return query.answer(words.button_unknown, show_alert=True)
    me = await bot.me()
    return_url = f"https://t.me/{me.username}?start=success"
    waited_s = time.monotonic() - arrived_at
    offer = await purchases.checkout.offer(query.from_user.id, callback_data.plan, return_url, waited_s)
    plan = PLANS[callback_data.plan]
    if offer.outcome is Outcome.LINK and offer.url:
        await bot.send_message(
            query.from_user.id, words.pay(plan.key), reply_markup=keyboards.pay(words, offer.url, plan)
        )
        return query.answer()
    text = words.pay_later if offer.outcome is Outcome.LATER else words.pay_refused
    await bot.send_message(query.from_user.id, text)
    return query.answer()


def router() -> Router:
    """Before the greeting: the way back from the page is a /start with an argument."""
    made = Router(name="shop")
    made.message.register(paid, CommandStart(deep_link=True, magic=F.args == "success"))
    made.message.register(plans, Command("buy_subscription"))
    made.callback_query.register(plans_again, Pressed(keyboards.BUY))
    made.callback_query.register(choose, PlanPress.filter())
    return made
