"""The ways through the bot that are walked once for every instant at which it can die on them.

A way is a generator: up to its `yield` the bot lives for certain; behind it every message is a boundary. What it
does behind the `yield` waits for nothing that a dead bot cannot do: Telegram, gen-api and YooKassa go on without it.
`ends` says whether all is over that the way began, for which a way tells in `came` what it still waits for from
outside; `holds` asserts what must be true of it then.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.keyboards import ResultPress
from app.repo import credits
from app.repo.credits import Reason
from sandbox.genapi import Order as Drawn
from sandbox.networks import NETWORKS
from sandbox.stars import Charge
from sandbox.telegram import ChatMessage, Person
from tests.faults.harness import Stage
from tests.world import photograph

_OPEN = """
SELECT 'order ' || status FROM generations WHERE user_id = $1 AND status NOT IN ('delivered', 'failed')
UNION ALL SELECT 'message ' || kind FROM outbox WHERE chat_id = $1 AND status = 'pending'
UNION ALL SELECT 'payment ' || status FROM payments WHERE user_id = $1 AND status = 'new' AND gateway = 'yookassa'
"""


@dataclass
class Way:
    """What one person does, and what must come of it."""

    stage: Stage
    person: Person
    _deliveries: list[asyncio.Future[Any]] = field(default_factory=list)

    def does(self, *actions: Coroutine[Any, Any, Any]) -> None:
        """The person does that; Telegram brings it to the bot until it is taken, whoever lives."""
        self._deliveries += [asyncio.ensure_future(action) for action in actions]

    async def taken(self) -> None:
        """Waits until the bot has taken all that; Telegram goes on bringing it where nobody waits any more."""
        await asyncio.wait(self._deliveries)

    def walk(self) -> AsyncIterator[None]:
        """The way itself."""
        raise NotImplementedError

    async def ends(self) -> bool:
        """Whether nothing of the way is under way.

        The books are looked at last: whatever came before that look stands in them, with all that is owed for it.
        """
        taken = all(delivery.done() for delivery in self._deliveries)
        return taken and await self.came() and not await self.open()

    async def came(self) -> bool:
        """Whether all that comes from outside has come, now that what the person did is taken."""
        return True

    async def open(self) -> list[str]:
        """What the books say that is still to be done."""
        return [row[0] for row in await self.stage.pool.fetch(_OPEN, self.person.id)]

    async def holds(self) -> None:
        """Asserts what must be true at the end."""
        raise NotImplementedError

    def shown(self, text: str = "") -> int:
        """How many messages of the bot hold that text; without one, how many are pictures."""
        theirs = [message for message in self.person.messages if message.outgoing]
        return sum(text in (m.text or "") if text else m.photo is not None for m in theirs)


class Welcome(Way):
    """A person's first message."""

    async def walk(self) -> AsyncIterator[None]:
        yield
        self.does(self.person.send_text("/start"))
        await self.stage.telegram.wait_for(lambda: self.shown("Привет"), 20)

    async def holds(self) -> None:
        assert await self.stage.credits(self.person) == 10


class Order(Way):
    """«✅» on a card, the picture, its delivery."""

    async def walk(self) -> AsyncIterator[None]:
        card = await self.stage.card(self.person)
        yield
        self.does(self.person.press(card.id, "✅"))
        await self.stage.telegram.wait_for(lambda: self.shown("Готово"), 20)

    async def holds(self) -> None:
        orders = await self.stage.pool.fetch("SELECT status FROM generations WHERE user_id = $1", self.person.id)
        assert self.stage.creates(self.person) <= 1
        ends, credits = [row["status"] for row in orders], await self.stage.credits(self.person)
        pictures, told = self.shown(), self.shown("возвращ")
        found = ends, credits, pictures, told
        assert found[:2] in ((["delivered"], 8), (["failed"], 10)), found
        assert 1 <= pictures <= 2 if ends == ["delivered"] else told >= 1, found


class Album(Way):
    """Three pictures sent at once, the card that they gather on, «✅», the picture."""

    async def walk(self) -> AsyncIterator[None]:
        await self.person.send_text("/start")
        yield
        self.does(self.person.send_album([photograph()] * 3, "Коты"))
        await self.stage.telegram.wait_for(self._card, 20)
        await self.taken()
        card = self._card()
        assert card is not None
        self.does(self.person.press(card.id, "✅"))
        await self.stage.telegram.wait_for(lambda: self.shown("Готово"), 20)

    def _card(self) -> ChatMessage | None:
        """The newest card, where all of the album stands on it."""
        cards = [message for message in self.person.messages if message.button("✅")]
        return cards[-1] if cards and "Картинки: 3" in (cards[-1].text or "") else None

    async def holds(self) -> None:
        orders = await self.stage.pool.fetch(
            "SELECT status, cardinality(sources) AS pictures FROM generations WHERE user_id = $1", self.person.id
        )
        found = [(row["status"], row["pictures"]) for row in orders], await self.stage.credits(self.person)
        assert found in (([], 10), ([("delivered", 3)], 8), ([("failed", 3)], 10)), found
        assert orders or self._card(), "an album in pieces"
        assert self.stage.creates(self.person) <= 1
        assert 1 <= self.shown() <= 2 if found[1] == 8 else self.shown("возвращ") >= len(orders)


