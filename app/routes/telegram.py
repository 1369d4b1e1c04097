"""`POST /telegram/webhook`: an update is answered once its effect is stored, never before."""

import asyncio
import hmac
import time
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.dispatcher.middlewares.user_context import EVENT_CONTEXT_KEY, UserContextMiddleware
from aiogram.methods import AnswerCallbackQuery, SendMessage, TelegramMethod
from aiogram.types import InputFile, Update
from aiogram.types.update import UpdateTypeLookupError
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from pydantic import ValidationError

from app import words
from app.commands import Command
from app.faults import INFRASTRUCTURE
from app.flood import Verdict
from app.metrics import Metrics
from app.routes.body import json_object
from app.turns import NoPlace, Turns

log = structlog.get_logger()

UPDATE_TIMEOUT_S = 30
"""aiogram answers 200 for what is unfinished after 55 s; this ends it, unanswered, well before."""


_PUT_OFF_AT_MOST = 10_000


class TelegramRoute(SimpleRequestHandler):
    """Feeds updates to the dispatcher inside the request, each person's in their turn."""

    def __init__(self, dispatcher: Dispatcher, bot: Bot, metrics: Metrics, secret: str, turns: Turns) -> None:
        super().__init__(dispatcher, bot, handle_in_background=False, secret_token=secret)
        self._metrics = metrics
        self._secret = secret.encode()
        self._turns = turns
        self._put_off: dict[int, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """401, 400, 200 with or without a method, 503 for faults that pass, 500 for bugs."""
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            return web.json_response({"ok": False}, status=401)
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

    async def _answer(self, body: dict[str, Any] | None, arrived_at: float) -> web.Response:
        if body is None:
            return web.json_response({"ok": False}, status=400)
        update = self._update(body)
        if update is None:
            return web.json_response({})
        person = getattr(update.event, "from_user", None)
        structlog.contextvars.bind_contextvars(update_id=update.update_id, user_id=person.id if person else None)
        if _is_of_money(update):
            # Ten seconds, and the payment has failed; and what is paid is not refused, whatever else the person does
            async with self._turns.aside():
                return await self._feed(update, arrived_at)
        context = {EVENT_CONTEXT_KEY: UserContextMiddleware.resolve_event_context(update)}
        conversation = self.dispatcher.fsm.resolve_event_context(self.bot, context)
        if conversation is None:
            return web.json_response({})
        # Telegram brings what was put off once more: it has been counted, and has waited since it came first
        first_arrived_at = self._put_off.pop(update.update_id, None)
        counted = first_arrived_at is None and _may_be_refused(update)
        try:
            async with self._turns.turn(conversation.key, counted) as verdict:
                if verdict is Verdict.TAKE:
                    return await self._feed(update, first_arrived_at or arrived_at)
                if verdict is Verdict.TELL:
                    log.warning("update.flood")
                self._metrics.updates_slowed.inc()
                return self._write(_slow_down(update, verdict))
        except NoPlace:
            self._put_off[update.update_id] = first_arrived_at or arrived_at
            if len(self._put_off) > _PUT_OFF_AT_MOST:
                del self._put_off[next(iter(self._put_off))]
            return _again()

    async def _feed(self, update: Update, arrived_at: float) -> web.Response:
        """Handles the update in this very task, so that no turn ends before its handler has."""
        command = Command.of(update.message)
        with self._metrics.update(_kind(update, command)):
            result = await self.dispatcher.feed_update(self.bot, update, arrived_at=arrived_at, command=command)
        return self._write(result if isinstance(result, TelegramMethod) else None)

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
        for name, value in result.model_dump(warnings=False, exclude_none=True).items():
            prepared = self.bot.session.prepare_value(value, bot=self.bot, files=files, _dumps_json=False)
            if prepared is not None:
                fields[name] = prepared
        if files:
            return web.Response(body=self._build_response_writer(bot=self.bot, result=result))
        return web.json_response(fields)


def _kind(update: Update, command: Command | None) -> str:
    """What metrics call an update: a command of ours by name, else what Telegram calls it."""
    if command is None:
        return update.event_type
    return f"/{command.name}" if command.name in words.COMMANDS else "/other"


def _is_of_money(update: Update) -> bool:
    """A question before a charge, or the word that Stars were paid or given back: no conversation knows of them."""
    message = update.message
    told = message is not None and (message.successful_payment is not None or message.refunded_payment is not None)
    return told or update.pre_checkout_query is not None


def _may_be_refused(update: Update) -> bool:
    """Whether the flood limit counts it: what people do."""
    return update.message is not None or update.callback_query is not None


def _slow_down(update: Update, verdict: Verdict) -> TelegramMethod[Any] | None:
    """A press is always answered; a message now and then, and only in a private chat."""
    person = getattr(update.event, "from_user", None)
    # What they have chosen themselves is in the database, which a flood is kept from
    text = words.of(words.language_of(person.language_code if person else None)).slow_down
    if update.callback_query is not None:
        query_id = update.callback_query.id
        return AnswerCallbackQuery(callback_query_id=query_id, text=text, show_alert=True)
    if verdict is Verdict.TELL and update.message is not None and update.message.chat.type == "private":
        return SendMessage(chat_id=update.message.chat.id, text=text)
    return None


def _again() -> web.Response:
    return web.json_response({"ok": False}, status=503, headers={"Retry-After": "1"})
