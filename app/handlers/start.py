"""/start, /help, /cancel, /forget: the ways in and out."""

from aiogram import Router
from aiogram.methods import SendMessage
from aiogram.types import ChatMemberUpdated, Message

from app import keyboards
from app.conversation import Conversation
from app.db import connection
from app.flows import receipts
from app.handlers.filters import Commanded
from app.handlers.visitor import Visitor
from app.repo import generations, users
from app.repo.records import Pool
from app.words import Words


async def start(message: Message, conversation: Conversation, visitor: Visitor) -> SendMessage:
    """Greets, and says how many credits there are."""
    await conversation.leave()
    words = visitor.words
    return message.answer(words.greeting(visitor.credits), reply_markup=keyboards.examples(words))


async def back(_change: ChatMemberUpdated) -> None:
    """The person has unblocked the bot, or blocked it; of the first the visit has woken what waited for them."""


async def help_(message: Message, words: Words) -> SendMessage:
    """Explains."""
    return message.answer(words.help)


async def cancel(message: Message, conversation: Conversation, words: Words) -> SendMessage:
    """Leaves whatever was begun; nothing was debited yet."""
    begun = conversation.draft is not None
    await conversation.leave()
    return message.answer(words.cancelled if begun else words.nothing_to_cancel)


async def forget(message: Message, conversation: Conversation, pool: Pool, visitor: Visitor) -> SendMessage:
    """Wipes what the person wrote and sent; the ledger and the payments stay."""
    await conversation.leave()
    async with connection(pool) as conn:
        await users.forget(conn, visitor.id)
        await generations.wipe_of(conn, visitor.id)
    await receipts.forget(pool, visitor.id)
    return message.answer(visitor.words.forgotten)


def register(router: Router) -> None:
    """After those for whom /start has an argument."""
    router.message.register(start, Commanded("start"))
    router.message.register(help_, Commanded("help"))
    router.message.register(cancel, Commanded("cancel"))
    router.message.register(forget, Commanded("forget"))
    router.my_chat_member.register(back)
