"""Telegram's list of Stars, read on and on: what no update told of is found there."""

from collections.abc import Sequence

import structlog

from app.db import connection
from app.faults import TELEGRAM
from app.flows.purchases.charges import Charges
from app.flows.purchases.settle import Source
from app.gateways.port import Unavailable
from app.gateways.stars import PAGE, Stars, told_in
from app.metrics import Metrics
from app.repo import charges
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()

_AGAIN = 50
"""So many entries that were read are read once more: one may have come in before another that was there already."""

_LATER: tuple[type[Exception], ...] = (Unavailable, *TELEGRAM)

_PAGES = 20
"""A turn reads no more; the next one goes on where it ended."""


class ChargeList:
    """Reads the list on from where it was read to, by one replica at a time and a page or two a turn."""

    def __init__(self, pool: Pool, settings: Settings, metrics: Metrics, stars: Stars, told: Charges) -> None:
        self._pool = pool
        self._metrics = metrics
        self._stars = stars
        self._charges = told
        self._sold = "stars" in settings.payments
        self._every_s = settings.payment_poll_after_s

    async def claim(self, limit: int) -> Sequence[int]:
        """How far the list was read, where it is time to read on; nothing while Stars were never taken."""
        async with connection(self._pool) as conn:
            position = await charges.claim(conn, self._stars.shop_id, self._sold, self._every_s)
        return () if position is None else (position,)

    async def read_on(self, position: int) -> None:
        """Takes every charge and refund that is not in the books; then ends invoices that nobody has paid for a day."""
        offset = max(0, position - _AGAIN)
        try:
            for _ in range(_PAGES):
                read = await self._page(offset)
                offset += read
                # A list that is shorter than what was read of it was begun anew
                await self._advance(offset if offset >= position else 0)
                if read < PAGE:
                    break
        except _LATER as error:
            log.warning("stars.not_read", error=repr(error))
        async with connection(self._pool) as conn:
            ended = await charges.abandon(conn, self._stars.name)
        self._metrics.payments.labels("abandoned").inc(ended)

    async def _page(self, offset: int) -> int:
        """Takes what is new on a page; how many entries it had."""
        with self._metrics.outside_call(self._stars.name, "list"):
            entries = await self._stars.entries(offset)
        told = [one for entry in entries if (one := told_in(entry)) is not None]
        async with connection(self._pool) as conn:
            known = await charges.known(conn, self._stars.name, [one.id for one in told])
        for one in told:
            if one.id not in known or (one.refunded and not known[one.id]):
                await self._charges.take(one, Source.LIST)
        return len(entries)

    async def _advance(self, position: int) -> None:
        async with connection(self._pool) as conn:
            await charges.advance(conn, self._stars.shop_id, position)
