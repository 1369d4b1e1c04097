"""Telegram's Bot API with people in it, as far as the bot uses it."""

import asyncio
import io
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image, UnidentifiedImageError

from sandbox.server import Call, Server, as_text, sized

MB = 2**20
CALLBACK_QUERY_LIFE_S = 150
_TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "tg-spoiler",
         "blockquote", "span", "tg-emoji"}  # fmt: skip


@dataclass
class Upload:
    """A file that came with a call."""

    name: str
    data: bytes


@dataclass
class Params:
    """A method's parameters: texts (or JSON values) and files, whichever way they were sent."""

    values: dict[str, Any]
    files: dict[str, Upload]

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return default if value is None else str(value)

    def shown(self) -> dict[str, Any]:
        """For the journal: a file stands as its name and size."""
        return {**self.values, **{name: sized(file.name, len(file.data)) for name, file in self.files.items()}}

    def parsed(self, name: str) -> Any:
        value = self.values.get(name)
        try:
            return json.loads(value) if isinstance(value, str) and value else value
        except ValueError:
            raise BotApiError(400, f"Bad Request: can't parse {name} JSON object") from None

    def number(self, name: str) -> int:
        try:
            return int(self.values[name])
        except (KeyError, TypeError, ValueError):
            raise BotApiError(400, f"Bad Request: parameter {name} is required") from None


