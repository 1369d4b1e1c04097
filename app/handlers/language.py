"""/language: the language that a person chooses themselves."""

import structlog
from aiogram import Bot, Router
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import BotCommandScopeChat, CallbackQuery, Message

from app import keyboards, words
from app.db import connection
from app.faults import TELEGRAM
from app.handlers.filters import Commanded
from app.handlers.visitor import Visitor
from app.keyboards import LanguagePress
from app.repo import users
from app.repo.records import Pool

log = structlog.get_logger()


async def language(message: Message, visitor: Visitor) -> SendMessage:
    """One button a language."""
    return message.answer(visitor.words.ask_language, reply_markup=keyboards.languages())


async def choose(
    query: CallbackQuery, callback_data: LanguagePress, pool: Pool, bot: Bot, visitor: Visitor
) -> AnswerCallbackQuery:
    """Everything from here on is in that language, what is owed already included; the menu in their chat as well."""
    if callback_data.language not in words.LANGUAGES:
        return query.answer(visitor.words.button_unknown, show_alert=True)
    async with connection(pool) as conn:
        await users.choose_language(conn, visitor.id, callback_data.language)
    chosen = words.of(callback_data.language)
    try:
        await bot.set_my_commands(keyboards.menu(chosen), scope=BotCommandScopeChat(chat_id=visitor.id))
    except TELEGRAM as error:
        # The language is chosen all the same; only the menu keeps the old words
        log.info("language.menu_not_set", error=repr(error))
    await bot.send_message(visitor.id, chosen.language_chosen)
    return query.answer()


def register(router: Router) -> None:
    """For the menu, and for a press on a language."""
    router.message.register(language, Commanded("language"))
    router.callback_query.register(choose, LanguagePress.filter())
