"""/start, /help, /cancel, /forget: the ways in and out."""

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.filters import Command, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.methods import SendMessage
from aiogram.types import ChatMemberUpdated, Message

from app import texts
from app.db import connection
from app.repo import generations, users
from app.repo.records import Pool

router = Router(name="start")


@router.message(F.chat.type != ChatType.PRIVATE)
async def in_a_group(message: Message, bot: Bot) -> SendMessage | None:
    """A group gets a link to the private chat, when somebody talks to the bot."""
    if not (message.text or "").startswith("/"):
        return None
    me = await bot.me()
    return message.answer(texts.GROUP.format(bot=me.username))


@router.message(CommandStart(magic=F.args != "success"))
async def start(message: Message, state: FSMContext, pool: Pool) -> SendMessage:
    """Greets, and says how many credits there are."""
    await state.clear()
    async with connection(pool) as conn:
        balance = await users.balance(conn, message.chat.id)
    return message.answer(texts.greeting(balance))


@router.my_chat_member(F.chat.type == ChatType.PRIVATE, F.new_chat_member.status == ChatMemberStatus.MEMBER)
async def back(_change: ChatMemberUpdated) -> None:
    """The person has unblocked the bot; the middleware has woken what waited for them."""


@router.message(Command("help"))
async def help_(message: Message) -> SendMessage:
    """Explains."""
    return message.answer(texts.HELP)


@router.message(Command("cancel"))
async def cancel(message: Message, state: FSMContext) -> SendMessage:
    """Leaves whatever was begun; nothing was debited yet."""
    begun = await state.get_state() is not None
    await state.clear()
    return message.answer(texts.CANCELLED if begun else texts.NOTHING_TO_CANCEL)


@router.message(Command("forget"))
async def forget(message: Message, state: FSMContext, pool: Pool) -> SendMessage:
    """Wipes what the person wrote and sent; the ledger and the payments stay."""
    await state.clear()
    async with connection(pool) as conn:
        await users.forget(conn, message.chat.id)
        await generations.wipe_of(conn, message.chat.id)
    return message.answer(texts.FORGOTTEN)