class BotApiError(Exception):
    """An answer with ok=false."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


@dataclass
class ChatMessage:
    """A message as the person sees it now; edits and deletions are applied."""

    id: int
    chat_id: int
    outgoing: bool
    date: int
    text: str | None = None
    caption: str | None = None
    photo: bytes | None = None
    document: bytes | None = None
    file_name: str | None = None
    file_id: str | None = None
    html: str | None = None
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list)
    edited: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for row in self.keyboard for button in row]

    def button(self, wanted: str) -> dict[str, Any] | None:
        """By callback data or by how its text begins; one that an edit took away counts as well."""
        for button in [*self.buttons, *reversed(self.shown)]:
            data, text = button.get("callback_data"), str(button.get("text", ""))
            if data == wanted or text.startswith(wanted):
                found: dict[str, Any] = button
                return found
        return None


class Person:
    """Somebody in a private chat with the bot. Each action awaits its delivery unless `wait=False`."""

    def __init__(self, telegram: "FakeTelegram", person_id: int, name: str) -> None:
        self.id, self.name = person_id, name
        self.blocked = False
        self._telegram = telegram

    @property
    def user(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": "ru"}

    @property
    def messages(self) -> list[ChatMessage]:
        return self._telegram.chat(self.id)

    async def send_text(self, text: str, wait: bool = True) -> int:
        """Send a text or a command; its message id."""
        raw: dict[str, Any] = {"text": text}
        if text.startswith("/"):
            raw["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        return await self.send_raw(raw, wait=wait)

    async def send_photo(self, data: bytes, caption: str | None = None, wait: bool = True) -> int:
        """Send a picture as a photo: recompressed to JPEG, as Telegram does."""
        jpeg, width, height = _as_photo(data)
        sizes = self._telegram.photo_sizes(jpeg, width, height)
        raw = {"photo": sizes, **({"caption": caption} if caption is not None else {})}
        return await self.send_raw(raw, wait=wait)

    async def send_document(
        self, data: bytes, filename: str, mime: str, caption: str | None = None, wait: bool = True
    ) -> int:
        """Send a file, untouched."""
        document = self._telegram.document(data, filename, mime)
        raw = {"document": document, **({"caption": caption} if caption is not None else {})}
        return await self.send_raw(raw, wait=wait)

    async def send_raw(self, message: dict[str, Any], wait: bool = True) -> int:
        """Send any message; id, date, chat and sender are filled in where they are missing."""
        return await self._telegram.from_person(self, message, wait)

    async def press(self, message_id: int, button: str, wait: bool = True, at_once: bool = False) -> str:
        """Press a button (its callback data, or how its text begins); the callback query's id.

        Presses of a person are delivered one after another; `at_once` lets this one overtake.
        """
        return await self._telegram.press(self, message_id, button, wait, at_once)

    def block(self) -> None:
        """Block the bot: sends to this person get 403 from now on."""
        self.blocked = True

    def unblock(self) -> None:
        self.blocked = False


@dataclass
class FakeTelegram(Server):
    """The Bot API for one bot. `retry_s` scales the back-off of redeliveries (Telegram's is about 2)."""

    token: str = "1:sandbox"
    retry_s: float = 0.2
    service = "telegram"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.people: dict[int, Person] = {}
        self.webhook: dict[str, Any] = {}
        self.commands: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self._queries: set[str] = set()
        self._messages: dict[int, list[ChatMessage]] = defaultdict(list)
        self._files: dict[str, bytes] = {}
        self._names: dict[str, str] = {}
        self._queues: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ids = itertools.count(1)
        self._update_ids = itertools.count(1000)
        self._methods: dict[str, Callable[[Params], Awaitable[Any]]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "deletewebhook": self._delete_webhook,
            "setmycommands": self._set_my_commands,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "senddocument": self._send_document,
            "editmessagetext": self._edit_message_text,
            "editmessagecaption": self._edit_message_caption,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "sendchataction": self._send_chat_action,
            "getfile": self._get_file,
        }

    # What a test and the page do

    def person(self, person_id: int, name: str = "Аня") -> Person:
        """That person; made on first mention."""
        return self.people.setdefault(person_id, Person(self, person_id, name))

    def chat(self, chat_id: int) -> list[ChatMessage]:
        """What stands in the private chat now, oldest first, both sides."""
        return list(self._messages[chat_id])

    async def from_person(self, person: Person, message: dict[str, Any], wait: bool) -> int:
        raw = {"message_id": next(self._ids), "date": int(time.time()), "chat": _chat(person),
               "from": person.user, **message}  # fmt: skip
        shown = ChatMessage(raw["message_id"], person.id, False, raw["date"], raw=raw)
        shown.text, shown.caption = raw.get("text"), raw.get("caption")
        if raw.get("photo"):
            shown.file_id = raw["photo"][-1]["file_id"]
            shown.photo = self._files.get(shown.file_id)
        if raw.get("document"):
            shown.file_id, shown.file_name = raw["document"]["file_id"], raw["document"].get("file_name")
            shown.document = self._files.get(shown.file_id)
        self._messages[person.id].append(shown)
        await self._queue({"message": raw}, f"chat{raw['chat']['id']}", wait)
        return shown.id

    async def press(self, person: Person, message_id: int, button: str, wait: bool, at_once: bool) -> str:
        message = self._anywhere(message_id)
        found = message.button(button) if message else None
        data = found["callback_data"] if found and "callback_data" in found else button
        query_id = f"q{next(self._ids)}"
        raw = message.raw if message else {"message_id": message_id, "date": 0, "chat": _chat(person)}
        query = {"id": query_id, "from": person.user, "message": raw, "chat_instance": "1", "data": data}
        self._queries.add(query_id)
        await self._queue({"callback_query": query}, query_id if at_once else f"press{person.id}", wait)
        return query_id

    async def post_update(self, update: dict[str, Any], url: str | None = None) -> int:
        """One delivery of an update (any, or one of `updates` again) to the webhook or to `url`.

        Returns the status, 0 for no answer; a method in a 2xx answer is carried out.
        """
        return (await self._post_update(update, url))[0]

    # Deliveries

    async def _queue(self, content: dict[str, Any], queue: str, wait: bool) -> None:
        update = {"update_id": next(self._update_ids), **content}
        self.updates.append(update)
        self.changed()
        task = self.spawn(self._deliver_until_taken(update, queue))
        if wait:
            await task

    async def _deliver_until_taken(self, update: dict[str, Any], queue: str) -> None:
        until = time.monotonic() + CALLBACK_QUERY_LIFE_S
        async with self._queues[queue]:
            pause = 0.0
            while "callback_query" not in update or time.monotonic() < until:
                while not self.webhook.get("url"):
                    await self._change.wait()
                status, retry_after = await self._post_update(update, None)
                if 200 <= status < 300:
                    return
                await asyncio.sleep(retry_after or pause)
                pause = min(max(pause * 2, self.retry_s), 60)

    async def _post_update(self, update: dict[str, Any], url: str | None) -> tuple[int, float]:
        target = url or self.webhook.get("url", "")
        call = self.note(Call(self.service, "update", "POST", target, as_text(update), outgoing=True))
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        retry_after = 0.0
        try:
            async with self.http.post(target, json=update, headers=headers) as answer:
                retry_after = float(answer.headers.get("Retry-After", 0))
                if answer.ok:
                    reply = await _reply_params(answer)
                    call.end(answer.status, as_text(reply.shown()))
                    await self._reply(reply)
                else:
                    call.end(answer.status, await answer.text())
                    self._failed(f"Wrong response from the webhook: {answer.status}")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            call.end(0)
            self._failed("Connection failed")
        self.changed()
        return call.status, retry_after

    def _failed(self, description: str) -> None:
        # Telegram keeps the last one, however long ago it was.
        self.webhook.update(last_error_message=description, last_error_date=int(time.time()))

    async def _reply(self, params: Params) -> None:
        method = params.text("method")
        if not method:
            return
        # Telegram tells nobody how a method in the webhook's answer went; the journal does.
        call = self.note(Call(self.service, method, "REPLY", f"/{method}", as_text(params.shown())))
        try:
            call.end(200, as_text({"ok": True, "result": await self._call(method, params)}))
        except BotApiError as error:
            call.end(error.code, error.description)

    # The HTTP side

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/file/bot{token}/{path:.+}", self._download, name="file")
        router.add_route("*", "/bot{token}/{method}", self._handle)

    def route_name(self, request: web.Request) -> str:
        return request.match_info.get("method") or super().route_name(request)

    def error(self, status: int, description: str) -> web.Response:
        return web.json_response({"ok": False, "error_code": status, "description": description}, status=status)

    def too_many(self, method: str, retry_after: int, times: int = 1) -> None:
        """Answer the next calls of a method with 429."""
        description = f"Too Many Requests: retry after {retry_after}"
        body = {"ok": False, "error_code": 429, "description": description,
                "parameters": {"retry_after": retry_after}}  # fmt: skip
        self.fault(method, times=times, status=429, body=body)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        data = self._files.get(request.match_info["path"].rsplit("/", 1)[-1].split(".")[0])
        if request.match_info["token"] != self.token or data is None:
            return self.error(404, "Not Found")
        return web.Response(body=data, content_type="application/octet-stream")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return self.error(401, "Unauthorized")
        try:
            result = await self._call(request.match_info["method"], await _request_params(request))
        except BotApiError as error:
            return self.error(error.code, error.description)
        return web.json_response({"ok": True, "result": result})

    async def _call(self, method: str, params: Params) -> Any:
        handler = self._methods.get(method.lower())
        if handler is None:
            raise BotApiError(404, "Not Found: method not found")
        return await handler(params)

    # Methods

    async def _get_me(self, _params: Params) -> Any:
        bot_id = int(self.token.split(":")[0])
        return {"id": bot_id, "is_bot": True, "first_name": "Картинки", "username": "sandbox_bot",
                "can_join_groups": True, "can_read_all_group_messages": False,
                "supports_inline_queries": False}  # fmt: skip

    async def _set_webhook(self, params: Params) -> Any:
        self.webhook = {"url": params.text("url"), "secret_token": params.text("secret_token"),
                        "allowed_updates": params.parsed("allowed_updates") or []}  # fmt: skip
        return True

    async def _get_webhook_info(self, _params: Params) -> Any:
        info = {k: v for k, v in self.webhook.items() if k != "secret_token"}
        pending = sum(lock.locked() for lock in self._queues.values())
        return {"url": "", "has_custom_certificate": False, "pending_update_count": pending, **info}

    async def _delete_webhook(self, _params: Params) -> Any:
        self.webhook = {}
        return True

    async def _set_my_commands(self, params: Params) -> Any:
        self.commands = params.parsed("commands") or []
        return True

    async def _send_chat_action(self, params: Params) -> Any:
        self._reachable(params)
        return True

    async def _send_message(self, params: Params) -> Any:
        person = self._reachable(params)
        text, html = _formatted(params, "text", 4096)
        if not text:
            raise BotApiError(400, "Bad Request: message text is empty")
        return self._say(person, params, {"text": text}, html)

    async def _send_photo(self, params: Params) -> Any:
        person = self._reachable(params)
        caption, html = _formatted(params, "caption", 1024)
        data, _name = self._file(params, "photo")
        if len(data) > 10 * MB:
            raise BotApiError(400, "Bad Request: file is too big for a photo")
        _jpeg, width, height = _as_photo(data)
        content: dict[str, Any] = {"photo": self.photo_sizes(data, width, height)}
        if caption:
            content["caption"] = caption
        return self._say(person, params, content, html)

    async def _send_document(self, params: Params) -> Any:
        person = self._reachable(params)
        caption, html = _formatted(params, "caption", 1024)
        data, name = self._file(params, "document")
        if len(data) > 50 * MB:
            raise BotApiError(413, "Request Entity Too Large")
        content: dict[str, Any] = {"document": self.document(data, name, "application/octet-stream")}
        if caption:
            content["caption"] = caption
        return self._say(person, params, content, html)

    async def _edit_message_text(self, params: Params) -> Any:
        message = self._own(params, "edited")
        text, html = _formatted(params, "text", 4096)
        if not text:
            raise BotApiError(400, "Bad Request: message text is empty")
        if message.text is None:
            raise BotApiError(400, "Bad Request: there is no text in the message to edit")
        return self._edit(message, {"text": text}, html, _keyboard(params))

    async def _edit_message_caption(self, params: Params) -> Any:
        message = self._own(params, "edited")
        caption, html = _formatted(params, "caption", 1024)
        return self._edit(message, {"caption": caption}, html, _keyboard(params))

    async def _edit_message_reply_markup(self, params: Params) -> Any:
        return self._edit(self._own(params, "edited"), {}, None, _keyboard(params))

    async def _delete_message(self, params: Params) -> Any:
        message = self._own(params, "deleted")
        self._messages[message.chat_id].remove(message)
        self.changed()
        return True

    async def _answer_callback_query(self, params: Params) -> Any:
        query_id = params.text("callback_query_id")
        if query_id not in self._queries:
            raise BotApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(params.text("text")) > 200:
            raise BotApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        self.answers.append(
            {"id": query_id, "text": params.text("text"), "show_alert": params.parsed("show_alert") is True}
        )
        self.changed()
        return True

    async def _get_file(self, params: Params) -> Any:
        file_id = params.text("file_id")
        data = self._files.get(file_id)
        if data is None:
            raise BotApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(data) > 20 * MB:
            raise BotApiError(400, "Bad Request: file is too big")
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data), "file_path": f"f/{file_id}"}

    # Parts of methods

    def _reachable(self, params: Params) -> Person:
        person = self.people.get(params.number("chat_id"))
        if person is None:
            raise BotApiError(400, "Bad Request: chat not found")
        if person.blocked:
            raise BotApiError(403, "Forbidden: bot was blocked by the user")
        return person

    def _own(self, params: Params, verb: str) -> ChatMessage:
        chat, wanted = params.number("chat_id"), params.number("message_id")
        found = next((m for m in self._messages[chat] if m.id == wanted), None)
        if found is None:
            raise BotApiError(400, f"Bad Request: message to {verb.removesuffix('ed')} not found")
        if verb == "edited" and not found.outgoing:
            raise BotApiError(400, "Bad Request: message can't be edited")
        return found

    def _anywhere(self, message_id: int) -> ChatMessage | None:
        return next((m for chat in self._messages.values() for m in chat if m.id == message_id), None)

    def _file(self, params: Params, name: str) -> tuple[bytes, str]:
        given = params.text(name)
        upload = params.files.get(name) or params.files.get(given.removeprefix("attach://"))
        if upload:
            if not upload.data:
                raise BotApiError(400, "Bad Request: file must be non-empty")
            return upload.data, upload.name
        if not given:
            raise BotApiError(400, f"Bad Request: there is no {name} in the request")
        if given not in self._files:
            raise BotApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        return self._files[given], self._names.get(given, "file")

    def photo_sizes(self, data: bytes, width: int, height: int) -> list[dict[str, Any]]:
        return [{**self._keep(data, "photo.jpg"), "width": width, "height": height}]

    def document(self, data: bytes, name: str, mime: str) -> dict[str, Any]:
        return {**self._keep(data, name), "file_name": name, "mime_type": mime}

    def _keep(self, data: bytes, name: str) -> dict[str, Any]:
        file_id = f"file{next(self._ids)}"
        self._files[file_id], self._names[file_id] = data, name
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": len(data)}

    def _say(self, person: Person, params: Params, content: dict[str, Any], html: str | None) -> Any:
        keyboard = _keyboard(params)
        raw: dict[str, Any] = {"message_id": next(self._ids), "date": int(time.time()), "chat": _chat(person),
                               "from": {"id": int(self.token.split(":")[0]), "is_bot": True,
                                        "first_name": "Картинки"}, **content}  # fmt: skip
        message = ChatMessage(raw["message_id"], person.id, True, raw["date"], html=html, raw=raw)
        message.text, message.caption = content.get("text"), content.get("caption")
        if "photo" in content:
            message.file_id = content["photo"][-1]["file_id"]
            message.photo = self._files[content["photo"][-1]["file_id"]]
        if "document" in content:
            message.file_id, message.file_name = content["document"]["file_id"], content["document"]["file_name"]
            message.document = self._files[content["document"]["file_id"]]
        _show(message, keyboard)
        self._messages[person.id].append(message)
        self.changed()
        return raw

    def _edit(
        self, message: ChatMessage, content: dict[str, str], html: str | None, keyboard: list[list[dict[str, Any]]]
    ) -> Any:
        same = all(message.raw.get(k) == v for k, v in content.items()) and (html or None) == message.html
        if (same or not content) and keyboard == message.keyboard:
            raise BotApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message",
            )
        message.raw.update(content, edit_date=int(time.time()))
        message.text, message.caption = message.raw.get("text"), message.raw.get("caption")
        if content:
            message.html = html
        message.edited = True
        _show(message, keyboard)
        self.changed()
        return message.raw


