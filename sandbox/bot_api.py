"""The methods of the Bot API that the bot uses, with their rules and limits, for one bot in private chats."""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sandbox import formatting
from sandbox.files import PHOTO_LIMIT, UPLOAD_LIMIT, Files, Kind
from sandbox.formatting import utf16
from sandbox.ids import fresh_numbers
from sandbox.params import BotApiError, Params
from sandbox.people import ChatMessage, Person, Press
from sandbox.stars import Charge, Stars
from sandbox.webhook import Webhook

TEXT_LIMIT, CAPTION_LIMIT, TOAST_LIMIT, CALLBACK_DATA_LIMIT = 4096, 1024, 200, 64
_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note", "cancel",
}  # fmt: skip
_NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)

Keyboard = list[list[dict[str, Any]]]
Result = tuple[Any, str]
"""What a method gives, and what it says about it (most say nothing)."""


class BotApi:
    """What Telegram knows: people, chats, files, presses, commands, Stars.

    `changed` is called after every change, `refunded` with each charge that went back.
    """

    def __init__(
        self,
        bot_id: int,
        files: Files,
        webhook: Webhook,
        changed: Callable[[], None],
        refunded: Callable[[Charge], None],
    ) -> None:
        self.bot = {"id": bot_id, "is_bot": True, "first_name": "Картинки", "username": "sandbox_bot"}
        self.people: dict[int, Person] = {}
        self.messages: dict[int, list[ChatMessage]] = defaultdict(list)
        self.presses: dict[str, Press] = {}
        self.menus: dict[tuple[int | None, str], list[dict[str, str]]] = {}
        self.answers: list[dict[str, Any]] = []
        self.floods: dict[int | None, float] = {}
        self.ids = fresh_numbers()
        self.stars = Stars(self.ids, refunded)
        self._files, self._webhook, self._changed = files, webhook, changed
        self._methods: dict[str, Callable[[Params], Any]] = {
            "getme": self._get_me,
            "setmycommands": self._set_my_commands,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "senddocument": self._send_document,
            "sendmediagroup": self._send_media_group,
            "sendinvoice": self._send_invoice,
            "sendchataction": self._send_chat_action,
            "editmessagetext": self._edit_message_text,
            "editmessagecaption": self._edit_message_caption,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "answerprecheckoutquery": self.stars.answer,
            "refundstarpayment": self.stars.refund,
            "getstartransactions": self.stars.transactions,
            "getfile": lambda given: self._files.lookup(given.text("file_id")),
            "getwebhookinfo": lambda _given: self._webhook.info(),
        }

    def call(self, method: str, given: Params) -> Result:
        """Carry out a method; BotApiError where Telegram would refuse."""
        self._hold_back(given)
        name = method.lower()
        if name == "setwebhook":
            return True, self._webhook.set(given)
        if name == "deletewebhook":
            return True, self._webhook.delete(given)
        if name not in self._methods:
            raise BotApiError(404, "Not Found: method not found")
        result = self._methods[name](given)
        self._changed()
        return result, ""

    def _hold_back(self, given: Params) -> None:
        now = time.monotonic()
        waits = [
            until - now
            for chat_id, until in self.floods.items()
            if until > now and (chat_id is None or str(chat_id) == given.text("chat_id"))
        ]
        if waits:
            seconds = math.ceil(max(waits))
            raise BotApiError(429, f"Too Many Requests: retry after {seconds}", seconds)

    # The bot itself

    def _get_me(self, _given: Params) -> Any:
        return {**self.bot, "can_join_groups": True, "can_read_all_group_messages": False,
                "supports_inline_queries": False}  # fmt: skip

    def _set_my_commands(self, given: Params) -> Any:
        commands = given.parsed("commands", "commands") or []
        if not isinstance(commands, list):
            raise BotApiError(400, "Bad Request: expected an Array of BotCommand")
        if len(commands) > 100:
            raise BotApiError(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        language = given.text("language_code")
        if language and (len(language) != 2 or not language.isalpha() or not language.islower()):
            raise BotApiError(400, "Bad Request: invalid language code specified")
        self.menus[_scope(given), language] = [_command(command) for command in commands]
        return True

    def commands(self, person: Person) -> list[dict[str, str]]:
        """What that person's menu holds: a chat's own goes before the default, a language's before that of all."""
        for scope in (person.id, None):
            for language in (person.language.partition("-")[0], ""):
                if found := self.menus.get((scope, language)):
                    return found
        return []

    # Sending

    def _send_message(self, given: Params) -> Any:
        person = self._reachable(given)
        content = _formatted(given, "text", TEXT_LIMIT)
        if not content.get("text"):
            raise BotApiError(400, "Bad Request: message text is empty")
        return self._say(person, given, content)

    def _send_photo(self, given: Params) -> Any:
        person = self._reachable(given)
        caption = _formatted(given, "caption", CAPTION_LIMIT)
        data, _name = self._file(given, "photo")
        if len(data) > PHOTO_LIMIT:
            raise BotApiError(
                400,
                f"Bad Request: file of size {len(data)} bytes is too big for a photo; "
                f"the maximum size is {PHOTO_LIMIT} bytes",
            )
        return self._say(person, given, {"photo": self._files.photo_sizes(data), **caption})

    def _send_document(self, given: Params) -> Any:
        person = self._reachable(given)
        caption = _formatted(given, "caption", CAPTION_LIMIT)
        data, name = self._file(given, "document")
        if len(data) > UPLOAD_LIMIT:
            raise BotApiError(413, "Request Entity Too Large")
        document = self._files.document(data, name, "application/octet-stream")
        return self._say(person, given, {"document": document, **caption})

    def _send_media_group(self, given: Params) -> Any:
        person = self._reachable(given)
        media = given.parsed("media", "media") or []
        if not isinstance(media, list) or not 2 <= len(media) <= 10:
            raise BotApiError(400, "Bad Request: an album has two to ten items")
        if any(not isinstance(item, dict) or item.get("type") != "photo" for item in media):
            raise BotApiError(400, "Bad Request: the sandbox sends albums of photos alone")
        group = str(time.time_ns())
        contents = []
        for item in media:
            one = Params({"photo": item.get("media"), "parse_mode": given.text("parse_mode"), **item}, given.files)
            data, _name = self._file(one, "photo")
            caption = _formatted(one, "caption", CAPTION_LIMIT)
            contents.append({"photo": self._files.photo_sizes(data), "media_group_id": group, **caption})
        return [self._say(person, Params({}, {}), content) for content in contents]

    def _send_invoice(self, given: Params) -> Any:
        person = self._reachable(given)
        raw = self._say(person, given, self.stars.content(given))
        self.stars.sent(raw["message_id"], given)
        return raw

    def _send_chat_action(self, given: Params) -> Any:
        action = given.text("action")
        if action not in _ACTIONS:
            raise BotApiError(400, "Bad Request: wrong parameter action in request")
        self._reachable(given).sees("" if action == "cancel" else action)
        return True

    def _reachable(self, given: Params) -> Person:
        person = self._acquainted(given)
        if person.blocked:
            raise BotApiError(403, "Forbidden: bot was blocked by the user")
        return person

    def _acquainted(self, given: Params) -> Person:
        if not given.text("chat_id"):
            raise BotApiError(400, "Bad Request: chat_id is empty")
        person = self.people.get(given.number("chat_id"))
        if person is None:
            raise BotApiError(400, "Bad Request: chat not found")
        return person

    def _file(self, given: Params, name: Kind) -> tuple[bytes, str]:
        upload, file_id = given.upload(name), given.text(name)
        if upload:
            if not upload.data:
                raise BotApiError(400, "Bad Request: file must be non-empty")
            return upload.data, upload.name
        if not file_id:
            raise BotApiError(400, f"Bad Request: there is no {name} in the request")
        stored = self._files.find(file_id)
        if stored is None:
            raise BotApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        if stored.kind != name:
            raise BotApiError(400, f"Bad Request: can't use file of type {stored.kind.title()} as {name.title()}")
        return stored.data, stored.name

    def _say(self, person: Person, given: Params, content: dict[str, Any]) -> Any:
        keyboard = _keyboard(given)
        raw = {"message_id": next(self.ids), "date": int(time.time()), "chat": person.chat, "from": self.bot, **content}
        message = self.put(person, raw, outgoing=True)
        message.show(keyboard)
        person.sees("")
        return raw

    def put(self, person: Person, raw: dict[str, Any], outgoing: bool) -> ChatMessage:
        """Put a message into the person's chat."""
        message = ChatMessage(raw["message_id"], person.id, outgoing, raw["date"], raw=raw)
        message.text, message.caption = raw.get("text"), raw.get("caption")
        if raw.get("photo"):
            message.file_id = raw["photo"][-1]["file_id"]
            message.photo = self._data(message.file_id)
        if raw.get("document"):
            message.file_id, message.file_name = raw["document"]["file_id"], raw["document"].get("file_name")
            message.document = self._data(message.file_id)
        self.messages[person.id].append(message)
        return message

    def _data(self, file_id: str | None) -> bytes | None:
        stored = self._files.find(file_id or "")
        return stored.data if stored else None

    # What is there already

    def _edit_message_text(self, given: Params) -> Any:
        message = self._editable(given)
        content = _formatted(given, "text", TEXT_LIMIT)
        if not content.get("text"):
            raise BotApiError(400, "Bad Request: message text is empty")
        if message.text is None:
            raise BotApiError(400, "Bad Request: there is no text in the message to edit")
        return self._edit(message, {"text": None, "entities": None, **content}, _keyboard(given))

    def _edit_message_caption(self, given: Params) -> Any:
        message = self._editable(given)
        caption = _formatted(given, "caption", CAPTION_LIMIT)
        if message.text is not None:
            raise BotApiError(400, "Bad Request: there is no caption in the message to edit")
        return self._edit(message, {"caption": None, "caption_entities": None, **caption}, _keyboard(given))

    def _edit_message_reply_markup(self, given: Params) -> Any:
        return self._edit(self._editable(given), {}, _keyboard(given))

    def _delete_message(self, given: Params) -> Any:
        message = self._message(given, "delete")
        self.messages[message.chat_id].remove(message)
        return True

    def _message(self, given: Params, verb: str) -> ChatMessage:
        chat = self.messages[self._acquainted(given).id]
        found = next((message for message in chat if message.id == given.number("message_id")), None)
        if found is None:
            raise BotApiError(400, f"Bad Request: message to {verb} not found")
        return found

    def _editable(self, given: Params) -> ChatMessage:
        message = self._message(given, "edit")
        if not message.outgoing:
            raise BotApiError(400, "Bad Request: message can't be edited")
        return message

    def _edit(self, message: ChatMessage, content: dict[str, Any], keyboard: Keyboard) -> Any:
        changed = any(message.raw.get(name) != value for name, value in content.items())
        if not changed and keyboard == message.keyboard:
            raise BotApiError(400, _NOT_MODIFIED)
        message.raw.update(content, edit_date=int(time.time()))
        for name in [name for name, value in content.items() if value is None]:
            del message.raw[name]
        message.text, message.caption = message.raw.get("text"), message.raw.get("caption")
        message.edited = message.edited or changed
        message.show(keyboard)
        return message.raw

    def _answer_callback_query(self, given: Params) -> Any:
        press = self.presses.get(given.text("callback_query_id"))
        if press is None or press.expired:
            raise BotApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(given.text("text")) > TOAST_LIMIT:
            raise BotApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        answer = {"id": press.id, "text": given.text("text"), "show_alert": given.flag("show_alert")}
        press.answer = press.answer or answer
        self.answers.append(answer)
        return True


def _scope(given: Params) -> int | None:
    """The chat that the commands are for; None for the default."""
    scope = given.parsed("scope", "bot command scope") or {"type": "default"}
    match scope:
        case {"type": "default"}:
            return None
        case {"type": "chat", "chat_id": int(chat_id)}:
            return chat_id
    raise BotApiError(400, "Bad Request: can't parse BotCommandScope: unsupported type specified")


def _command(command: Any) -> dict[str, str]:
    if not isinstance(command, dict) or "command" not in command or "description" not in command:
        raise BotApiError(400, "Bad Request: can't parse BotCommand: expected command and description")
    name = str(command["command"]).strip().removeprefix("/")
    description = str(command["description"]).strip()
    if not name:
        raise BotApiError(400, "Bad Request: command must be non-empty")
    if len(name) > 32:
        raise BotApiError(400, "Bad Request: command length must not exceed 32")
    if not description:
        raise BotApiError(400, "Bad Request: command description must be non-empty")
    if len(description) > 256:
        raise BotApiError(400, "Bad Request: command description length must not exceed 256")
    if not all(character in "abcdefghijklmnopqrstuvwxyz0123456789_" for character in name):
        raise BotApiError(400, "Bad Request: BOT_COMMAND_INVALID")
    return {"command": name, "description": description}


def _keyboard(given: Params) -> Keyboard:
    markup = given.parsed("reply_markup", "reply keyboard markup") or {}
    if not isinstance(markup, dict):
        raise BotApiError(400, "Bad Request: object expected as reply markup")
    rows: Keyboard = markup.get("inline_keyboard") or []
    return [row for row in ([_button(button) for button in row] for row in rows) if row]


def _button(button: dict[str, Any]) -> dict[str, Any]:
    unreadable = "Bad Request: can't parse inline keyboard button:"
    if "text" not in button:
        raise BotApiError(400, f'{unreadable} Can\'t find field "text"')
    url, data = button.get("url"), button.get("callback_data")
    if button.get("pay") is True:
        return button
    if url:
        if formatting.checked_link(str(url)) is None:
            raise BotApiError(400, f"Bad Request: inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    elif not data:
        raise BotApiError(400, f"{unreadable} Text buttons are unallowed in the inline keyboard")
    elif len(str(data).encode()) > CALLBACK_DATA_LIMIT:
        raise BotApiError(400, "Bad Request: BUTTON_DATA_INVALID")
    return button


def _formatted(given: Params, name: str, limit: int) -> dict[str, Any]:
    """The text or caption with its entities, as they stand in a message; nothing where there is no text."""
    entities_name = "entities" if name == "text" else "caption_entities"
    text, mode = given.text(name), given.text("parse_mode").lower()
    entities = given.parsed(entities_name, "entities") or []
    if mode == "html":
        text, entities = formatting.parse_html(text)
    elif mode in ("markdown", "markdownv2"):
        raise BotApiError(501, "Not Implemented: the sandbox reads HTML alone")
    elif mode:
        raise BotApiError(400, "Bad Request: unsupported parse_mode")
    text, entities = formatting.trim(text, entities)
    if utf16(text) > limit:
        raise BotApiError(400, f"Bad Request: message {'caption ' if name == 'caption' else ''}is too long")
    if not text:
        return {}
    found = formatting.detect(text, entities)
    return {name: text, **({entities_name: found} if found else {})}
