"""Purchases: a link to pay, a credit for every payment, once, and what a refund takes back."""

from collections.abc import Callable

from app.flows.purchases.ask import Asking
from app.flows.purchases.checkout import Checkout
from app.flows.purchases.notified import Notified
from app.flows.purchases.poll import Poll
from app.flows.purchases.refunds import Refunds
from app.flows.purchases.settle import Settlement
from app.flows.purchases.tills import OtherTills
from app.gateways.port import Gateway
from app.metrics import Metrics
from app.repo.records import Pool
from app.settings import Settings


class Purchases:
    """The ways into a purchase, all of which end in the same settlement."""

    def __init__(
        self, pool: Pool, settings: Settings, metrics: Metrics, gateway: Gateway, wake_delivery: Callable[[], None]
    ) -> None:
        settlement = Settlement(pool, settings, metrics, wake_delivery)
        asking = Asking(pool, settings, metrics, gateway, settlement, wake_delivery)
        refunds = Refunds(pool, settings, metrics, gateway, wake_delivery)
        self.checkout = Checkout(pool, metrics, gateway, asking)
        self.notified = Notified(pool, gateway, asking, refunds)
        self.poll = Poll(pool, settings, metrics, gateway, asking, refunds)
        self.tills = OtherTills(pool, settings, gateway, wake_delivery)
