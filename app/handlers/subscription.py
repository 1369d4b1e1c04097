"""/buy_subscription: the plans, the link to pay, and how a payment stands."""

import time

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandStart
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Message

from app import keyboards, texts
from app.catalog import PLANS
from app.flows.billing import Billing, Checkout
from app.keyboards import PlanPress

router = Router(name="subscription")


@router.message(CommandStart(deep_link=True, magic=F.args == "success"))
async def paid(message: Message, billing: Billing) -> SendMessage:
    """The way back from YooKassa's page: looks the payment up at once instead of promising."""
    status = await billing.look_up(message.chat.id)
    return message.answer(
        texts.payment_state(status), reply_markup=keyboards.resume() if status == "succeeded" else None
    )


@router.message(Command("buy_subscription"))
async def plans(message: Message) -> SendMessage:
    """One button a plan."""
    return message.answer(texts.PLANS_OFFER, reply_markup=keyboards.plans())


@router.callback_query(F.data == keyboards.BUY)
async def plans_again(query: CallbackQuery, bot: Bot) -> AnswerCallbackQuery:
    """The same from a button."""
    await bot.send_message(query.from_user.id, texts.PLANS_OFFER, reply_markup=keyboards.plans())
    return query.answer()


@router.callback_query(PlanPress.filter())
async def choose(
    query: CallbackQuery, callback_data: PlanPress, billing: Billing, bot: Bot, arrived_at: float
) -> AnswerCallbackQuery:
    """A plan: the link to pay for it, or a sentence to try again.

    `arrived_at` (monotonic): a person's presses are handled one after another, and the wait counts for each.
    """
    if callback_data.plan not in PLANS:
        return query.answer(texts.BUTTON_UNKNOWN, show_alert=True)
    me = await bot.me()
    return_url = f"https://t.me/{me.username}?start=success"
    offer = await billing.checkout(query.from_user.id, callback_data.plan, return_url, time.monotonic() - arrived_at)
    plan = PLANS[callback_data.plan]
    if offer.outcome is Checkout.LINK and offer.url:
        await bot.send_message(query.from_user.id, texts.pay(plan), reply_markup=keyboards.pay(offer.url, plan))
        return query.answer()
    text = texts.PAY_LATER if offer.outcome is Checkout.LATER else texts.PAY_REFUSED
    await bot.send_message(query.from_user.id, text)
    return query.answer()
