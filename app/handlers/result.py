"""Under a delivered picture: the same again, a change of it, its untouched file."""

from dataclasses import replace
from uuid import UUID

from aiogram import Bot, F, Router
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import CallbackQuery, Message

from app.conversation import Conversation, Draft
from app.flows.history import History, Owed
from app.flows.orders.place import Ordering
from app.handlers import face
from app.keyboards import ResultPress
from app.pictures import MAX_BYTES
from app.repo.history import Kept
from app.words import Words


async def again(
    query: CallbackQuery,
    callback_data: ResultPress,
    conversation: Conversation,
    history: History,
    ordering: Ordering,
    bot: Bot,
    words: Words,
) -> AnswerCallbackQuery:
    """A new card of the same order; nothing is debited before «✅» on it."""
    kept = await history.picture(query.from_user.id, callback_data.order)
    if kept is None:
        return query.answer(words.picture_unknown, show_alert=True)
    draft = replace(_begun(kept), sources=tuple(kept.sources), prompt=kept.prompt, style=kept.style)
    draft = await face.new(draft, ordering)
    await face.show(query.from_user.id, draft, conversation, ordering, bot, words)
    return query.answer()


async def change(
    query: CallbackQuery,
    callback_data: ResultPress,
    conversation: Conversation,
    history: History,
    bot: Bot,
    words: Words,
) -> AnswerCallbackQuery:
    """Asks what to change; the description that comes next makes a card whose source is this picture."""
    kept = await history.picture(query.from_user.id, callback_data.order)
    if kept is None:
        return query.answer(words.picture_unknown, show_alert=True)
    source = _file_id(query) or kept.file_id
    draft = replace(_begun(kept), sources=(source,) if source else ())
    await conversation.keep(draft)
    await bot.send_message(query.from_user.id, words.ask_change if source else words.picture_gone)
    return query.answer()


async def original(
    query: CallbackQuery, callback_data: ResultPress, history: History, words: Words
) -> AnswerCallbackQuery:
    """The untouched file, free: owed, as fetching it may take long."""
    return await untouched(query, callback_data.order, history, words)


async def untouched(query: CallbackQuery, order: UUID, history: History, words: Words) -> AnswerCallbackQuery:
    """Owes a picture's untouched file to whoever pressed, and says what becomes of it."""
    match await history.owe_original(query.from_user.id, order, query.id):
        case Owed.COMES:
            return query.answer(words.original_coming)
        case Owed.GONE:
            return query.answer(words.original_gone, show_alert=True)
        case Owed.UNKNOWN:
            return query.answer(words.picture_unknown, show_alert=True)


def _begun(kept: Kept) -> Draft:
    """A new order with what was chosen for this one."""
    return Draft(model=kept.model, size=kept.size, quality=kept.quality)


def _file_id(query: CallbackQuery) -> str | None:
    """Telegram's name of the picture that the button stands under, if a bot can download it; else None."""
    message = query.message
    if not isinstance(message, Message):
        return None
    if message.photo:
        return message.photo[-1].file_id
    if message.document and (message.document.file_size or 0) <= MAX_BYTES:
        return message.document.file_id
    return None


def register(router: Router) -> None:
    """Whatever the conversation is at."""
    router.callback_query.register(again, ResultPress.filter(F.act == "again"))
    router.callback_query.register(change, ResultPress.filter(F.act == "change"))
    router.callback_query.register(original, ResultPress.filter(F.act == "original"))