class Original(Way):
    """«📎» under a picture, its untouched file."""

    async def walk(self) -> AsyncIterator[None]:
        await self.person.send_text("/start")
        await self.stage.telegram.wait_for(lambda: self.shown("Привет"), 20)
        picture = await self._delivered()
        yield
        press = ResultPress(act="original", order=picture).pack()
        self.does(self.person.press(self.person.messages[-1].id, press))
        await self.stage.telegram.wait_for(self._files, 20)

    async def _delivered(self) -> UUID:
        """A picture that they got some time ago."""
        gen_api, number = self.stage.gen_api, self.person.id
        gen_api.orders[number] = Drawn(
            number, NETWORKS["gpt-image-1"], {}, (1024, 1024), [], status="success", picture=photograph()
        )
        async with self.stage.pool.acquire() as conn, conn.transaction():
            picture: UUID = await conn.fetchval(
                "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, sources, "
                "deadline_at, request_id, result_url, ready_at, finished_at) VALUES ($1, $1::bigint::text, "
                "'delivered', 'gpt-image-1', '1024x1024', 2, 'Кот', '{}', now(), $1, $2, now(), now()) RETURNING id",
                number,
                f"{gen_api.origin}/results/{number}.png",
            )
            await credits.debit(conn, number, 2, Reason.ORDER, str(picture))
        return picture

    def _files(self) -> int:
        return sum(message.outgoing and message.document is not None for message in self.person.messages)

    async def holds(self) -> None:
        files, perhaps, balance = self._files(), self.shown("Кажется"), await self.stage.credits(self.person)
        press = await self.stage.pool.fetchval(
            "SELECT count(*) FROM outbox WHERE kind = 'original_file' AND chat_id = $1", self.person.id
        )
        found = press, files, perhaps, balance
        # Once at most; where nobody knows whether it arrived, the person is told so
        assert balance == 8, found
        assert files <= 1, found
        assert files or perhaps or not press, found


class Failure(Way):
    """«✅» on a card that gen-api cannot draw, the refund, the message about it."""

    async def walk(self) -> AsyncIterator[None]:
        card = await self.stage.card(self.person)
        self.stage.gen_api.failure = "policy"
        yield
        self.does(self.person.press(card.id, "✅"))
        await self.stage.telegram.wait_for(lambda: self.shown("возвращ"), 20)

    async def holds(self) -> None:
        orders = await self.stage.pool.fetch("SELECT status FROM generations WHERE user_id = $1", self.person.id)
        self.stage.gen_api.failure = ""
        assert [row["status"] for row in orders] == ["failed"]
        assert await self.stage.credits(self.person) == 10
        assert self.shown("возвращ") >= 1


class Purchase(Way):
    """A plan, its link, the payment, the credits."""

    async def walk(self) -> AsyncIterator[None]:
        await self.person.send_text("/buy_subscription")
        offer = await self.stage.says(self.person, lambda message: message.button("200 ₽"))
        yield
        self.does(self.person.press(offer.id, "200 ₽"))
        await self.stage.telegram.wait_for(lambda: self._payments() and self._linked(), 20)
        # To a press that Telegram is still bringing, a purchase that is paid already would be over: it makes another
        await self.taken()
        for payment in self._payments():
            if self.stage.yookassa.payments[payment]["status"] == "pending":
                await self.stage.yookassa.pay(payment)
        await self.stage.telegram.wait_for(lambda: self.shown("добавлено"), 20)

    def _linked(self) -> bool:
        return any(message.outgoing and message.button("Оплатить") for message in self.person.messages)

    def _payments(self) -> list[str]:
        made = self.stage.yookassa.payments.items()
        return [key for key, payment in made if payment["metadata"]["user_id"] == str(self.person.id)]

    async def came(self) -> bool:
        for key in self._payments():
            if self.stage.yookassa.payments[key]["status"] == "pending":
                await self.stage.yookassa.pay(key)
                return False
        open_ = "SELECT EXISTS (SELECT FROM payments WHERE user_id = $1 AND status IN ('new', 'pending'))"
        return not await self.stage.pool.fetchval(open_, self.person.id)

    async def holds(self) -> None:
        made, told = self._payments(), self.shown("добавлено 10 кредитов")
        credits = await self.stage.credits(self.person)
        assert (len(made), credits) in ((1, 20), (0, 10)), (made, credits)
        assert told >= len(made), "not told"


