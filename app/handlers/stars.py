"""What Telegram says of Stars: may this be charged, it was charged, it was given back."""

from aiogram import Router
from aiogram.methods import AnswerPreCheckoutQuery
from aiogram.types import Message, PreCheckoutQuery

from app.flows.purchases import Purchases
from app.flows.purchases.invoices import Objection
from app.flows.purchases.settle import Source
from app.gateways.stars import told_before, told_by
from app.handlers.filters import Holds


async def check(query: PreCheckoutQuery, purchases: Purchases) -> AnswerPreCheckoutQuery:
    """Yes, or why not; in the very answer to the update, which no limit of Telegram's holds up."""
    verdict = await purchases.invoices.check(told_before(query), query.from_user.language_code)
    match verdict.objection:
        case None:
            return query.answer(ok=True)
        case Objection.UNKNOWN:
            text = verdict.words.invoice_unknown
        case Objection.PAID:
            text = verdict.words.invoice_paid
        case Objection.CLOSED:
            text = verdict.words.invoice_closed
        case Objection.LATER:
            text = verdict.words.invoice_later
    return query.answer(ok=False, error_message=text)


async def charged(message: Message, purchases: Purchases) -> None:
    """A charge, or its refund: what comes of it is told by the outbox."""
    if told := told_by(message):
        await purchases.charges.take(told, Source.UPDATE)


def register(router: Router) -> None:
    """Before everything else: an invoice may have been paid anywhere, and money is never somebody else's talk."""
    router.pre_checkout_query.register(check)
    router.message.register(charged, Holds("successful_payment", "refunded_payment"))
