"""«✅»: the price is debited and the order queued, both or neither, once a card."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

import structlog

from app.catalog import MODELS, Model
from app.db import connection, transaction
from app.flows.orders.waiting import first_look_s
from app.metrics import Metrics
from app.repo import breakers, credits, generations, users
from app.repo.credits import Reason
from app.repo.generations import NewOrder
from app.repo.records import Connection, Pool
from app.settings import Settings

log = structlog.get_logger()

LAST_CALL_S = 90.0
"""Nothing is submitted when less than this, or than a tenth of it, is left until the deadline: a picture takes time."""


class Placed(Enum):
    """What became of a press on «✅»."""

    ORDERED = "ordered"
    ALREADY = "already"
    TOO_FEW = "too_few"
    BUSY = "busy"
    PROVIDER_DOWN = "provider_down"
    MODEL_OFF = "model_off"
    PRICE_CHANGED = "price_changed"


@dataclass(frozen=True, slots=True)
class Card:
    """What the person chose; `key` names the card, and so the order. `sources` are file ids at Telegram.

    No quality, or one that the model does not have, is the model's lowest; sources beyond what it takes are left out.
    `price` is what the pressed button said, in credits: at any other price nothing is ordered. None: whatever it costs.
    """

    key: str
    model: str
    size: str
    prompt: str
    sources: tuple[str, ...]
    message_id: int | None
    quality: str | None = None
    style: str | None = None
    price: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """The outcome of a press, the person's balance after it, what the order costs, and the order that was placed.

    `ahead`: queued orders before it. `offer`: where the model is off, those that may be chosen in its place.
    """

    outcome: Placed
    balance: int
    price: int = 0
    generation_id: UUID | None = None
    ahead: int = 0
    offer: tuple[str, ...] = ()


class Ordering:
    """Places orders, and says which models they can be placed with."""

    def __init__(self, pool: Pool, settings: Settings, metrics: Metrics, wake_submit: Callable[[], None]) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._wake_submit = wake_submit

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are sold, the one that a card starts with first, whether they are on or off."""
        first = self._settings.default_model
        return (first, *(key for key in self._settings.models if key != first))

    async def models_on(self) -> tuple[str, ...]:
        """Those of `models` that are not switched off; a new card starts with the first."""
        async with connection(self._pool) as conn:
            return await self._models_on(conn)

    async def _models_on(self, conn: Connection) -> tuple[str, ...]:
        off = await breakers.off(conn, self.models)
        return tuple(key for key in self.models if key not in off)

    async def placed(self, user_id: int, card_key: str) -> bool:
        """Whether an order was made from this card."""
        async with connection(self._pool) as conn:
            return await generations.find_order(conn, card_key, user_id) is not None

    async def place(self, user_id: int, card: Card, usual_s: float | None = None) -> Placement:
        """Debits the price and queues the order, both or neither; once a card.

        `usual_s`: the seconds that such a picture takes at present, where that is known. The caller tells the person
        how the order stands, and has 20 s for it.
        """
        async with transaction(self._pool) as conn:
            balance = await users.lock(conn, user_id) or 0
            placement = await self._place(conn, user_id, balance, card, usual_s)
        self._metrics.orders.labels(placement.outcome.value).inc()
        if placement.outcome is Placed.ORDERED:
            ref = str(placement.generation_id)
            log.info("order.placed", user_id=user_id, generation_id=ref, model=card.model, credits=placement.price)
            self._wake_submit()
        elif placement.outcome is not Placed.ALREADY:
            log.info("order.declined", user_id=user_id, model=card.model, reason=placement.outcome.value)
        return placement

    async def _place(
        self, conn: Connection, user_id: int, balance: int, card: Card, usual_s: float | None
    ) -> Placement:
        if await generations.find_order(conn, card.key, user_id):
            return Placement(Placed.ALREADY, balance)
        if card.model not in self.models or card.size not in MODELS[card.model].sizes:
            return Placement(Placed.MODEL_OFF, balance, offer=await self._models_on(conn))
        model = MODELS[card.model]
        price = model.quality(card.quality).price
        if card.price not in (None, price):
            return Placement(Placed.PRICE_CHANGED, balance, price)
        if balance < price:
            return Placement(Placed.TOO_FEW, balance, price)
        limit = self._settings.max_waiting_orders
        ahead = await generations.waiting(conn, limit)
        if ahead >= limit:
            return Placement(Placed.BUSY, balance)
        circuits = {
            breakers.PROVIDER: breakers.TRIAL_EVERY_S,
            breakers.of_model(model.key): breakers.MODEL_TRIAL_EVERY_S,
        }
        refusing = await breakers.refusing(conn, circuits)
        if refusing == breakers.PROVIDER:
            return Placement(Placed.PROVIDER_DOWN, balance)
        if refusing:
            return Placement(Placed.MODEL_OFF, balance, offer=await self._models_on(conn))
        generation_id = await generations.insert(conn, self._order(user_id, card, model, ahead, usual_s))
        if generation_id is None:
            return Placement(Placed.ALREADY, balance)
        after = await credits.debit(conn, user_id, price, Reason.ORDER, str(generation_id))
        if after is None:
            raise RuntimeError("a locked balance changed")
        return Placement(Placed.ORDERED, after, price, generation_id, ahead)

    def _order(self, user_id: int, card: Card, model: Model, ahead: int, usual_s: float | None) -> NewOrder:
        quality = model.quality(card.quality)
        sources = card.sources[: model.most_sources]
        deadline_s = self._settings.generation_deadline_s
        return NewOrder(
            user_id,
            card.key,
            model.key,
            card.size,
            quality.price,
            card.prompt,
            sources,
            card.message_id,
            deadline_s,
            deadline_s - min(LAST_CALL_S, deadline_s / 10),
            quality.key,
            card.style,
            json.dumps(model.request(card.size, quality.key)),
            hidden=_is_new(card, len(sources)),
            told_place=ahead + 1 if ahead else None,
            look_s=first_look_s(ahead, usual_s),
        )


def _is_new(card: Card, sources: int) -> bool:
    """Whether the version before, which may run beside this one, would build another request or none."""
    one_picture = sources == 1 and card.style is None
    return not (card.model == "gpt-image-1" and card.size in ("512x512", "1024x1024") and one_picture)