class Refund(Purchase):
    """Money given back at YooKassa for a purchase, and the credits taken back."""

    async def walk(self) -> AsyncIterator[None]:
        payment = await self.stage.choose(self.person)
        await self.stage.yookassa.pay(payment)
        await self.stage.telegram.wait_for(lambda: self.shown("добавлено"), 20)
        yield
        await self.stage.yookassa.refund(payment)
        await self.stage.telegram.wait_for(lambda: self.shown("Возврат"), 20)

    async def came(self) -> bool:
        for payment in self._payments():
            taken = "SELECT refunded = amount FROM payments WHERE provider_id = $1"
            if not await self.stage.pool.fetchval(taken, payment):
                # YooKassa redelivers for a day what was not answered 200
                await self.stage.yookassa.repeat(payment)
                return False
        return await super().came()

    async def holds(self) -> None:
        assert await self.stage.credits(self.person) == 10
        assert self.shown("Возврат") >= 1


class PurchaseWithStars(Way):
    """A plan, its invoice, the question before the charge, the charge, the credits."""

    async def walk(self) -> AsyncIterator[None]:
        choice = await self._choice()
        yield
        self.does(self.person.press(choice, "⭐"))
        await self.stage.telegram.wait_for(self._invoices, 20)
        await self.person.pay(self._invoices()[-1], wait=False)
        await self.stage.telegram.wait_for(lambda: self.shown("добавлено"), 20)

    async def _choice(self) -> int:
        await self.person.send_text("/buy_subscription")
        offer = await self.stage.says(self.person, lambda message: message.button("200 ₽"))
        await self.person.press(offer.id, "200 ₽")
        return (await self.stage.says(self.person, lambda message: message.button("⭐"))).id

    def _invoices(self) -> list[int]:
        return [message.id for message in self.person.messages if "invoice" in message.raw]

    def _charges(self) -> list[Charge]:
        return [charge for charge in self.stage.telegram.charges if charge.person is self.person]

    async def came(self) -> bool:
        if self._invoices() and not self._charges():
            # Whoever was not answered in time tries again
            await self.person.pay(self._invoices()[-1], wait=False)
            return False
        booked = "SELECT count(*) FROM payments WHERE provider_id = ANY ($1::text[])"
        return await self._count(booked) == len(self._charges())

    async def _count(self, sql: str) -> int:
        count: int = await self.stage.pool.fetchval(sql, [charge.id for charge in self._charges()])
        return count

    async def holds(self) -> None:
        paid, credits = len(self._charges()), await self.stage.credits(self.person)
        assert (paid, credits) in ((1, 20), (0, 10)), (paid, credits)
        assert self.shown("добавлено 10 кредитов") >= paid, "not told"


class RefundOfStars(PurchaseWithStars):
    """Stars given back, and the credits taken back."""

    async def walk(self) -> AsyncIterator[None]:
        await self.person.press(await self._choice(), "⭐")
        await self.stage.telegram.wait_for(self._invoices, 20)
        assert await self.person.pay(self._invoices()[-1]) == ""
        await self.stage.telegram.wait_for(lambda: self.shown("добавлено"), 20)
        yield
        self.stage.telegram.refund_stars(self._charges()[0])
        await self.stage.telegram.wait_for(lambda: self.shown("Возврат"), 20)

    async def came(self) -> bool:
        refunded = "SELECT count(*) FROM payments WHERE provider_id = ANY ($1::text[]) AND status = 'refunded'"
        return await self._count(refunded) == 1 and await super().came()

    async def holds(self) -> None:
        assert await self.stage.credits(self.person) == 10
        assert self.shown("Возврат") >= 1


class Conversation(Way):
    """From /photo to the card."""

    async def walk(self) -> AsyncIterator[None]:
        await self.person.send_text("/start")
        yield
        self.does(self.person.send_text("/photo"), self.person.send_photo(photograph(), caption="Кот"))
        await self.stage.telegram.wait_for(
            lambda: any(message.outgoing and message.button("✅") for message in self.person.messages), 20
        )

    async def holds(self) -> None:
        assert await self.stage.credits(self.person) == 10


WAYS: tuple[type[Way], ...] = (
    Welcome,
    Conversation,
    Order,
    Album,
    Original,
    Failure,
    Purchase,
    Refund,
    PurchaseWithStars,
    RefundOfStars,
)
