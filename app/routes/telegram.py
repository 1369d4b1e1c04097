"""`POST /telegram/webhook`: an update is answered once its effect is stored, never before."""

import asyncio
import hmac
import time
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.methods import AnswerCallbackQuery, SendMessage, TelegramMethod
from aiogram.types import InputFile, Update
from aiogram.types.update import UpdateTypeLookupError
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from pydantic import ValidationError

from app import words
from app.faults import INFRASTRUCTURE
from app.flood import Flood, Verdict
from app.metrics import Metrics
from app.routes.body import json_object

log = structlog.get_logger()

UPDATE_TIMEOUT_S = 30
"""aiogram answers 200 for what is unfinished after 55 s; this ends it, unanswered, well before."""


class TelegramRoute(SimpleRequestHandler):
    """Feeds updates to the dispatcher inside the request, `max_updates` of them at once."""

    def __init__(
        self, dispatcher: Dispatcher, bot: Bot, metrics: Metrics, secret: str, max_updates: int, flood: Flood
    ) -> None:
        super().__init__(dispatcher, bot, handle_in_background=False, secret_token=secret)
        self._metrics = metrics
        self._flood = flood
        self._secret = secret.encode()
        self._free = max_updates

    async def handle(self, request: web.Request) -> web.Response:
        """401, 400, 200 with or without a method, 503 for faults that pass, 500 for bugs."""
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            return web.json_response({"ok": False}, status=401)
        if self._free <= 0:
            return _again()
        self._free -= 1
        arrived_at = time.monotonic()
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                return await self._answer(await json_object(request), arrived_at)
        except web.HTTPException:
            raise
        except INFRASTRUCTURE as error:
            log.warning("update.not_stored", error=repr(error))
            return _again()
        except Exception:
            log.exception("update.escaped")
            return web.json_response({"ok": False}, status=500)
        finally:
            self._free += 1

    async def _answer(self, body: dict[str, Any] | None, arrived_at: float) -> web.Response:
        if body is None:
            return web.json_response({"ok": False}, status=400)
        update = self._update(body)
        if update is None:
            return web.json_response({})
        person = getattr(update.event, "from_user", None)
        structlog.contextvars.bind_contextvars(update_id=update.update_id, user_id=person.id if person else None)
        # Before the dispatcher: there, what one person does waits for the lock of their conversation, slot by slot
        verdict = await self._verdict(update)
        if verdict is not Verdict.TAKE:
            self._metrics.updates_slowed.inc()
            return self._write(_slow_down(update, verdict))
        with self._metrics.update(_kind(update)):
            result: TelegramMethod[Any] | None = await self.dispatcher.feed_webhook_update(
                self.bot, update, arrived_at=arrived_at, **self.data
            )
        return self._write(result)

    async def _verdict(self, update: Update) -> Verdict:
        event = update.message or update.callback_query
        if event is None or event.from_user is None:
            return Verdict.TAKE
        verdict = await self._flood.check(event.from_user.id)
        if verdict is Verdict.TELL:
            log.warning("update.flood")
        return verdict

    def _update(self, body: dict[str, Any]) -> Update | None:
        """The update in `body`, None for one that means nothing to this version of the bot."""
        try:
            update = Update.model_validate(body, context={"bot": self.bot})
            _ = update.event_type
        except (ValidationError, UpdateTypeLookupError, RecursionError) as error:
            log.warning("update.meaningless", error=type(error).__name__)
            return None
        return update

    def _write(self, result: TelegramMethod[Any] | None) -> web.Response:
        """A method as JSON, which takes half the time of aiogram's multipart; that stays for files."""
        if result is None:
            return web.json_response({})
        files: dict[str, InputFile] = {}
        fields: dict[str, Any] = {"method": result.__api_method__}
        for name, value in result.model_dump(warnings=False).items():
            prepared = self.bot.session.prepare_value(value, bot=self.bot, files=files, _dumps_json=False)
            if prepared is not None:
                fields[name] = prepared
        if files:
            return web.Response(body=self._build_response_writer(bot=self.bot, result=result))
        return web.json_response(fields)


def _kind(update: Update) -> str:
    """What metrics call an update: a command of ours by name, else what Telegram calls it."""
    if update.message is None:
        return update.event_type
    word = (update.message.text or update.message.caption or "").partition(" ")[0].partition("@")[0]
    if not word.startswith("/"):
        return "message"
    return word if word.removeprefix("/") in words.COMMANDS else "/other"


def _slow_down(update: Update, verdict: Verdict) -> TelegramMethod[Any] | None:
    """A press is always answered; a message now and then, and only in a private chat."""
    text = words.of(None).slow_down
    if update.callback_query is not None:
        query_id = update.callback_query.id
        return AnswerCallbackQuery(callback_query_id=query_id, text=text, show_alert=True)
    if verdict is Verdict.TELL and update.message is not None and update.message.chat.type == "private":
        return SendMessage(chat_id=update.message.chat.id, text=text)
    return None


def _again() -> web.Response:
    return web.json_response({"ok": False}, status=503, headers={"Retry-After": "1"})
