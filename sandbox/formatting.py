"""Text with formatting: HTML becomes plain text and entities, by the rules of Telegram's own parser."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.params import BotApiError

Entity = dict[str, Any]

_TYPES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "code": "code", "pre": "pre", "blockquote": "blockquote", "a": "text_link",
    "tg-emoji": "custom_emoji",
}  # fmt: skip
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(
    r"&(?:#(?P<decimal>\d{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6})|(?P<name>lt|gt|amp|quot)(?![a-zA-Z]));?"
)
_ATTRIBUTE = re.compile(r"""\s*([^\s=>/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9.-]+)))?""")
_TAG = re.compile(r"[^\s>]*")
_TAG_END = re.compile(r"\s*>")
_END_TAG = re.compile(r"</([^\s>]*)\s*>")
_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>«»\"]*[^\s<>«»\".,:;!?)'])"
    r"|(?P<bot_command>(?<![\w/<>])/\w{1,64}(?:@\w{3,32})?(?![\w/<>]))"
    r"|(?P<mention>(?<![\w@])@\w{3,32}(?!\w))"
    r"|(?P<hashtag>(?<![\w#])#(?=\w*[^\W\d_])\w+)",
)


def utf16(text: str) -> int:
    """The length as Telegram counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """The plain text and its entities; 400 in Telegram's words for what it does not understand."""
    return _Html(source).parse()


def detect(text: str, known: list[Entity]) -> list[Entity]:
    """`known` and what Telegram finds by itself: addresses, commands, mentions, hashtags; in order."""
    shut = [e for e in known if e["type"] in ("code", "pre", "text_link", "custom_emoji")]
    found = []
    for match in _FOUND.finditer(text):
        offset, length = utf16(text[: match.start()]), utf16(match.group())
        if not any(e["offset"] < offset + length and offset < e["offset"] + e["length"] for e in shut):
            found.append({"type": match.lastgroup, "offset": offset, "length": length})
    return sorted([*known, *found], key=lambda e: (e["offset"], -e["length"]))


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Without the white space around, and the entities moved accordingly."""
    trimmed = text.strip()
    shift, end = utf16(text) - utf16(text.lstrip()), utf16(trimmed)
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - shift)
        stop = min(end, entity["offset"] + entity["length"] - shift)
        if stop > start:
            moved.append({**entity, "offset": start, "length": stop - start})
    return trimmed, moved


def checked_link(url: str) -> str | None:
    """The link as Telegram keeps it; None for one that it refuses."""
    if url.lower().startswith("tg:"):
        return url
    with_scheme = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(with_scheme)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not ("." in host or ":" in host) or re.search(r"\s", with_scheme):
        return None
    return with_scheme


@dataclass
class _Open:
    tag: str
    argument: str
    offset: int
    begin: int


class _Html:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._plain: list[str] = []
        self._length = 0
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        source = self._source
        while self._at < len(source):
            if source.startswith("</", self._at):
                self._end_tag()
            elif source[self._at] == "<":
                self._start_tag()
            else:
                reference = _REFERENCE.match(source, self._at)
                text = _character(reference) if reference else ""
                self._add(text or source[self._at])
                self._at = reference.end() if reference and text else self._at + 1
        if self._open:
            raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{self._open[-1].tag}"')
        for entity in self._entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return "".join(self._plain), sorted(self._entities, key=lambda e: (e["offset"], -e["length"]))

    def _add(self, text: str) -> None:
        self._plain.append(text)
        self._length += utf16(text)

    def _start_tag(self) -> None:
        begin = self._at
        tag = _TAG.findall(self._source, begin + 1)[0].lower()
        self._at += 1 + len(tag)
        if self._at == len(self._source):
            raise _cannot_parse(f"Unclosed start tag at byte offset {self._bytes(begin)}")
        if tag not in _TYPES:
            raise _cannot_parse(f'Unsupported start tag "{tag}" at byte offset {self._bytes(begin)}')
        argument = ""
        while not _TAG_END.match(self._source, self._at):
            attribute = _ATTRIBUTE.match(self._source, self._at)
            if attribute is None:
                why = "Unclosed start tag" if self._at == len(self._source) else "Empty attribute name in the tag"
                raise _cannot_parse(f'{why} "{tag}" at byte offset {self._bytes(begin)}')
            value = next((value for value in attribute.groups()[1:] if value is not None), "")
            argument = _argument(tag, attribute.group(1), value) or argument
            self._at = attribute.end()
        self._at = self._source.index(">", self._at) + 1
        if tag == "span" and argument != "tg-spoiler":
            raise _cannot_parse(f'Tag "span" must have class "tg-spoiler" at byte offset {self._bytes(begin)}')
        self._open.append(_Open(tag, argument, self._length, len(self._plain)))

    def _end_tag(self) -> None:
        begin = self._at
        if not self._open:
            raise _cannot_parse(f"Unexpected end tag at byte offset {self._bytes(begin)}")
        closing = _END_TAG.match(self._source, begin)
        if closing is None:
            raise _cannot_parse(f"Unclosed end tag at byte offset {self._bytes(begin)}")
        opened, tag = self._open.pop(), closing.group(1).lower()
        if tag and tag != opened.tag:
            raise _cannot_parse(
                f'Unmatched end tag at byte offset {self._bytes(begin)}, expected "</{opened.tag}>", found "</{tag}>"'
            )
        self._at = closing.end()
        if self._length > opened.offset:
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        place = {"offset": opened.offset, "length": self._length - opened.offset}
        entity: Entity = {"type": _TYPES[opened.tag], **place}
        last = self._entities[-1] if self._entities else {}
        if opened.tag == "a":
            url = checked_link(opened.argument or "".join(self._plain[opened.begin :]))
            if url is None:
                return
            entity["url"] = url
        elif opened.tag == "code" and opened.argument:
            entity["language"] = opened.argument
        elif opened.tag == "blockquote" and opened.argument:
            entity["type"] = "expandable_blockquote"
        elif opened.tag == "tg-emoji":
            if not opened.argument.isdigit():
                raise BotApiError(400, "Bad Request: invalid custom emoji identifier specified")
            entity["custom_emoji_id"] = opened.argument
        elif opened.tag == "pre" and last.get("language") and {**last, **place} == last:
            last["type"] = "pre"
            return
        self._entities.append(entity)

    def _bytes(self, position: int) -> int:
        return len(self._source[:position].encode())


def _character(reference: re.Match[str]) -> str:
    if reference["name"]:
        return _CHARACTERS[reference["name"]]
    code = int(reference["decimal"]) if reference["decimal"] else int(reference["hex"], 16)
    return chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code <= 0xDFFF else ""


def _argument(tag: str, name: str, value: str) -> str:
    """What an attribute says about its tag; empty for one that says nothing."""
    value = _REFERENCE.sub(lambda found: _character(found) or found.group(), value)
    match tag, name:
        case ("a", "href") | ("tg-emoji", "emoji-id") | ("span", "class"):
            return value
        case ("code", "class") if value.startswith("language-"):
            return value.removeprefix("language-")
        case ("blockquote", "expandable"):
            return "1"
    return ""


def _cannot_parse(why: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: can't parse entities: {why}")
