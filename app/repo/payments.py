"""Purchases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_INSERT = query("payments.insert")
_OPEN_OF_PLAN = query("payments.open_of_plan")
_BY_PROVIDER = query("payments.by_provider")
_BY_ID = query("payments.by_id")
_BEGIN_ATTEMPT = query("payments.begin_attempt")
_LINK = query("payments.link")
_REFUSE = query("payments.refuse")
_BACK_OFF = query("payments.back_off")
_SUCCEED = query("payments.succeed")
_CANCEL = query("payments.cancel")
_REVIEW = query("payments.review")
_CLAIM = query("payments.claim")
_OF_OTHER_TILLS = query("payments.of_other_tills")
_ABANDON = query("payments.abandon")
_REFUND = query("payments.refund")
_DEBTS = query("payments.debts")
_SETTLE_DEBT = query("payments.settle_debt")
_NEWEST = query("payments.newest")
_FIRST_THROUGH = query("payments.first_through")
_WIPE_ADDRESSES = query("payments.wipe_addresses")
_WITH_FORGOTTEN_ADDRESSES = query("payments.with_forgotten_addresses")


@dataclass(frozen=True, slots=True)
class Purchase:
    """A row of `payments`; `amount` and `refunded` in minor units of `currency`, `request` as it is sent.

    `link_age_s` is 0 where there is no link yet.
    """

    id: UUID
    user_id: int
    plan: str
    credits: int
    amount: int
    currency: str
    gateway: str
    shop_id: str
    test: bool
    status: str
    request: str
    attempts: int
    provider_id: str | None
    confirmation_url: str | None
    refunded: int
    credits_taken: int
    credits_short: int
    link_age_s: float

    @property
    def over(self) -> bool:
        """Whether its gateway has said all that it can say of it: canceled, or refunded to the last kopeck.

        What was canceled because a call was refused has no charge, and one may yet be found.
        """
        return self.status == "refunded" or (self.status == "canceled" and self.provider_id is not None)


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase about to be made at a gateway."""

    id: UUID
    user_id: int
    plan: str
    credits: int
    amount: int
    currency: str
    gateway: str
    shop_id: str
    test: bool
    request: str


@dataclass(frozen=True, slots=True)
class Debt:
    """Credits that a refund is `short` of, beside those `taken`; `refunded` in minor units."""

    payment_id: UUID
    refunded: int
    taken: int
    short: int


@dataclass(frozen=True, slots=True)
class OtherTill:
    """How many purchases of another account than those in use are open."""

    gateway: str
    shop_id: str
    test: bool
    open: int


async def insert(conn: Connection, new: NewPurchase, retry_after_s: float) -> Purchase:
    """Stores a purchase as `new`, its first create call counted as begun."""
    row = await conn.fetchrow(
        _INSERT,
        new.id,
        new.user_id,
        new.plan,
        new.credits,
        new.amount,
        new.currency,
        new.gateway,
        new.shop_id,
        new.test,
        new.request,
        retry_after_s,
    )
    assert row is not None
    return Purchase(**row)


async def open_of_plan(
    conn: Connection, user_id: int, plan: str, gateway: str, shop_id: str, test: bool
) -> Purchase | None:
    """The person's open purchase of a plan at this till."""
    row = await conn.fetchrow(_OPEN_OF_PLAN, user_id, plan, gateway, shop_id, test)
    return Purchase(**row) if row else None


async def by_provider(conn: Connection, gateway: str, provider_id: str) -> Purchase | None:
    """A purchase by its gateway's id."""
    row = await conn.fetchrow(_BY_PROVIDER, gateway, provider_id)
    return Purchase(**row) if row else None


async def by_id(conn: Connection, payment_id: UUID) -> Purchase | None:
    """A purchase by our id."""
    row = await conn.fetchrow(_BY_ID, payment_id)
    return Purchase(**row) if row else None


async def begin_attempt(conn: Connection, payment_id: UUID, retry_after_s: float) -> bool:
    """Counts another create call before it is made; False for what is no longer new."""
    return await conn.fetchval(_BEGIN_ATTEMPT, payment_id, retry_after_s) is not None


