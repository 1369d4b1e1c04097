"""Which checks there are, in which order, and what becomes of one that cannot be made."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import asyncpg
from aiogram.exceptions import AiogramError
from pydantic import ValidationError
from redis.exceptions import AuthenticationError

from app.doctor import receipts, seller, services, storage
from app.doctor.ill import Doubtful, Ill
from app.faults import POSTGRES, REDIS
from app.settings import Settings, faults, read_settings

_TIMEOUT_S = 15

_CHECKS: tuple[tuple[str, str, Callable[[Settings], Awaitable[str]]], ...] = (
    ("postgres", "DATABASE_URL", storage.schema_is_current),
    ("ledger", "DATABASE_URL", storage.balances_are_sums),
    ("work", "DATABASE_URL", storage.nothing_is_stuck),
    ("redis", "REDIS_URL", storage.redis_answers),
    ("seller", "SELLER_NAME", seller.seller_is_named),
    ("telegram", "TELEGRAM_API_URL", services.telegram_knows_us),
    ("telegram webhook", "TELEGRAM_API_URL", services.telegram_reaches_us),
    ("gen-api", "GEN_API_URL", services.gen_api_takes_orders),
    ("stars", "TELEGRAM_API_URL", services.stars_are_told_of),
    ("yookassa", "YOOKASSA_API_URL", services.yookassa_takes_payments),
    ("receipts", "YOOKASSA_VAT_CODE", receipts.receipts_are_of_today),
    ("yookassa webhook", "YOOKASSA_API_URL", services.yookassa_address),
)
"""Each with the variable that holds its address. A fault would explain the ones after it, hence the order."""

_OF_A_WAY_TO_PAY = {"stars": "stars", "yookassa": "yookassa", "receipts": "yookassa", "yookassa webhook": "yookassa"}
"""Checks that are made where PAYMENTS names that way."""


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the report: what was looked at, whether it is well, and what was found or is to be done.

    `doubtful`: well, but to be looked at.
    """

    name: str
    ok: bool
    text: str
    doubtful: bool = False


async def examine() -> list[Check]:
    """Every check. Where the settings are incomplete, each fault is one, and nothing else can be asked."""
    try:
        settings = read_settings()
    except ValidationError as error:
        return [Check("settings", False, f"{name}: {text}" if name else text) for name, text in faults(error)]
    checks = [check for check in _CHECKS if _OF_A_WAY_TO_PAY.get(check[0], settings.payments[0]) in settings.payments]
    return [Check("settings", True, "complete"), *[await _check(*check, settings) for check in checks]]


async def _check(name: str, address: str, look: Callable[[Settings], Awaitable[str]], settings: Settings) -> Check:
    ok = doubtful = False
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            text = await look(settings)
            ok = True
    except Ill as error:
        text = str(error)
    except Doubtful as error:
        text, ok, doubtful = str(error), True, True
    except (asyncpg.InvalidAuthorizationSpecificationError, AuthenticationError):
        text = f"refuses the user or the password: check {address}"
    except asyncpg.InvalidCatalogNameError:
        text = f"has no such database: check {address}"
    except (*POSTGRES, *REDIS) as error:
        text = f"does not answer ({type(error).__name__}): check {address}, and whether it runs"
    except (AiogramError, aiohttp.ClientError, ValueError) as error:
        text = f"does not answer as it should ({type(error).__name__}): check {address}, or try again later"
    except Exception as error:  # a check that fails in a way that nobody thought of is a failed check
        text = f"the check itself failed ({type(error).__name__}): check {address}"
    # What others say may hold line breaks, and a check is one line.
    return Check(name, ok, " ".join(text.split()), doubtful)
