"""What nobody else handles: bugs get an apology, faults of the surroundings a retry, the rest a sentence."""

from typing import Any

import structlog
from aiogram import Bot, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import AnswerCallbackQuery, AnswerPreCheckoutQuery, SendMessage
from aiogram.types import CallbackQuery, ErrorEvent, Message

from app.faults import INFRASTRUCTURE
from app.metrics import Metrics
from app.words import Words

log = structlog.get_logger()


async def error(event: ErrorEvent, bot: Bot, metrics: Metrics, words: Words) -> Any:
    """Re-raises what Telegram should send again; apologises for everything else, in private."""
    exception, update = event.exception, event.update
    if isinstance(exception, INFRASTRUCTURE):
        raise exception
    if isinstance(exception, TelegramForbiddenError):
        log.info("update.blocked")
        return None
    log.error("update.failed", exc_info=exception)
    metrics.update_bugs.inc()
    if update.callback_query:
        return AnswerCallbackQuery(callback_query_id=update.callback_query.id, text=words.apology)
    if update.pre_checkout_query:
        query_id = update.pre_checkout_query.id
        return AnswerPreCheckoutQuery(pre_checkout_query_id=query_id, ok=False, error_message=words.apology)
    if update.message and update.message.chat.type == ChatType.PRIVATE:
        try:
            await bot.send_message(update.message.chat.id, words.apology)
        except (TelegramBadRequest, TelegramForbiddenError) as failure:
            log.info("update.no_apology", error=failure.message)
    return None


async def unknown_message(message: Message, words: Words) -> SendMessage:
    """A command that does not exist, or a message that nothing was begun for."""
    command = (message.text or "").startswith("/")
    return message.answer(words.unknown_command if command else words.start_with_photo)


async def unknown_button(query: CallbackQuery, words: Words) -> AnswerCallbackQuery:
    """Button data that means nothing here."""
    return query.answer(words.button_unknown, show_alert=True)


def register(router: Router) -> None:
    """The last one."""
    router.errors.register(error)
    router.message.register(unknown_message)
    router.callback_query.register(unknown_button)
