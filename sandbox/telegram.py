"""Telegram with one bot and the people in it, over real HTTP."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox import params
from sandbox.bot_api import BotApi
from sandbox.files import Files
from sandbox.ids import fresh_numbers
from sandbox.params import BotApiError, Params
from sandbox.people import ChatMessage, Person, Press
from sandbox.server import Call, Server, as_text
from sandbox.stars import ANSWER_WITHIN_S, Charge, Stars
from sandbox.webhook import CALLBACK_QUERY_LIFE_S, MESSAGE_LIFE_S, Webhook

__all__ = ["ChatMessage", "FakeTelegram", "Person"]


@dataclass
class FakeTelegram(Server):
    """The Bot API for one bot.

    `retry_s` scales the back-off of redeliveries (Telegram's is 2), `query_life_s` how long a press may wait.
    """

    token: str = "1:sandbox"
    retry_s: float = 0.2
    query_life_s: float = CALLBACK_QUERY_LIFE_S
    service = "telegram"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files = Files()
        self.updates: list[dict[str, Any]] = []
        self._webhook = Webhook(self, self.retry_s, self._carry_out)
        bot_id = int(self.token.split(":")[0])
        self._api = BotApi(bot_id, self.files, self._webhook, self.changed, self._tell_refund)
        self._update_ids = fresh_numbers()

    # What a test and the page do

    @property
    def people(self) -> dict[int, Person]:
        """By id, in the order of their arrival."""
        return self._api.people

    @property
    def bot(self) -> dict[str, Any]:
        """The bot as a user."""
        return self._api.bot

    def commands(self, person: Person) -> list[dict[str, str]]:
        """The menu that the bot has set for that person."""
        return self._api.commands(person)

    @property
    def answers(self) -> list[dict[str, Any]]:
        """Every answerCallbackQuery that was accepted."""
        return self._api.answers

    @property
    def presses(self) -> list[Press]:
        """Every press on a button."""
        return list(self._api.presses.values())

    @property
    def webhook(self) -> dict[str, Any]:
        """What getWebhookInfo tells, and the secret."""
        return self._webhook.settings

    @webhook.setter
    def webhook(self, settings: dict[str, Any]) -> None:
        self._webhook.settings = settings

    def person(self, person_id: int, name: str = "Аня", language: str = "ru") -> Person:
        """That person, who has pressed «Start» some time ago; made on first mention."""
        return self.people.setdefault(person_id, Person(self, person_id, name, language))

    def chat(self, chat_id: int) -> list[ChatMessage]:
        """What stands in the private chat now, oldest first, both sides."""
        return list(self._api.messages[chat_id])

    async def from_person(self, person: Person, messages: list[dict[str, Any]], wait: bool) -> list[int]:
        """Messages of a person, brought in that order; their ids."""
        shown = [self._put(person, message) for message in messages]
        deliveries = [self.spawn(self._bring_message(message)) for message in shown]
        self.changed()
        if wait:
            await asyncio.gather(*deliveries)
        return [message.id for message in shown]

    def _put(self, person: Person, message: dict[str, Any]) -> ChatMessage:
        raw = {"message_id": next(self._api.ids), "date": int(time.time()), "chat": person.chat,
               "from": person.user, **message}  # fmt: skip
        return self._api.put(person, raw, outgoing=False)

    async def press(self, person: Person, message_id: int, button: str, wait: bool, at_once: bool) -> str:
        """A press on a button of a message, wherever it stands; the callback query's id."""
        message = next((m for chat in self._api.messages.values() for m in chat if m.id == message_id), None)
        found = message.button(button) if message else None
        data = found["callback_data"] if found and "callback_data" in found else button
        press = Press(f"{next(self._api.ids)}", person.id, message_id, data, self.query_life_s)
        self._api.presses[press.id] = press
        raw = dict(message.raw) if message else {"message_id": message_id, "date": 0, "chat": person.chat}
        query = {"id": press.id, "from": person.user, "message": raw, "chat_instance": "1", "data": data}
        queue = press.id if at_once else f"press{person.id}"
        delivery = self.spawn(self._bring({"callback_query": query}, queue, self.query_life_s))
        self.changed()
        if wait:
            await delivery
        return press.id

    @property
    def stars(self) -> Stars:
        """Invoices, charges and the list of transactions."""
        return self._api.stars

    @property
    def charges(self) -> list[Charge]:
        """What was paid with Stars, oldest first."""
        return list(self.stars.charges.values())

    async def pay(self, person: Person, message_id: int, wait: bool) -> str:
        """The person pays an invoice: the bot is asked, then charged and told, subject to `misdeliver`.

        "" once it is paid, else what the person reads. ValueError where that message is no invoice.
        """
        try:
            checkout = self._api.stars.ask(person, message_id)
        except KeyError:
            raise ValueError("no invoice") from None
        self.spawn(self._bring({"pre_checkout_query": checkout.query}, checkout.id, ANSWER_WITHIN_S))
        try:
            answer = await self.wait_for(lambda: checkout.answer, ANSWER_WITHIN_S)
        except TimeoutError:
            return "Бот не ответил вовремя, звёзды не списаны"
        if answer and not answer[0]:
            return answer[1]
        charge = self._api.stars.charge(checkout)
        self.changed()
        telling = self.spawn(self._tell_charge(charge))
        if wait:
            await telling
        return ""

    async def charge_unasked(self, person: Person, message_id: int) -> Charge:
        """An invoice is paid past the question, as where two were answered yes at once; the bot is told."""
        charge = self.stars.charge(self.stars.ask(person, message_id))
        self.changed()
        await self._tell_charge(charge)
        return charge

    async def _tell_charge(self, charge: Charge) -> None:
        await self._tell_of_money(self._put(charge.person, {"successful_payment": charge.told}))

    async def _tell_of_money(self, message: ChatMessage) -> None:
        """Subject to `misdeliver`."""
        self.changed()
        mishap = self.next_misdelivery()
        if mishap and mishap.kind == "lost":
            self.lose(mishap, self.webhook.get("url", ""), {"message": message.raw})
        elif mishap and mishap.kind == "delayed":
            self.spawn(self._bring_message(message, mishap.delay))
        else:
            times = 2 if mishap and mishap.kind == "doubled" else 1
            await asyncio.gather(*(self.spawn(self._bring_message(message)) for _ in range(times)))

    def refund_stars(self, charge: Charge) -> None:
        """Telegram gives a person's Stars back; ValueError where it has already."""
        self._api.stars.give_back(charge)
        self.changed()

    def _tell_refund(self, charge: Charge) -> None:
        message = self._put(charge.person, {"refunded_payment": charge.told})
        self.spawn(self._tell_of_money(message))

    def membership_changed(self, person: Person) -> None:
        """Tell the bot that it was blocked or unblocked, if it wants to know."""
        member = {"user": self.bot, "status": "member"}
        kicked = {"user": self.bot, "status": "kicked", "until_date": 0}
        old, new = (member, kicked) if person.blocked else (kicked, member)
        change = {"chat": person.chat, "from": person.user, "date": int(time.time()), "old_chat_member": old,
                  "new_chat_member": new}  # fmt: skip
        self.spawn(self._bring({"my_chat_member": change}, f"member{person.id}", MESSAGE_LIFE_S))
        self.changed()

    async def post_update(self, update: dict[str, Any], url: str | None = None) -> int:
        """One delivery of an update (any, or one of `updates` again) to the webhook or to `url`.

        Returns the status, 0 for no answer; a method in a 2xx answer is carried out.
        """
        return (await self._webhook.post(update, url))[0]

    def too_many(self, method: str, retry_after: int, times: int = 1) -> None:
        """Answer the next calls of a method with 429."""
        error = BotApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after)
        self.fault(method, times=times, status=429, body=_error_body(error), headers={"Retry-After": str(retry_after)})

    def flood(self, seconds: float, chat_id: int | None = None) -> None:
        """Answer with 429 for that long whatever goes to a chat, or whatever the bot calls."""
        self._api.floods[chat_id] = time.monotonic() + seconds

    def heal(self) -> None:
        super().heal()
        self._api.floods.clear()

    # Deliveries

    async def _bring_message(self, message: ChatMessage, later_s: float = 0) -> None:
        if later_s:
            await asyncio.sleep(later_s)
        queue = f"chat{message.raw['chat']['id']}"
        message.taken = await self._bring({"message": message.raw}, queue, MESSAGE_LIFE_S)
        self.changed()

    async def _bring(self, content: dict[str, Any], queue: str, life_s: float) -> bool:
        if not self._webhook.allows(next(iter(content))):
            return False
        update = {"update_id": next(self._update_ids), **content}
        self.updates.append(update)
        self.changed()
        return await self._webhook.bring(update, queue, life_s)

    async def _carry_out(self, reply: Params) -> None:
        """A method in a webhook's answer. Telegram tells nobody how it went; the journal does."""
        method = reply.text("method")
        call = self.note(Call(self.service, method, "REPLY", f"/{method}", as_text(reply.shown())))
        fault = self.next_fault(call)
        if fault and fault.before:
            await fault.before()
        instead = fault and (fault.hang or fault.drop or fault.status is not None)
        if fault and instead and not fault.handled:
            call.end(fault.status or 0)
        else:
            try:
                call.end(200, as_text({"ok": True, "result": self._api.call(method, reply)[0]}))
            except BotApiError as error:
                call.end(error.code, as_text(_error_body(error)))
        if fault and fault.after:
            await fault.after()

    # The HTTP side

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/file/bot{token}/{path:.+}", self._download, name="file")
        router.add_route("*", "/bot{token}/{method}", self._handle)

    def route_name(self, request: web.Request) -> str:
        return request.match_info.get("method") or super().route_name(request)

    def error(self, status: int, description: str) -> web.Response:
        return _refusal(BotApiError(status, description))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        data = self.files.at(request.match_info["path"])
        if request.match_info["token"] != self.token or data is None:
            return self.error(404, "Not Found")
        return web.Response(body=data, content_type="application/octet-stream")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return self.error(401, "Unauthorized")
        try:
            result, told = self._api.call(request.match_info["method"], await params.of_request(request))
        except BotApiError as error:
            return _refusal(error)
        return web.json_response({"ok": True, "result": result, **({"description": told} if told else {})})


def _refusal(error: BotApiError) -> web.Response:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
    return web.json_response(_error_body(error), status=error.code, headers=headers)


def _error_body(error: BotApiError) -> dict[str, Any]:
    body = {"ok": False, "error_code": error.code, "description": error.description}
    return {**body, "parameters": {"retry_after": error.retry_after}} if error.retry_after else body
