"""What meets every update: the person is known first; bugs get an apology, faults of the surroundings a retry."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiogram import BaseMiddleware, Bot, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Chat, ErrorEvent, Message, TelegramObject, User

from app.catalog import WELCOME_CREDITS
from app.db import connection
from app.faults import INFRASTRUCTURE
from app.metrics import Metrics
from app.repo import users
from app.repo.records import Pool
from app.words import Words

log = structlog.get_logger()
router = Router(name="errors")
fallback = Router(name="fallback")


class Acquaintance(BaseMiddleware):
    """Creates the person at any first contact, and wakes what was parked while they had blocked the bot."""

    def __init__(self, pool: Pool, wake_delivery: Callable[[], None]) -> None:
        self._pool = pool
        self._wake_delivery = wake_delivery

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        person: User | None = data.get("event_from_user")
        chat: Chat | None = data.get("event_chat")
        # Talk in a group is no contact, and whoever has blocked the bot may talk there all day
        if person is not None and not person.is_bot and chat is not None and chat.type == ChatType.PRIVATE:
            async with connection(self._pool) as conn:
                touched = await users.touch(conn, person.id)
            if touched.created:
                log.info("person.welcomed", user_id=person.id, credits=WELCOME_CREDITS)
            if touched.unparked:
                self._wake_delivery()
        return await handler(event, data)


@router.errors()
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
    if update.message and update.message.chat.type == ChatType.PRIVATE:
        try:
            await bot.send_message(update.message.chat.id, words.apology)
        except (TelegramBadRequest, TelegramForbiddenError) as failure:
            log.info("update.no_apology", error=failure.message)
    return None


@fallback.message()
async def unknown_message(message: Message, words: Words) -> SendMessage:
    """A command that does not exist, or a message that nothing was begun for."""
    command = (message.text or "").startswith("/")
    return message.answer(words.unknown_command if command else words.start_with_photo)


@fallback.callback_query()
async def unknown_button(query: CallbackQuery, words: Words) -> AnswerCallbackQuery:
    """Button data that means nothing here."""
    return query.answer(words.button_unknown, show_alert=True)
