"""The log: ids on every line, no secret in any, and what Sentry is told."""

import ast
import asyncio
import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import sentry_sdk
import structlog
from aiogram.exceptions import ClientDecodeError
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from app import logs
from app.proofs import callback_url, telegram_secret
from app.settings import Settings
from tests.world import World, services, serving

_ROOT = Path(__file__).parents[1]
_LEVELS = ("debug", "info", "warning", "error", "exception")


class Lines(logging.Handler):
    """Keeps what is logged, as it is before it is made a line."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):
            self.all.append(record.msg)

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of this event."""
        return [line for line in self.all if line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


async def test_the_lines_of_an_order_bear_its_ids(bot: World, lines: Lines) -> None:
    """From the press to the picture: one line an event, each with the order and the person."""
    person = bot.person(4711)
    await bot.order(person)
    await bot.told(person, "✅ Готово")
    generation_id = str(await bot.db.fetchval("SELECT id FROM generations"))
    for event in ("order.placed", "order.accepted", "generation.ready", "generation.delivered"):
        [line] = lines.of(event)
        assert (line["generation_id"], line["user_id"]) == (generation_id, 4711), line
    [placed] = lines.of("order.placed")
    assert placed["update_id"]


async def test_a_worker_s_context_does_not_leak_into_the_next_piece(bot: World, lines: Lines) -> None:
    """A message that has no order bears no order's id, and no line of a worker bears an update's."""
    for number in (1, 2):
        person = bot.person(number)
        await bot.order(person)
        await bot.told(person, "✅ Готово")
    owners = {str(row["id"]): row["user_id"] for row in await bot.db.fetch("SELECT id, user_id FROM generations")}
    for line in lines.all:
        if "worker" in line:
            assert "update_id" not in line, line
            if {"generation_id", "user_id"} <= line.keys():
                assert owners[line["generation_id"]] == line["user_id"]


async def test_a_question_whether_it_is_ready_is_no_line_though_the_answer_is_no(
    database_url: str, redis_url: str, lines: Lines
) -> None:
    """Whoever waits asks several times a second; what is missing has lines of its own."""
    async with services(database_url, redis_url) as bot:
        bot.telegram.fault("getMe", times=9, status=401, body={"ok": False, "error_code": 401, "description": "no"})
        async with serving(bot), aiohttp.ClientSession() as client:
            async with client.get(f"{bot.settings.public_url}/readyz") as answer:
                assert answer.status == 503
            await bot.telegram.wait_for(lambda: bot.telegram.called("getMe"))
    [asked] = [line for line in lines.of("http.request") if line["route"] == "/readyz"]
    assert asked["level"] == "debug"
    assert lines.of("telegram.not_registered")


async def test_a_request_is_one_line_without_its_query(bot: World, lines: Lines) -> None:
    """Route, method, status, time and size; the probes of platforms are quiet."""
    generation_id = await bot.db.fetchval("SELECT gen_random_uuid()")
    url = callback_url(bot.settings.public_url, bot.settings.webhook_secret.get_secret_value(), generation_id)
    async with aiohttp.ClientSession() as client:
        for address in (url, bot.settings.public_url + "/healthz", bot.settings.public_url + "/nowhere?proof=abc"):
            async with client.post(address, json={"request_id": 5}) as answer:
                await answer.read()
        async with client.get(bot.settings.public_url + "/healthz") as answer:
            await answer.read()
    seen = {(line["route"], line["status"]): line for line in lines.of("http.request")}
    called = seen["/gen/callback", 200]
    assert called["method"] == "POST"
    assert called["ms"] >= 0
    assert called["bytes"] > 0
    assert "proof" not in str(lines.of("http.request"))
    assert seen["/healthz", 200]["level"] == "debug"
    assert seen["unknown", 404]["level"] == "info"


def _settings(**changes: Any) -> Settings:
    values = {
        "_env_file": None,
        "env": "sandbox",
        "bot_token": "77:a-token-nobody-may-see",
        "public_url": "http://127.0.0.1",
        "webhook_secret": "a-webhook-secret-nobody-may-see-0123",
        "database_url": "postgresql://bot:a%20hidden%2Fpassword@127.0.0.1/bot",
        "gen_api_key": 'a-"quoted"-key',
        "yookassa_shop_id": "1",
        "yookassa_secret_key": "test_nobody-may-see",
    }
    return Settings(**(values | changes))


def test_a_secret_is_blotted_in_every_spelling() -> None:
    """As it is, in an address, in JSON, in a header, and what is derived from it."""
    settings = _settings()
    blot = logs.blotter(settings)
    for text in (
        "http://api/bot77:a-token-nobody-may-see/sendMessage",
        "http://api/bot77%3Aa-token-nobody-may-see/sendMessage",
        json.dumps('Bearer a-"quoted"-key'),
        base64.b64encode(b"1:test_nobody-may-see").decode(),
        telegram_secret("a-webhook-secret-nobody-may-see-0123"),
        "/gen/callback?generation=1&proof=0123456789abcdef",
        "a%20hidden%2Fpassword",
        "password: a hidden/password",
    ):
        blotted = blot(text)
        assert "***" in blotted
        assert not re.search(r"nobody|quoted|hidden|0123|[0-9a-f]{32}|[A-Za-z0-9+/]{20}", blotted), blotted


@contextmanager
def _writing(settings: Settings) -> Iterator[io.StringIO]:
    """What the bot's own logging writes meanwhile."""
    root = logging.getLogger()
    before, level, structure = root.handlers[:], root.level, structlog.get_config()
    logs.configure(settings)
    stream = io.StringIO()
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**structure)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the bot's own logging writes while the test runs."""
    with _writing(_settings()) as stream:
        yield stream


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("secret", ["nobody\\may-see", 'it\'s-"nobody"', 'слово"nobody', "сло\\во-nobody"])
def test_no_line_spells_a_secret_in_a_way_of_its_own(secret: str, log_format: str) -> None:
    """Quotes, strokes and letters of any language are written otherwise by each renderer, and by whoever quotes."""
    settings = _settings(webhook_secret=secret * 4, log_format=log_format)
    with _writing(settings) as stream:
        log, raised = structlog.get_logger("a"), ValueError(secret * 4)
        for value in (secret * 4, f"it's {secret * 4}", repr(raised), json.dumps([secret * 4])):
            log.warning("telegram.not_registered", error=value)
            log.warning("telegram.not_registered", error=[value, (value,), raised])
    lines = stream.getvalue()
    assert lines.count("telegram.not_registered") == 8
    assert "nobody" not in lines