def _chat(person: Person) -> dict[str, Any]:
    return {"id": person.id, "type": "private", "first_name": person.name}


def _show(message: ChatMessage, keyboard: list[list[dict[str, Any]]]) -> None:
    message.keyboard = keyboard
    message.shown.extend(message.buttons)
    message.raw.pop("reply_markup", None)
    if keyboard:
        message.raw["reply_markup"] = {"inline_keyboard": keyboard}


def _keyboard(params: Params) -> list[list[dict[str, Any]]]:
    markup = params.parsed("reply_markup") or {}
    rows: list[list[dict[str, Any]]] = markup.get("inline_keyboard") or []
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise BotApiError(400, "Bad Request: text buttons are unallowed in the inline keyboard")
        data = button.get("callback_data")
        if data is not None and not 1 <= len(data.encode()) <= 64:
            raise BotApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        if data is None and "url" not in button:
            raise BotApiError(400, "Bad Request: inline keyboard button must have exactly one action")
    return [row for row in rows if row]


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.plain: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        if tag not in _TAGS:
            raise BotApiError(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise BotApiError(400, f"Bad Request: can't parse entities: Unexpected end tag {tag}")

    def handle_data(self, data: str) -> None:
        self.plain.append(data)


def _formatted(params: Params, name: str, limit: int) -> tuple[str, str | None]:
    """The plain text a person reads, and its HTML where it was sent as such."""
    text, html = params.text(name), None
    if text and params.text("parse_mode").upper() == "HTML":
        parser = _Html()
        parser.feed(text)
        parser.close()
        if parser.open:
            raise BotApiError(400, "Bad Request: can't parse entities: Can't find end tag")
        text, html = "".join(parser.plain), text
    text = text.strip()
    # Telegram counts UTF-16 units.
    if len(text.encode("utf-16-le")) // 2 > limit:
        kind = "message caption is too long" if name == "caption" else "message is too long"
        raise BotApiError(400, f"Bad Request: {kind}")
    return text, html


def _as_photo(data: bytes) -> tuple[bytes, int, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width + height > 10_000 or max(width, height) > 20 * min(width, height):
                raise BotApiError(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=87)
    except (UnidentifiedImageError, OSError):
        raise BotApiError(400, "Bad Request: IMAGE_PROCESS_FAILED") from None
    return out.getvalue(), width, height


async def _request_params(request: web.Request) -> Params:
    values: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        body = await request.json()
        if not isinstance(body, dict):
            raise BotApiError(400, "Bad Request: can't parse request")
        return Params({**values, **body}, files)
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = Upload(value.filename, value.file.read())
            value.file.seek(0)
        else:
            values[name] = value if isinstance(value, str) else bytes(value).decode()
    return Params(values, files)


async def _reply_params(answer: aiohttp.ClientResponse) -> Params:
    if answer.content_type.startswith("multipart/"):
        values: dict[str, Any] = {}
        files: dict[str, Upload] = {}
        async for part in aiohttp.MultipartReader.from_response(answer):
            if not isinstance(part, aiohttp.BodyPartReader) or not part.name:
                continue
            data = bytes(await part.read(decode=True))
            if part.filename:
                files[part.name] = Upload(part.filename, data)
            else:
                values[part.name] = data.decode()
        return Params(values, files)
    text = await answer.text()
    body = json.loads(text) if text.strip().startswith("{") else {}
    return Params(body if isinstance(body, dict) else {}, {})
