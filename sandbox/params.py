"""A Bot API method's parameters, whichever way they came, and the error it is answered with."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from sandbox.server import sized


class BotApiError(Exception):
    """An answer with ok=false; `retry_after` in seconds goes with a 429."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code, self.description, self.retry_after = code, description, retry_after


@dataclass
class Upload:
    """A file that came with a call."""

    name: str
    data: bytes


@dataclass
class Params:
    """Texts (or JSON values) and files by name."""

    values: dict[str, Any]
    files: dict[str, Upload]

    def text(self, name: str) -> str:
        """The value as text; empty where there is none."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str) -> bool:
        """What the Bot API takes for true."""
        return self.text(name).lower() in ("true", "yes", "1")

    def number(self, name: str) -> int:
        """0 for what is missing or no number, as the Bot API reads it."""
        try:
            return int(self.values[name])
        except (KeyError, TypeError, ValueError):
            return 0

    def parsed(self, name: str, kind: str) -> Any:
        """A JSON value, None where there is none; 400 that speaks of `kind` for broken JSON."""
        value = self.values.get(name)
        try:
            return (json.loads(value) if value else None) if isinstance(value, str) else value
        except ValueError:
            raise BotApiError(400, f"Bad Request: can't parse {kind} JSON object") from None

    def shown(self) -> dict[str, Any]:
        """For the journal: a file stands as its name and size."""
        return {**self.values, **{name: sized(file.name, len(file.data)) for name, file in self.files.items()}}

    def upload(self, name: str) -> Upload | None:
        """The file under that name, or under the name that `attach://` gives."""
        return self.files.get(name) or self.files.get(self.text(name).removeprefix("attach://"))


async def of_request(request: web.Request) -> Params:
    """The parameters of a call: query string, JSON, form or multipart."""
    values: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            body = None
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


async def of_answer(answer: aiohttp.ClientResponse) -> Params:
    """The parameters of the method in a webhook's answer; none where there is no method."""
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
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return Params(body if isinstance(body, dict) else {}, {})