def test_half_a_surrogate_pair_is_written_so_that_every_reader_of_json_takes_it(written: io.StringIO) -> None:
    """Not as an escape of JSON's own: there it stands for no letter, and strict readers drop the line."""
    structlog.get_logger("a").warning("update.flood", text="кот \ud800")
    assert json.loads(written.getvalue())["text"] == "кот \\ud800"


@pytest.mark.parametrize(
    "shape", ["a field", "the event", "many fields", "a structure", "quotes", "half pairs", "a stack"]
)
def test_no_line_is_longer_than_eight_kilobytes(written: io.StringIO, shape: str) -> None:
    """Whatever a proxy or a person sends: the line is still JSON, names its event, and shows no piece of a secret."""
    token = _settings().bot_token.get_secret_value()
    page = "<html>" + "страница" * 25_000
    log = structlog.get_logger("a")
    match shape:
        case "a field":
            # The secret lies where the value is cut
            log.warning("telegram.not_registered", error="x" * 655 + token + page)
        case "the event":
            logging.getLogger("library").error("%s", page)
        case "many fields":
            log.warning("telegram.not_registered", **{f"field{number}": page for number in range(300)})
        case "a structure":
            log.warning("telegram.not_registered", error={"body": [page]})
        case "quotes":
            log.warning("telegram.not_registered", error='"\\' * 100_000)
        case "half pairs":
            log.warning("telegram.not_registered", error="\ud800" * 1500)
        case "a stack":
            try:
                raise RuntimeError(page)
            except RuntimeError:
                log.exception("telegram.not_registered")
    [line] = written.getvalue().splitlines()
    assert len(line.encode()) <= 8000
    assert json.loads(line)["event"].startswith(("telegram.not_registered", "<html>"))
    assert "nobody" not in line
    assert "77:a-" not in line


class _Described(BaseModel):
    prompt: int


