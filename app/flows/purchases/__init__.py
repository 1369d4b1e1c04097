"""Purchases: a link or an invoice to pay, a credit for every payment, once, and what a refund takes back."""

from collections.abc import Callable

from app.flows.purchases.ask import Asking
from app.flows.purchases.charge_list import ChargeList
from app.flows.purchases.charges import Charges
from app.flows.purchases.checkout import Checkout
from app.flows.purchases.invoices import Invoices
from app.flows.purchases.notified import Notified
from app.flows.purchases.poll import Poll
from app.flows.purchases.refunds import Refunds
from app.flows.purchases.settle import Settlement
from app.flows.purchases.tills import OtherTills
from app.gateways.port import Gateway
from app.gateways.stars import Stars
from app.metrics import Metrics
from app.repo.records import Pool
from app.settings import Settings


class Links:
    """Purchases through a gateway that has charges made and read: a link to pay."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        metrics: Metrics,
        gateway: Gateway,
        settlement: Settlement,
        wake_delivery: Callable[[], None],
    ) -> None:
        asking = Asking(pool, settings, metrics, gateway, settlement, wake_delivery)
        refunds = Refunds(pool, settings, metrics, gateway, wake_delivery)
        self.checkout = Checkout(pool, metrics, gateway, asking)
        self.notified = Notified(pool, gateway, asking, refunds)
        self.poll = Poll(pool, settings, metrics, gateway, asking, refunds)


class Purchases:
    """The ways into a purchase, all of which end in the same settlement.

    `gateway`: None where PAYMENTS names none that gives links. Stars are there whatever PAYMENTS says: an invoice that
    was sent before may be paid after. `desk`: connections that nothing else takes.
    """

    def __init__(
        self,
        pool: Pool,
        desk: Pool,
        settings: Settings,
        metrics: Metrics,
        gateway: Gateway | None,
        stars: Stars,
        wake_delivery: Callable[[], None],
        wake_list: Callable[[], None],
    ) -> None:
        settlement = Settlement(pool, settings, metrics, wake_delivery)
        self.links = Links(pool, settings, metrics, gateway, settlement, wake_delivery) if gateway else None
        self.invoices = Invoices(pool, desk, metrics, stars, sold="stars" in settings.payments)
        self.charges = Charges(pool, settings, stars, settlement, wake_delivery, wake_list)
        self.charge_list = ChargeList(pool, settings, metrics, stars, self.charges)
        self.tills = OtherTills(pool, settings, (gateway, stars) if gateway else (stars,), wake_delivery)
        self.currency = (gateway or stars).currency
        """What plans are priced in before the way to pay is chosen."""
