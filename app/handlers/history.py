"""/history: the pictures that a person got, page by page; and the movements of their credits, from under /status."""

from datetime import date, datetime

import structlog
from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from app import keyboards
from app.catalog import MODELS, MOSCOW
from app.flows.history import History
from app.handlers.filters import Commanded
from app.handlers.result import untouched
from app.keyboards import HistoryPress, MovementsPress, ShowPress
from app.pages import Page
from app.repo.credits import Movement
from app.repo.history import Kept
from app.words import Words
from app.words.history import Moved, Shown

log = structlog.get_logger()


async def pictures(message: Message, history: History, words: Words) -> SendMessage:
    """The newest page."""
    text, markup = _pictures(await history.pictures(message.chat.id), words)
    return message.answer(text, reply_markup=markup)


async def turn_pictures(
    query: CallbackQuery, callback_data: HistoryPress, history: History, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """The page before or after the one that is shown, in its place."""
    page = await history.pictures(query.from_user.id, callback_data.turn, callback_data.than)
    await _turn(bot, query, *_pictures(page, words))
    return query.answer()


async def show(
    query: CallbackQuery, callback_data: ShowPress, history: History, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """A picture of the list once more, free; where Telegram no longer knows it, its untouched file is owed."""
    person = query.from_user.id
    kept = await history.picture(person, callback_data.order)
    if kept is None:
        return query.answer(words.picture_unknown, show_alert=True)
    if kept.file_id and await _send(bot, person, kept.file_id, keyboards.result(words, kept.id)):
        return query.answer()
    return await untouched(query, kept.id, history, words)


async def _send(bot: Bot, chat_id: int, file_id: str, markup: InlineKeyboardMarkup) -> bool:
    """Sends what Telegram has: it was shown as a photo or, where that was refused, as a document; False for neither."""
    try:
        await bot.send_photo(chat_id, file_id, reply_markup=markup)
    except TelegramBadRequest as error:
        log.info("history.no_photo", error=error.message)
    else:
        return True
    try:
        await bot.send_document(chat_id, file_id, reply_markup=markup)
    except TelegramBadRequest as error:
        log.warning("history.no_file", error=error.message)
        return False
    return True


async def movements(
    query: CallbackQuery, callback_data: MovementsPress, history: History, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """The movements of credits: a message of their own at first, then page by page in its place."""
    than = callback_data.than or None
    page = await history.movements(query.from_user.id, callback_data.turn, than)
    text, markup = words.movements([_moved(entry) for entry in page.entries]), keyboards.movements(words, page)
    if than is None:
        await bot.send_message(query.from_user.id, text, reply_markup=markup)
    else:
        await _turn(bot, query, text, markup)
    return query.answer()


def _pictures(page: Page[Kept], words: Words) -> tuple[str, InlineKeyboardMarkup | None]:
    """What the list shows."""
    if not page.entries:
        return words.history_empty, None
    return words.history([_shown(kept) for kept in page.entries]), keyboards.history(words, page)


def _shown(kept: Kept) -> Shown:
    model = MODELS.get(kept.model)
    return Shown(_day(kept.at), kept.prompt, model.title if model else kept.model, kept.size)


def _moved(entry: Movement) -> Moved:
    return Moved(_day(entry.at), entry.reason, entry.delta, entry.balance)


def _day(moment: datetime) -> date:
    return moment.astimezone(MOSCOW).date()


async def _turn(bot: Bot, query: CallbackQuery, text: str, markup: InlineKeyboardMarkup | None) -> None:
    """Shows another page in place of this one; the same page again, as of a press that came twice, is none."""
    if query.message is None:
        return
    try:
        await bot.edit_message_text(
            text, chat_id=query.message.chat.id, message_id=query.message.message_id, reply_markup=markup
        )
    except TelegramBadRequest as error:
        log.info("history.not_turned", error=error.message)


def register(router: Router) -> None:
    """For the menu, and for presses on the lists."""
    router.message.register(pictures, Commanded("history"))
    router.callback_query.register(turn_pictures, HistoryPress.filter())
    router.callback_query.register(show, ShowPress.filter())
    router.callback_query.register(movements, MovementsPress.filter())
