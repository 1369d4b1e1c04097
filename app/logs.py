"""Logging: structlog for ours, the standard library's records through the same pipe; no secret at any level.

What happens is named in docs/events.md; a line bears the ids that are bound where it is written.
"""

import base64
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import asyncpg
import sentry_sdk
import structlog
from aiogram.exceptions import ClientDecodeError
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError
from sentry_sdk.integrations.atexit import AtexitIntegration
from structlog.typing import EventDict, Processor, WrappedLogger

from app.proofs import telegram_secret
from app.settings import Settings

type Blot = Callable[[str], str]

LINE_LIMIT = 8000
"""No line is longer, in bytes: what reads lines cuts them, or drops them."""

_VALUE_LIMITS = (2000, 500, 100)
"""Letters of one value; the first at which the line fits is taken."""
_PROOF = re.compile(r"(?<=proof=)[0-9a-f]+")
_SENT_TO_SENTRY = (
    "generation_id",
    "outbox_id",
    "payment_id",
    "provider",
    "reason",
    "request_id",
    "status",
    "update_id",
    "user_id",
    "worker",
)
"""Fields that hold nothing that people or services have written."""


def configure(settings: Settings) -> None:
    """Sets the process's logging up: JSON lines for machines, or a coloured console for people.

    With `SENTRY_DSN` set, errors go to Sentry as well: type, text and stack, the event's name and its ids.
    """
    blot = blotter(settings)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.sentry_dsn:
        _init_sentry(settings, blot)
        shared.append(_send_error)
    shared.append(structlog.processors.ExceptionRenderer(_trace))
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if settings.log_format == "console":
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the rich one prints locals, and so secrets
        )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _line(render, blot),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    for noisy in ("aiogram.event", "urllib3", "pyvips", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _line(render: Processor, blot: Blot) -> Processor:
    """Renders an event as a text of at most LINE_LIMIT bytes without secrets."""

    def line(logger: WrappedLogger, method: str, event: EventDict) -> str:
        whole = blot(str(render(logger, method, dict(event))))
        if len(whole) <= _VALUE_LIMITS[0] and "\\" not in whole:
            # Nothing in it is escaped: what was to be blotted stood there as it is
            return whole
        # Before anything is cut or escaped once more: a secret would not be found any more
        blotted = _blotted(dict(event), blot)
        for limit in _VALUE_LIMITS:
            shortened = {name: _shortened(value, limit) for name, value in blotted.items()}
            text = blot(str(render(logger, method, shortened)))
            if len(text.encode()) <= LINE_LIMIT:
                return text
        bare = {name: _shortened(blotted[name], 100) for name in ("event", "level", "timestamp") if name in blotted}
        return blot(str(render(logger, method, {**bare, "cut": True})))

    return line


def _shortened(value: Any, limit: int) -> Any:
    """The value where its text has at most `limit` letters, else its two ends: of a stack the last lines tell most."""
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit:
        return value
    return f"{text[: limit // 3]} …[{len(text) - limit} letters]… {text[limit // 3 - limit :]}"


def _trace(exc_info: structlog.typing.ExcInfo) -> str:
    """The stacks of an exception and of what caused it, and what each says without anybody's words."""
    return "\n".join(
        "".join([*traceback.format_tb(error.__traceback__), f"{type(error).__qualname__}: {said(error)}"])
        for error in reversed(list(_chain(exc_info[1])))
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what was behind it, newest first; of a group, each of its errors."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def said(error: BaseException) -> str:
    """What an error says of itself, without the data that it met: that may be a person's description.

    asyncpg puts PostgreSQL's DETAIL (a whole row) into its texts, and quotes values that do not fit; pydantic quotes
    what it could not read, and aiogram an answer that it could not.
    """
    if isinstance(error, asyncpg.DataError):
        return "withheld, it quotes values"
    if isinstance(error, asyncpg.PostgresError):
        return str(error.args[0]) if error.args else ""
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in faults)
    if isinstance(error, ClientDecodeError):
        return f"an answer that cannot be read: {type(error.original).__name__}"
    return str(error)


def _is_ours(record: logging.LogRecord) -> bool:
    """False for what a stranger's broken HTTP makes aiohttp report as an error of the server."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def blotter(settings: Settings) -> Blot:
    """Takes the secrets out of a finished text, wherever in it a library has put them, and in whichever spelling."""
    shop = f"{settings.yookassa_shop_id}:{settings.yookassa_secret_key.get_secret_value()}"
    plain = (
        *settings.secrets,
        telegram_secret(settings.webhook_secret.get_secret_value()),
        base64.b64encode(shop.encode()).decode(),
    )
    # A password in an address is percent-encoded there, and decoded wherever it is used
    plain += tuple(word for word in map(unquote, settings.secrets) if len(word) >= 8)
    spelled = {spelling for secret in plain for spelling in _spellings(secret)}
    # The longest first: one may be a part of another
    secrets = sorted(spelled, key=len, reverse=True)

    def blot(text: str) -> str:
        # Half a surrogate pair cannot be written to a stream; strangers may send one.
        text = text.encode("utf-8", "backslashreplace").decode()
        for secret in secrets:
            text = text.replace(secret, "***")
        return _PROOF.sub("***", text) if "proof=" in text else text

    return blot


def _spellings(secret: str) -> Iterator[str]:
    """As it is, in an address, in JSON, and in what Python quotes."""
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    quoted = repr('"' + secret)[2:-1]
    yield quoted
    # A text is quoted by the other sign where it holds one alone, and that one is not escaped then
    yield quoted.replace("\\'", "'")


def _init_sentry(settings: Settings, blot: Blot) -> None:
    """Sentry's own integrations would send addresses, headers and bodies, and with them secrets and prompts."""
    sentry_sdk.init(
        settings.sentry_dsn,
        default_integrations=False,
        integrations=[AtexitIntegration(callback=lambda _pending, _timeout: None)],
        shutdown_timeout=1,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=lambda event, hint: _blotted(_without_data(event, hint), blot),
    )


def _without_data(event: Any, hint: dict[str, Any]) -> Any:
    """Sentry's event with what `said` leaves of each error's text."""
    if raised := hint.get("exc_info"):
        texts = {str(error): said(error) for error in _chain(raised[1])}
        for entry in event.get("exception", {}).get("values", []):
            entry["value"] = texts.get(entry.get("value"), "withheld")
    return event


def _blotted(value: Any, blot: Blot) -> Any:
    if isinstance(value, dict):
        return {key: _blotted(item, blot) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blotted(item, blot) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return blot(value if isinstance(value, str) else repr(value))


def _send_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if event["level"] in ("error", "critical"):
        exception = event.get("exc_info")
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("event", event["event"])
            scope.set_context("ids", {name: event[name] for name in _SENT_TO_SENTRY if name in event})
            if exception:
                sentry_sdk.capture_exception(None if exception is True else exception)
            else:
                sentry_sdk.capture_message(event["event"], "error")
    return event