async def link(
    conn: Connection,
    payment_id: UUID,
    provider_id: str,
    url: str | None,
    poll_after_s: float,
    created_at: datetime | None,
) -> bool:
    """new → pending; `created_at` is the gateway's time of the link, None where it does not say."""
    return await conn.fetchval(_LINK, payment_id, provider_id, url, poll_after_s, created_at) is not None


async def refuse(conn: Connection, payment_id: UUID, reason: str) -> bool:
    """new → canceled, when the first create call was refused for certain."""
    return await conn.fetchval(_REFUSE, payment_id, reason) is not None


async def back_off(conn: Connection, payment_id: UUID, retry_after_s: float) -> None:
    """Puts the next create call off, ever further: this one, which was not the first, was refused."""
    await conn.execute(_BACK_OFF, payment_id, retry_after_s)


async def succeed(conn: Connection, payment_id: UUID, provider_id: str) -> bool:
    """new | pending | abandoned → succeeded."""
    return await conn.fetchval(_SUCCEED, payment_id, provider_id) is not None


async def cancel(conn: Connection, payment_id: UUID, provider_id: str, reason: str) -> bool:
    """new | pending → canceled."""
    return await conn.fetchval(_CANCEL, payment_id, provider_id, reason) is not None


async def review(conn: Connection, payment_id: UUID, provider_id: str, reason: str) -> bool:
    """new | pending | abandoned → review."""
    return await conn.fetchval(_REVIEW, payment_id, provider_id, reason) is not None


async def claim(
    conn: Connection, limit: int, poll_after_s: float, gateway: str, shop_id: str, test: bool
) -> list[UUID]:
    """Takes up to `limit` open purchases of this till whose turn it is."""
    return [row["id"] for row in await conn.fetch(_CLAIM, limit, poll_after_s, gateway, shop_id, test)]


async def of_other_tills(conn: Connection, used: Sequence[tuple[str, str, bool]]) -> list[OtherTill]:
    """Open purchases that were made through another till than these: gateway, shop, whether it is a test's."""
    gateways, shops, tests = zip(*used, strict=True)
    return [OtherTill(**row) for row in await conn.fetch(_OF_OTHER_TILLS, gateways, shops, tests)]


async def abandon(conn: Connection, payment_id: UUID) -> bool:
    """new → abandoned, once its key is about to lose its meaning."""
    return await conn.fetchval(_ABANDON, payment_id) is not None


async def refund(conn: Connection, payment_id: UUID, refunded: int, taken: int, short: int) -> bool:
    """Notes what was refunded so far, in minor units, and the credits taken and missing for it."""
    return await conn.fetchval(_REFUND, payment_id, refunded, taken, short) is not None


async def debts(conn: Connection, user_id: int) -> list[Debt]:
    """What the person's refunds are still short of, oldest purchase first."""
    return [Debt(**row) for row in await conn.fetch(_DEBTS, user_id)]


async def settle_debt(conn: Connection, payment_id: UUID, taken: int) -> None:
    """Notes that credits which came later were taken for a refund. Raises RuntimeError for more than it is short of."""
    if await conn.fetchval(_SETTLE_DEBT, payment_id, taken) is None:
        raise RuntimeError("more was to be taken than a refund is short of")


async def newest(conn: Connection, user_id: int, gateway: str) -> Purchase | None:
    """The person's newest purchase through a gateway."""
    row = await conn.fetchrow(_NEWEST, user_id, gateway)
    return Purchase(**row) if row else None


async def first_through(conn: Connection, user_id: int, payment_id: UUID, gateway: str) -> bool:
    """Whether a payment is the person's first that was paid through its gateway."""
    first: bool = await conn.fetchval(_FIRST_THROUGH, user_id, payment_id, gateway)
    return first


async def wipe_addresses(conn: Connection, user_id: int) -> None:
    """Takes the address for receipts out of the person's requests, but for one that may have to be sent again."""
    await conn.execute(_WIPE_ADDRESSES, user_id)


async def with_forgotten_addresses(conn: Connection, limit: int) -> list[int]:
    """Who wished to be forgotten and has an address left in a request that is not sent any more."""
    return [row["id"] for row in await conn.fetch(_WITH_FORGOTTEN_ADDRESSES, limit)]