async def test_no_description_is_in_a_line(written: io.StringIO, database_url: str) -> None:
    """Neither from PostgreSQL's DETAIL nor from a value that did not fit, was no number, or was an odd answer."""
    prompt = "кот-из-описания"
    log = structlog.get_logger("a")
    db = await asyncpg.connect(database_url)

    async def row() -> None:
        await db.execute("INSERT INTO outbox (chat_id, kind, ref) VALUES (1, NULL, $1)", prompt)

    async def value() -> None:
        await db.execute("SELECT $1::integer", prompt)

    async def text() -> None:
        await db.execute(f"SELECT '{prompt}'::integer")

    async def model() -> None:
        _Described.model_validate({"prompt": prompt})

    async def answer() -> None:
        raise ClientDecodeError("Failed to decode object", ValueError(prompt), {"text": prompt})

    async def behind() -> None:
        try:
            await row()
        except asyncpg.PostgresError as error:
            raise RuntimeError("a bug") from error

    async def among() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(row())

    for broken in (row, value, text, model, answer, behind, among):
        try:
            await broken()
        except Exception:
            log.exception("update.failed", update_id=7)
    await db.close()
    lines = written.getvalue()
    assert lines.count("update.failed") == 7
    assert prompt not in lines
    assert lines.count("NotNullViolationError") == 3
    assert lines.count("test_logs.py") >= 7


async def test_sentry_gets_the_error_and_its_ids_and_no_word_of_anybody() -> None:
    """A stand-in of Sentry receives type, text and stack; no secret, prompt, body, local variable or breadcrumb."""
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def envelope(request: web.Request) -> web.Response:
        await received.put(await request.read())
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/api/1/envelope/", envelope)
    root = logging.getLogger()
    before, level, structure = root.handlers[:], root.level, structlog.get_config()
    async with TestServer(app) as server:
        settings = _settings(sentry_dsn=f"http://key@127.0.0.1:{server.port}/1")
        logs.configure(settings)
        try:
            prompt = "a cat in a local variable"
            try:
                try:
                    raise asyncpg.DataError(f"invalid input for query argument $1: '{prompt}'")
                except asyncpg.DataError as error:
                    raise RuntimeError(f"http://api/bot{settings.bot_token.get_secret_value()}/getFile") from error
            except RuntimeError as error:
                written = {"update_id": 7, "detail": prompt, "user_id": 4711}
                structlog.get_logger("a").error("update.failed", exc_info=error, **written)
            async with asyncio.timeout(10):
                told = (await received.get()).decode()
        finally:
            await asyncio.to_thread(sentry_sdk.get_client().close, 1)
            sentry_sdk.init()
            root.handlers[:] = before
            root.setLevel(level)
            structlog.configure(**structure)
    assert "RuntimeError" in told
    assert '"update.failed"' in told
    assert '"update_id":7' in told.replace(" ", "")
    assert "4711" in told
    for hidden in ("nobody-may-see", '"vars"', '"request"'):
        assert hidden not in told
    event = json.loads(told.splitlines()[2])
    assert event["breadcrumbs"]["values"] == []
    # The line of the test that raises is a line of source like any other
    said = [entry["value"] for entry in event["exception"]["values"]]
    assert len(said) == 2
    assert prompt not in json.dumps({**event, "exception": said})


def _logged() -> dict[str, set[str]]:
    """Every event that the code logs, with the fields that are named where it is logged."""
    found: dict[str, set[str]] = {}
    for path in sorted((_ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if ast.unparse(node.func) == "until_it_works":
                # What it is given as its event, it logs with its own fields
                found.setdefault(ast.unparse(node.args[2]).strip("'"), set()).update({"error", "next_try_s"})
            if not isinstance(node.args[0], ast.Constant):
                continue
            is_log = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "log"
            if (is_log and node.func.attr in _LEVELS) or ast.unparse(node.func) == "write":  # type: ignore[attr-defined]  # checked in the line before
                fields = {word.arg for word in node.keywords if word.arg} - {"exc_info"}
                found.setdefault(str(node.args[0].value), set()).update(fields)
    return found


def test_the_page_of_events_names_what_the_code_logs() -> None:
    """docs/events.md has each event, once, with its fields, and no other."""
    page = (_ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", page, re.MULTILINE)
    named = {name: set(re.findall(r"`(\w+)`", fields)) for name, fields in rows}
    assert len(rows) == len(named)
    assert named == _logged()


def test_event_names_are_in_one_style() -> None:
    """thing.what_happened, in lower case."""
    assert [name for name in _logged() if not re.fullmatch(r"[a-z_]+\.[a-z_0-9]+", name)] == []
