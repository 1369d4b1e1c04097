"""A till as the purchases see it: how a charge is made and read, whoever takes the money."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol
from uuid import UUID

DEADLINE_S = 8.0
"""One deadline over a whole call of a gateway, under SIGTERM's 10 s."""


class Unavailable(Exception):
    """No usable answer: what was asked may have happened or not; the same request and key may be sent again."""


class Refused(Exception):
    """What was asked certainly did not happen. `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status


class AddressRefused(Refused):
    """What was asked certainly did not happen, and the buyer's own address may be why."""


class Status(StrEnum):
    """How a charge stands, in one vocabulary for all gateways."""

    PENDING = "pending"
    PAID = "paid"
    CANCELED = "canceled"
    ODD = "odd"
    """None that a charge of ours can come into: nothing is done about it."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as its gateway tells it. `amount` and `refunded` (so far) are in minor units of `currency`: kopecks for
    RUB, Stars for XTR. `payment_id` and `user_id` are ours, as the gateway gives them back; `url` is where to pay.
    """

    id: str
    status: Status
    amount: int
    currency: str
    shop_id: str
    test: bool
    payment_id: UUID | None
    user_id: int | None
    url: str | None
    refunded: int
    cancel_reason: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that went back for a charge, or is going (`done` is false); `amount` in minor units."""

    id: str
    charge_id: str
    amount: int
    done: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What a charge is to be made for; `amount` in minor units, `return_url` where the person goes after paying,
    `email` where they want the receipt, None where they do not say."""

    payment_id: UUID
    user_id: int
    amount: int
    description: str
    return_url: str
    email: str | None = None


class Lane(Enum):
    """Who waits for a call; none of them can take the places of another."""

    PRESS = "press"
    POLL = "poll"
    NOTIFICATION = "notification"


class Till(Protocol):
    """Who takes money: `name` stands in `payments.gateway`; `shop_id` and `test` say whose till it is."""

    @property
    def name(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def shop_id(self) -> str: ...
    @property
    def test(self) -> bool: ...


class Gateway(Till, Protocol):
    """A till that has charges made and read."""

    def request(self, order: Order) -> str:
        """The very text that `create` sends: it is stored first, so that a repetition sends the same."""
        ...

    def address_in(self, request: str) -> str | None:
        """The buyer's own address in a request: what it is refused for may be that person's alone."""
        ...

    async def create(self, request: str, key: str, lane: Lane) -> Charge:
        """Makes the charge; the same request and key make no second one. Raises Refused or Unavailable."""
        ...

    async def read(self, charge_id: str, lane: Lane) -> Charge | None:
        """The charge as it stands; None where there is none. Raises Unavailable."""
        ...

    async def read_refund(self, refund_id: str, lane: Lane) -> Refund | None:
        """A refund; None where there is none, or it came to nothing. Raises Unavailable."""
        ...
