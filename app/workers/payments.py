"""The worker that asks about open payments, whose notifications may be lost."""

from uuid import UUID

from app.flows.billing import Billing
from app.settings import Settings
from app.workers.loop import Worker


def payments_worker(billing: Billing, settings: Settings) -> Worker[UUID]:
    """Repeats unanswered create calls and asks how payments stand; four at once, to leave YooKassa's threads free."""
    return Worker("payments", billing.claim, billing.reconcile, 4, settings.worker_tick_s)
