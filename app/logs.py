"""Logging: structlog for ours, the standard library's records through the same pipe; no secret at any level."""

import logging
import sys
from collections.abc import Callable, Sequence

import sentry_sdk
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.settings import Settings


def configure(settings: Settings) -> None:
    """Sets the process's logging up: JSON lines for machines, or a coloured console for people.

    With `SENTRY_DSN` set, errors go to Sentry as well, without local variables.
    """
    if settings.sentry_dsn:
        sentry_sdk.init(settings.sentry_dsn, include_local_variables=False, send_default_pii=False)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
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
                _blot(settings.secrets),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("aiogram.event", "urllib3", "PIL", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _blot(secrets: Sequence[str]) -> Callable[[WrappedLogger, str, EventDict], str]:
    """Blots secrets out of the finished line, wherever in it a library has put them."""

    def processor(_: WrappedLogger, __: str, line: EventDict) -> str:
        text = str(line)
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return processor
