"""Open purchases that were made through another account than the one in use: nobody asks about them any more."""

from collections.abc import Callable, Sequence

import structlog

from app.db import connection, transaction
from app.flows import alerts
from app.gateways.port import Till
from app.notices import OtherTillOpen
from app.repo import payments
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()


class OtherTills:
    """Tells the operators, who changed the settings, what is left of the account before."""

    def __init__(
        self, pool: Pool, settings: Settings, tills: Sequence[Till], wake_delivery: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._tills = tills
        self._wake_delivery = wake_delivery

    async def tell(self) -> None:
        """Owes one alert for each such account; the same number of purchases is told once."""
        used = [(till.name, till.shop_id, till.test) for till in self._tills]
        async with connection(self._pool) as conn:
            found = await payments.of_other_tills(conn, used)
        if not found:
            return
        async with transaction(self._pool) as conn:
            for other in found:
                kind = "test" if other.test else "live"
                ref = f"{other.gateway}:{other.shop_id}:{kind}:{other.open}"
                alert = OtherTillOpen(ref, f"{other.shop_id} ({kind})", other.open)
                await alerts.owe(conn, self._settings.admin_ids, alert)
                log.warning("payment.other_till", shop_id=other.shop_id, test=other.test, payments=other.open)
        self._wake_delivery()
