"""/start, /help, /cancel, /forget: the ways in and out."""

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.filters import Command, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.methods import SendMessage
from aiogram.types import ChatMemberUpdated, Message

from app.db import connection
from app.repo import generations, users
from app.repo.records import Pool
from app.words import Words

router = Router(name="start")


@router.message(F.chat.type != ChatType.PRIVATE)
async def in_a_group(message: Message, bot: Bot, words: Words) -> SendMessage | None:
    """A group gets a link to the private chat, when somebody talks to the bot."""
    if not (message.text or "").startswith("/"):
        return None
    me = await bot.me()
    return message.answer(words.group(me.username or ""))


@router.message(CommandStart(magic=F.args != "success"))
async def start(message: Message, state: FSMContext, pool: Pool, words: Words) -> SendMessage:
    """Greets, and says how many credits there are."""
    await state.clear()
    async with connection(pool) as conn:
        balance = await users.balance(conn, message.chat.id)
    return message.answer(words.greeting(balance))


@router.my_chat_member(F.chat.type == ChatType.PRIVATE, F.new_chat_member.status == ChatMemberStatus.MEMBER)
async def back(_change: ChatMemberUpdated) -> None:
    """The person has unblocked the bot; the middleware has woken what waited for them."""


@router.message(Command("help"))
async def help_(message: Message, words: Words) -> SendMessage:
    """Explains."""
    return message.answer(words.help)


@router.message(Command("cancel"))
async def cancel(message: Message, state: FSMContext, words: Words) -> SendMessage:
    """Leaves whatever was begun; nothing was debited yet."""
    begun = await state.get_state() is not None
    await state.clear()
    return message.answer(words.cancelled if begun else words.nothing_to_cancel)


@router.message(Command("forget"))
async def forget(message: Message, state: FSMContext, pool: Pool, words: Words) -> SendMessage:
    """Wipes what the person wrote and sent; the ledger and the payments stay."""
    await state.clear()
    async with connection(pool) as conn:
        await users.forget(conn, message.chat.id)
        await generations.wipe_of(conn, message.chat.id)
    return message.answer(words.forgotten)
