"""Logging: structlog for ours, the standard library's records through the same pipe; no secret at any level.

What happens is named in docs/events.md; a line bears the ids that are bound where it is written.
"""

import base64
import json
import logging
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import sentry_sdk
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from sentry_sdk.integrations.atexit import AtexitIntegration
from structlog.typing import EventDict, Processor, WrappedLogger

from app.proofs import telegram_secret
from app.settings import Settings

type Blot = Callable[[str], str]

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
    shared.append(structlog.processors.format_exc_info)
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
                render,
                lambda _logger, _method, line: blot(str(line)),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    for noisy in ("aiogram.event", "urllib3", "PIL", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


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
    spelled = {spelling for secret in plain for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
    # The longest first: one may be a part of another
    secrets = sorted(spelled, key=len, reverse=True)

    def blot(text: str) -> str:
        # Half a surrogate pair cannot be written to a stream; strangers may send one.
        text = text.encode("utf-8", "backslashreplace").decode()
        for secret in secrets:
            text = text.replace(secret, "***")
        return _PROOF.sub("***", text) if "proof=" in text else text

    return blot


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
        before_send=lambda event, _hint: _blotted(event, blot),
    )


def _blotted(value: Any, blot: Blot) -> Any:
    if isinstance(value, dict):
        return {key: _blotted(item, blot) for key, item in value.items()}
    if isinstance(value, list):
        return [_blotted(item, blot) for item in value]
    return blot(value) if isinstance(value, str) else value


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
