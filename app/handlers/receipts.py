"""/email: where receipts go."""

from aiogram import Bot, Router
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Message

from app import keyboards
from app.addresses import address
from app.commands import Command
from app.flows import receipts
from app.handlers.filters import Commanded, Pressed
from app.handlers.visitor import Visitor
from app.repo.records import Pool
from app.settings import Settings

_NONE = "-"


async def email(message: Message, command: Command, pool: Pool, settings: Settings, visitor: Visitor) -> SendMessage:
    """Says the address, takes another, or removes it; removing goes on where receipts are not sent any more."""
    words, given = visitor.words, command.argument
    if given == _NONE:
        await receipts.forget(pool, visitor.id)
        return message.answer(words.email_removed)
    if not settings.sends_receipts:
        return message.answer(words.no_receipts)
    if not given:
        known = await receipts.current(pool, visitor.id)
        return message.answer(words.email(known), reply_markup=keyboards.email(words) if known else None)
    found = address(given)
    if found is None:
        return message.answer(words.email_odd)
    await receipts.choose(pool, visitor.id, found)
    return message.answer(words.email_chosen(found), reply_markup=keyboards.email(words))


async def remove(query: CallbackQuery, pool: Pool, bot: Bot, visitor: Visitor) -> AnswerCallbackQuery:
    """The same as `/email -` from a button."""
    await receipts.forget(pool, visitor.id)
    await bot.send_message(visitor.id, visitor.words.email_removed)
    return query.answer()


def register(router: Router) -> None:
    """Beside the shop."""
    router.message.register(email, Commanded("email"))
    router.callback_query.register(remove, Pressed(keyboards.REMOVE_EMAIL))
