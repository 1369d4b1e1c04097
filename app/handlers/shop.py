"""/buy_subscription: the plans, the link or the invoice, and how a payment stands."""

import time

from aiogram import Bot, Router
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Message

from app import keyboards
from app.catalog import PLANS
from app.flows.purchases import Purchases
from app.flows.purchases.checkout import Outcome
from app.handlers.filters import Commanded, Pressed
from app.keyboards import PlanPress, StarsPress
from app.settings import Settings
from app.words import Words


async def paid(message: Message, purchases: Purchases, words: Words) -> SendMessage:
    """The way back from YooKassa's page: looks the payment up at once instead of promising."""
    status = await purchases.links.poll.look_up(message.chat.id) if purchases.links else None
    return message.answer(
        words.payment_state(status), reply_markup=keyboards.resume(words) if status == "succeeded" else None
    )


async def plans(message: Message, purchases: Purchases, words: Words) -> SendMessage:
    """One button a plan."""
    return message.answer(words.plans_offer, reply_markup=keyboards.plans(words, purchases.currency))


async def plans_again(query: CallbackQuery, purchases: Purchases, bot: Bot, words: Words) -> AnswerCallbackQuery:
    """The same from a button."""
    buttons = keyboards.plans(words, purchases.currency)
    await bot.send_message(query.from_user.id, words.plans_offer, reply_markup=buttons)
    return query.answer()


async def choose(
    query: CallbackQuery,
    callback_data: PlanPress,
    purchases: Purchases,
    settings: Settings,
    bot: Bot,
    words: Words,
    arrived_at: float,
) -> AnswerCallbackQuery:
    """A plan: the link to pay for it, or a sentence to try again, and the way to its invoice; or that at once.

    `arrived_at` (monotonic): a person's presses are handled one after another, and the wait counts for each.
    """
    if callback_data.plan not in PLANS:
        return query.answer(words.button_unknown, show_alert=True)
    if purchases.links is None:
        await purchases.invoices.send(query.from_user.id, callback_data.plan, words)
        return query.answer()
    me = await bot.me()
    return_url = f"https://t.me/{me.username}?start=success"
    waited_s = time.monotonic() - arrived_at
    offer = await purchases.links.checkout.offer(query.from_user.id, callback_data.plan, return_url, waited_s)
    plan, with_stars = PLANS[callback_data.plan], "stars" in settings.payments
    match offer.outcome:
        case Outcome.LINK:
            text = words.pay(plan.key)
        case Outcome.LATER:
            text = words.pay_later
        case Outcome.REFUSED:
            text = words.pay_refused
    if with_stars:
        text = f"{text}\n{words.or_stars(plan.stars)}"
    await bot.send_message(
        query.from_user.id, text, reply_markup=keyboards.pay(words, plan, offer.url, stars=with_stars)
    )
    return query.answer()


async def invoice(
    query: CallbackQuery, callback_data: StarsPress, purchases: Purchases, settings: Settings, words: Words
) -> AnswerCallbackQuery:
    """The price of a plan in Stars: its invoice."""
    if callback_data.plan not in PLANS:
        return query.answer(words.button_unknown, show_alert=True)
    if "stars" not in settings.payments:
        return query.answer(words.invoice_closed, show_alert=True)
    await purchases.invoices.send(query.from_user.id, callback_data.plan, words)
    return query.answer()


def register(router: Router) -> None:
    """Before the greeting: the way back from the page is a /start with an argument."""
    router.message.register(paid, Commanded("start", "success"))
    router.message.register(plans, Commanded("buy_subscription"))
    router.callback_query.register(plans_again, Pressed(keyboards.BUY))
    router.callback_query.register(choose, PlanPress.filter())
    router.callback_query.register(invoice, StarsPress.filter())
