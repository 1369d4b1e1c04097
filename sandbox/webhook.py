"""The webhook: its rules, and how updates are brought to it, again and again until they are taken."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from sandbox import params
from sandbox.params import BotApiError, Params
from sandbox.server import Call, Server, as_text

MESSAGE_LIFE_S = 24 * 3600
CALLBACK_QUERY_LIFE_S = 150
_LONGEST_PAUSE_S = 60
_LONGEST_RETRY_AFTER_S = 3600
_NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}
_NOT_IN_AN_ANSWER = {"setwebhook", "deletewebhook", "close", "logout"}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Webhook:
    """Where updates go. `settings` is what getWebhookInfo tells, and the secret.

    A queue's updates are brought one after another, each until it is answered with 2xx or too old; `retry_s`
    scales the pauses between the tries (at once, then once, twice, four times … as long; Telegram's is 2).
    """

    def __init__(self, server: Server, retry_s: float, carry_out: Callable[[Params], Awaitable[None]]) -> None:
        self.settings: dict[str, Any] = {}
        self._server, self._retry_s, self._carry_out = server, retry_s, carry_out
        self._allowed: list[str] = []
        self._pending: set[int] = set()
        self._queues: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._connections = asyncio.Semaphore(40)

    def set(self, given: Params) -> str:
        """setWebhook; what it says about it. An empty address deletes."""
        url, secret = given.text("url"), given.text("secret_token")
        if not url:
            return self.delete(given)
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in ("", "http", "https"):
            raise BotApiError(400, "Bad Request: invalid webhook URL specified")
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise BotApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if len(secret) > 256:
            raise BotApiError(400, "Bad Request: secret token is too long")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
            raise BotApiError(400, "Bad Request: secret token contains unallowed characters")
        allowed = given.parsed("allowed_updates", "allowed updates")
        if isinstance(allowed, list):
            self._allowed = [str(kind).lower() for kind in allowed]
        self._drop_pending(given)
        connections = min(max(given.number("max_connections") or 40, 1), 100)
        self._connections = asyncio.Semaphore(connections)
        self.settings = {"url": url, "secret_token": secret, "max_connections": connections}
        if self._allowed:
            self.settings["allowed_updates"] = self._allowed
        return "Webhook was set"

    def delete(self, given: Params) -> str:
        """deleteWebhook; what it says about it."""
        self._drop_pending(given)
        was, self.settings = self.settings, {}
        return "Webhook was deleted" if was.get("url") else "Webhook is already deleted"

    def info(self) -> dict[str, Any]:
        """getWebhookInfo."""
        told = {name: value for name, value in self.settings.items() if name != "secret_token"}
        return {"url": "", "has_custom_certificate": False, "pending_update_count": len(self._pending), **told}

    def allows(self, kind: str) -> bool:
        """Whether updates of that kind are wanted; others come to be by nobody's knowing."""
        return kind in self._allowed if self._allowed else kind not in _NOT_BY_DEFAULT

    async def bring(self, update: dict[str, Any], queue: str, life_s: float) -> bool:
        """Deliver an update after the ones before it in its queue; whether it was taken."""
        until, pause = time.monotonic() + life_s, 0.0
        number = int(update["update_id"])
        self._pending.add(number)
        try:
            async with self._queues[queue]:
                while number in self._pending:
                    try:
                        await self._server.wait_for(lambda: self.settings.get("url"), until - time.monotonic())
                    except TimeoutError:
                        return False
                    async with self._connections:
                        status, retry_after = await self.post(update)
                    if 200 <= status < 300:
                        return True
                    wait = retry_after or pause
                    if time.monotonic() + wait > until:
                        return False
                    await asyncio.sleep(wait)
                    pause = min(max(pause * 2, self._retry_s), _LONGEST_PAUSE_S)
            return False
        finally:
            self._pending.discard(number)

    async def post(self, update: dict[str, Any], url: str | None = None) -> tuple[int, float]:
        """One try: the status (0 for no answer) and Retry-After (s); a method in a 2xx answer is carried out."""
        target = url or self.settings.get("url", "")
        call = self._server.note(Call(self._server.service, "update", "POST", target, as_text(update), outgoing=True))
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.settings.get("secret_token", "")}
        retry_after = 0.0
        try:
            async with self._server.http.post(target, json=update, headers=headers) as answer:
                retry_after = _seconds(answer.headers.get("Retry-After", ""))
                if answer.ok:
                    reply = await params.of_answer(answer)
                    call.end(answer.status, as_text(reply.shown()))
                    await self._reply(reply)
                else:
                    call.end(answer.status, await answer.text())
                    self._failed(f"Wrong response from the webhook: {answer.status} {answer.reason}")
        except (aiohttp.ClientConnectorError, TimeoutError):
            call.end(0)
            self._failed("Connection refused")
        except (aiohttp.ClientError, ValueError):
            call.end(0)
            self._failed("Connection closed")
        self._server.changed()
        return call.status, retry_after

    async def _reply(self, reply: Params) -> None:
        method = reply.text("method").lower()
        if method and method not in _NOT_IN_AN_ANSWER and not method.startswith("get"):
            await self._carry_out(reply)

    def _failed(self, description: str) -> None:
        # Telegram keeps the last one, however long ago it was.
        self.settings.update(last_error_message=description, last_error_date=int(time.time()))

    def _drop_pending(self, given: Params) -> None:
        if given.flag("drop_pending_updates"):
            self._pending.clear()


def _seconds(retry_after: str) -> float:
    try:
        return min(max(float(retry_after), 0.0), _LONGEST_RETRY_AFTER_S)
    except ValueError:
        return 0.0
