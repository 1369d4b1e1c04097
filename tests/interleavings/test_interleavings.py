"""Each pair of flows that may meet over one person's money or picture, in every order that the locks allow."""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiogram import Bot

from app import words
from app.catalog import PLANS
from app.clients.genapi import GenApi, Outcome
from app.clients.results import Results
from app.flows import receipts
from app.flows.cards import Cards
from app.flows.delivery.fetch import Fetching
from app.flows.delivery.picture import SENDS, PictureLetters
from app.flows.history import History, Owed
from app.flows.orders.place import Card, Ordering, Placed
from app.flows.orders.settle import Settling
from app.flows.orders.waiting import Waiting
from app.flows.purchases import Links
from app.flows.purchases.charges import Charges
from app.flows.purchases.invoices import Invoices
from app.flows.purchases.settle import Settlement, Source
from app.gateways.port import Charge, Status
from app.gateways.stars import Stars, Told
from app.gateways.yookassa import YooKassa
from app.metrics import Metrics
from app.notices import KINDS, Picture
from app.pictures import Pictures
from app.repo import audit, charges, generations, history, outbox, payments, users, waits
from app.repo.generations import Failure
from app.repo.payments import NewPurchase
from app.repo.records import Message, Pool, Question
from app.words import of
from tests.interleavings.stepping import Flow, every_order
from tests.world import TOKEN, World, services

pytestmark = pytest.mark.timeout(300)

_people = itertools.count(100)
_requests = itertools.count(1000)


def _nobody_waits() -> None:
    """In place of waking a worker: there is none."""


@dataclass
class Stage:
    """A database, and what makes flows on a pool."""

    around: World
    pool: "asyncpg.Pool[asyncpg.Record]"
    gen_api: GenApi
    metrics: Metrics
    stars: Stars
    kassa: YooKassa

    def ordering(self, pool: Pool) -> Ordering:
        return Ordering(pool, self.around.settings, self.metrics, _nobody_waits)

    def settling(self, pool: Pool) -> Settling:
        return Settling(pool, self.around.settings, self.metrics, self.gen_api, _nobody_waits)

    def settlement(self, pool: Pool) -> Settlement:
        return Settlement(pool, self.around.settings, self.metrics, _nobody_waits)

    def picture_letters(self, pool: Pool) -> PictureLetters:
        results, bot = Results(self.around.settings.gen_api_url), Bot(TOKEN)
        fetching, cards = Fetching(self.metrics, results, self.gen_api), Cards(pool, bot, Waiting(pool), _nobody_waits)
        return PictureLetters(pool, self.metrics, bot, fetching, Pictures(), self.settling(pool), cards)

    def links(self, pool: Pool) -> Links:
        settlement = self.settlement(pool)
        return Links(pool, self.around.settings, self.metrics, self.kassa, settlement, _nobody_waits)

    async def person(self) -> int:
        """Somebody with ten credits."""
        person = next(_people)
        async with self.pool.acquire() as conn:
            await users.visit(conn, person)
        return person

    def card(self, key: str = "") -> Card:
        """A card that nobody has used."""
        return Card(key or uuid4().hex, "gpt-image-1", "1024x1024", "Кот", ("file",), None)

    async def order(self, person: int) -> UUID:
        """An order of theirs, queued."""
        placement = await self.ordering(self.pool).place(person, self.card())
        assert placement.generation_id
        return placement.generation_id

    async def order_at_gen_api(self, person: int) -> Question:
        """An order of theirs that gen-api has and has finished."""
        generation, request = await self.order(person), next(_requests)
        await self.pool.execute(
            "UPDATE generations SET status = 'processing', attempt = 1, request_id = $2, poll_at = now() WHERE id = $1",
            generation,
            request,
        )
        answer = {"id": request, "status": "success", "result": [f"{self.around.gen_api.origin}/results/{request}.png"]}
        self.around.gen_api.fault(f"GET /api/v1/request/get/{request}", status=200, body=answer)
        return Question(generation, request, expired=False)

    async def picture(self, person: int) -> Message:
        """A finished order of theirs, its picture claimed by a deliverer."""
        question = await self.order_at_gen_api(person)
        await self.settling(self.pool).callback(question.id, question.request_id, _DONE)
        return await self.claimed(person)

    async def claimed(self, person: int) -> Message:
        """What is owed to them, claimed, whoever had claimed it before."""
        async with self.pool.acquire() as conn:
            await conn.execute("UPDATE outbox SET due_at = now() WHERE chat_id = $1 AND status = 'pending'", person)
            claimed = await outbox.claim(conn, 100, 40, [], [Picture.kind])
        return next(message for message in claimed if message.chat_id == person)

    async def kept(self, person: int) -> UUID:
        """A picture that they got, whose name nobody learned."""
        message = await self.picture(person)
        async with self.pool.acquire() as conn:
            await generations.delivered(conn, UUID(message.ref), None)
            await outbox.mark_sent(conn, message.id)
        return UUID(message.ref)

    async def purchase(self, person: int) -> UUID:
        """A purchase of theirs, not paid yet."""
        plan, payment, settings = PLANS["p200"], uuid4(), self.around.settings
        new = NewPurchase(
            id=payment, user_id=person, plan=plan.key, credits=plan.credits, amount=plan.amount,
            currency="RUB", gateway="yookassa", shop_id=settings.yookassa_shop_id, test=True, request=json.dumps({}),
        )  # fmt: skip
        async with self.pool.acquire() as conn:
            await payments.insert(conn, new, 60)
        return payment

    def charges(self, pool: Pool) -> Charges:
        return Charges(pool, self.around.settings, self.stars, self.settlement(pool), _nobody_waits, _nobody_waits)

    async def told(self, person: int) -> Told:
        """An invoice, and what Telegram says of its charge."""
        invoices = Invoices(self.pool, self.pool, self.metrics, self.stars, sold=True)
        payment = await invoices.open(person, PLANS["p200"], of("ru"))
        return Told(f"stx-{person}", person, payment.amount, "XTR", str(payment.id), refunded=False)

    def charge(self, person: int, payment: UUID, status: Status = Status.PAID, refunded: int = 0) -> Charge:
        """What the gateway says of it."""
        shop = self.around.settings.yookassa_shop_id
        return Charge(
            f"charge-{payment}", status, PLANS["p200"].amount, "RUB", shop, True, payment, person, None, refunded, None,
            None,
        )  # fmt: skip

    async def holds(self, person: int, balance: int, **counts: int) -> None:
        """The person has that balance, so many rows of these states or kinds, and the books hold no contradiction."""
        async with self.pool.acquire() as conn:
            assert await conn.fetchval("SELECT credits FROM users WHERE id = $1", person) == balance
            found = await conn.fetch(
                "SELECT status AS what FROM generations WHERE user_id = $1 "
                "UNION ALL SELECT kind FROM outbox WHERE chat_id = $1 AND status <> 'dropped'",
                person,
            )
            rows = [row["what"] for row in found]
            assert {name: rows.count(name) for name in counts} == counts, rows
            assert await audit.differences(conn) == []


_DONE = Outcome(final=True, url="https://example.com/picture.png")
_FAILED = Outcome(final=True, reason="policy")

type Scene = Callable[[Stage], Awaitable[tuple[dict[str, Flow], Callable[[], Awaitable[None]]]]]


@pytest.fixture
async def stage(database_url: str, redis_url: str) -> AsyncIterator[Stage]:
    """The fake services without a bot."""
    async with (
        services(database_url, redis_url) as around,
        asyncpg.create_pool(database_url, min_size=4, server_settings={"lock_timeout": "5s"}) as pool,
    ):
        gen_api = GenApi(around.settings.gen_api_url, around.settings.gen_api_key.get_secret_value())
        kassa = YooKassa(around.settings)
        yield Stage(around, pool, gen_api, Metrics(), Stars(Bot(TOKEN)), kassa)
        await kassa.close()
        await gen_api.close()


async def callback_and_poll(stage: Stage) -> Any:
    """The same picture told twice: one message."""
    person = await stage.person()
    question = await stage.order_at_gen_api(person)

    async def check() -> None:
        await stage.holds(person, 8, ready=1, picture=1, order_failed=0)

    return {
        "callback": lambda pool: stage.settling(pool).callback(question.id, question.request_id, _DONE),
        "poll": lambda pool: stage.settling(pool).reconcile(question),
    }, check


async def two_different_last_words(stage: Stage) -> Any:
    """A success and a failure: the first wins, whole."""
    person = await stage.person()
    question = await stage.order_at_gen_api(person)

    async def check() -> None:
        ready = await stage.pool.fetchval("SELECT status = 'ready' FROM generations WHERE id = $1", question.id)
        await stage.holds(person, 8 if ready else 10, picture=int(ready), order_failed=int(not ready))

    return {
        "failure": lambda pool: stage.settling(pool).callback(question.id, question.request_id, _FAILED),
        "poll": lambda pool: stage.settling(pool).reconcile(question),
    }, check


async def callback_and_deadline(stage: Stage) -> Any:
    """A picture in the last instant: delivered or given back, never both."""
    person = await stage.person()
    question = await stage.order_at_gen_api(person)
    await stage.pool.execute("UPDATE generations SET deadline_at = now() WHERE id = $1", question.id)

    async def check() -> None:
        ready = await stage.pool.fetchval("SELECT status = 'ready' FROM generations WHERE id = $1", question.id)
        await stage.holds(person, 8 if ready else 10, picture=int(ready), order_failed=int(not ready))

    return {
        "callback": lambda pool: stage.settling(pool).callback(question.id, question.request_id, _DONE),
        "deadline": lambda pool: stage.settling(pool).reconcile(question.id),
    }, check


async def press_and_press(stage: Stage) -> Any:
    """The same card on two devices: one order."""
    person, card = await stage.person(), stage.card()

    async def check() -> None:
        await stage.holds(person, 8, queued=1)

    return {
        "phone": lambda pool: stage.ordering(pool).place(person, card),
        "desk": lambda pool: stage.ordering(pool).place(person, card),
    }, check


async def two_cards_and_credits_for_one(stage: Stage) -> Any:
    """Two orders for the last two credits: one of them."""
    person = await stage.person()
    for _ in range(4):
        await stage.order(person)
    answers = list[Placed]()

    async def place(pool: Pool) -> None:
        answers.append((await stage.ordering(pool).place(person, stage.card())).outcome)

    async def check() -> None:
        assert sorted(answer.value for answer in answers) == ["ordered", "too_few"]
        answers.clear()
        await stage.holds(person, 0, queued=5)

    return {"one": place, "other": place}, check


async def order_and_refund_of_its_purchase(stage: Stage) -> Any:
    """Credits are spent while their money goes back: never below zero, and what is short is noted."""
    person = await stage.person()
    for _ in range(5):
        await stage.order(person)
    payment = await stage.purchase(person)
    await stage.settlement(stage.pool).settle(payment, stage.charge(person, payment), Source.POLL)
    refund = stage.charge(person, payment, refunded=PLANS["p200"].amount)

    async def check() -> None:
        row = await stage.pool.fetchrow("SELECT credits_taken, credits_short FROM payments WHERE id = $1", payment)
        assert row is not None
        ordered = await stage.pool.fetchval("SELECT count(*) FROM generations WHERE user_id = $1", person) == 6
        assert (row["credits_taken"], row["credits_short"]) == ((8, 2) if ordered else (10, 0))
        await stage.holds(person, 0, payment_refunded=1)

    return {
        "order": lambda pool: stage.ordering(pool).place(person, stage.card()),
        "refund": lambda pool: stage.settlement(pool).settle(payment, refund, Source.NOTIFICATION),
    }, check


async def notification_and_poll(stage: Stage) -> Any:
    """A payment told twice: credited once."""
    person = await stage.person()
    payment = await stage.purchase(person)
    charge = stage.charge(person, payment)

    async def check() -> None:
        await stage.holds(person, 20, payment_succeeded=1)

    return {
        "notification": lambda pool: stage.settlement(pool).settle(payment, charge, Source.NOTIFICATION),
        "poll": lambda pool: stage.settlement(pool).settle(payment, charge, Source.POLL),
    }, check


async def payment_and_its_refund(stage: Stage) -> Any:
    """The payment's notification comes together with its refund's."""
    person = await stage.person()
    payment = await stage.purchase(person)
    refund = stage.charge(person, payment, refunded=PLANS["p200"].amount)

    async def check() -> None:
        await stage.holds(person, 10, payment_succeeded=1, payment_refunded=1)

    return {
        "paid": lambda pool: stage.settlement(pool).settle(payment, stage.charge(person, payment), Source.POLL),
        "refunded": lambda pool: stage.settlement(pool).settle(payment, refund, Source.NOTIFICATION),
    }, check


async def charge_told_and_listed(stage: Stage) -> Any:
    """A charge in Stars is told of while the list shows it: credited once."""
    person = await stage.person()
    told = await stage.told(person)

    async def check() -> None:
        await stage.holds(person, 20, payment_succeeded=1, alert_second_charge=0)

    return {
        "update": lambda pool: stage.charges(pool).take(told, Source.UPDATE),
        "list": lambda pool: stage.charges(pool).take(told, Source.LIST),
    }, check


async def two_charges_for_one_invoice(stage: Stage) -> Any:
    """Both were paid, both are credited, and each is a purchase."""
    person = await stage.person()
    first = await stage.told(person)
    second = replace(first, id=f"{first.id}-again")

    async def check() -> None:
        await stage.holds(person, 30, payment_succeeded=2)

    return {
        "first": lambda pool: stage.charges(pool).take(first, Source.UPDATE),
        "second": lambda pool: stage.charges(pool).take(second, Source.UPDATE),
    }, check


async def charge_and_its_refund(stage: Stage) -> Any:
    """The list shows that Stars went back while the word of their charge comes."""
    person = await stage.person()
    told = await stage.told(person)

    async def check() -> None:
        await stage.holds(person, 10, payment_succeeded=1, payment_refunded=1)

    return {
        "charged": lambda pool: stage.charges(pool).take(told, Source.UPDATE),
        "given back": lambda pool: stage.charges(pool).take(replace(told, refunded=True), Source.LIST),
    }, check


async def charge_and_the_end_of_its_invoice(stage: Stage) -> Any:
    """Paid in the instant in which the invoice is given up: credited."""
    person = await stage.person()
    told = await stage.told(person)
    await stage.pool.execute("UPDATE payments SET poll_at = now() WHERE user_id = $1", person)

    async def abandon(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await charges.abandon(conn, Stars.name)

    async def check() -> None:
        await stage.holds(person, 20, payment_succeeded=1)

    return {"charged": lambda pool: stage.charges(pool).take(told, Source.UPDATE), "abandon": abandon}, check


async def refusal_and_poll(stage: Stage) -> Any:
    """The first create call turns out to be refused while the worker is about to repeat it: then it does not."""
    person = await stage.person()
    payment, before = await stage.purchase(person), len(stage.around.yookassa.called("payments.create"))
    stage.around.yookassa.fault("payments.create", status=500)

    async def refuse(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await payments.refuse(conn, payment, "refused:401")

    async def check() -> None:
        refused = await stage.pool.fetchval("SELECT status = 'canceled' FROM payments WHERE id = $1", payment)
        assert len(stage.around.yookassa.called("payments.create")) - before == (0 if refused else 1)

    return {"refusal": refuse, "poll": lambda pool: stage.links(pool).poll.reconcile(payment)}, check


async def payment_and_the_address_of_its_receipt(stage: Stage) -> Any:
    """The address is taken out of a person's payments while one of them is credited."""
    person = await stage.person()
    payment = await stage.purchase(person)
    charge = stage.charge(person, payment)

    async def check() -> None:
        await stage.holds(person, 20, payment_succeeded=1)

    return {
        "paid": lambda pool: stage.settlement(pool).settle(payment, charge, Source.NOTIFICATION),
        "forgotten": lambda pool: receipts.forget(pool, person),
    }, check


async def deliver_and_undeliverable(stage: Stage) -> Any:
    """A deliverer whose lease has run out gives up while another takes the picture for shown: it was sent twice."""
    person = await stage.person()
    stale = await stage.picture(person)
    fresh = replace(await stage.claimed(person), sends=SENDS)

    async def check() -> None:
        await stage.holds(person, 8, delivered=1, picture=1, order_failed=0)

    return {
        "deliver": lambda pool: stage.picture_letters(pool).send(fresh),
        "give up": lambda pool: stage.settling(pool).undeliverable(stale, person, Failure.NO_PICTURE),
    }, check


async def claim_and_claim(stage: Stage) -> Any:
    """Two deliverers: a message is one's."""
    person = await stage.person()
    question = await stage.order_at_gen_api(person)
    await stage.settling(stage.pool).callback(question.id, question.request_id, _DONE)
    taken = list[int]()

    async def claim(pool: Pool) -> None:
        async with pool.acquire() as conn, conn.transaction():
            claimed = await outbox.claim(conn, 100, 40, [], sorted(KINDS))
            taken.extend(message.id for message in claimed if message.chat_id == person)

    async def check() -> None:
        assert len(taken) == 1
        taken.clear()

    return {"one": claim, "other": claim}, check


async def visit_and_park(stage: Stage) -> Any:
    """A person is back while a deliverer hears that they have blocked the bot: whichever came last is believed."""
    person = await stage.person()
    message, last = await stage.picture(person), list[str]()

    async def park(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await outbox.park(conn, message)
        last.append("park")

    async def visit(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await users.visit(conn, person)
        last.append("visit")

    async def check() -> None:
        await stage.holds(person, 8, ready=1, picture=1)
        parked = await stage.pool.fetchval("SELECT due_at = 'infinity' FROM outbox WHERE id = $1", message.id)
        assert parked == (last[-1] == "park")

    return {"visit": visit, "park": park}, check


@dataclass
class Screen:
    """In place of Telegram: what the message of an order says, last at the end."""

    faces: list[str] = field(default_factory=list)

    async def edit_message_text(self, text: str, **_: Any) -> None:
        """As aiogram's."""
        self.faces.append(text)


async def told_late_and_delivered(stage: Stage) -> Any:
    """The picture comes while somebody tells that it is late: in five edits at most it stands there in the end."""
    person, screen = await stage.person(), Screen()
    message = await stage.picture(person)
    order = UUID(message.ref)
    late = (
        "UPDATE generations SET status = $2, submitted_at = now() - interval '1 hour', card_message_id = 7, "
        "told = 3, tell_at = now() WHERE id = $1"
    )
    await stage.pool.execute(late, order, "processing")
    async with stage.pool.acquire() as conn:
        wait = next(wait for wait in await waits.claim(conn, 100, 20) if wait.id == order)

    def cards(pool: Pool) -> Cards:
        return Cards(pool, cast("Bot", screen), Waiting(stage.pool), _nobody_waits)

    async def deliver(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await conn.execute("UPDATE generations SET status = 'ready' WHERE id = $1", order)
            delivered = await generations.delivered(conn, order, "file")
            await outbox.mark_sent(conn, message.id)
        if delivered and not delivered.being_told:
            await cards(pool).done(words.of("ru"), person, 7)

    async def check() -> None:
        await stage.holds(person, 8, delivered=1, picture=1)
        assert screen.faces[-1] == words.of("ru").order_done
        assert len(screen.faces) <= 5 - 3
        assert await stage.pool.fetchval("SELECT tell_at IS NULL FROM generations WHERE id = $1", order)

    return {"tell": lambda pool: cards(pool).tell(wait), "deliver": deliver}, check


async def file_and_file(stage: Stage) -> Any:
    """«📎» under the same picture on two devices: one file is owed."""
    person = await stage.person()
    picture = await stage.kept(person)
    presses = itertools.count()

    async def press(pool: Pool) -> None:
        owed = await History(pool, _nobody_waits).owe_original(person, picture, f"{picture}:{next(presses)}")
        assert owed is Owed.COMES

    async def check() -> None:
        await stage.holds(person, 8, delivered=1, original_file=1)

    return {"phone": press, "desk": press}, check


async def fresh_link_and_forget(stage: Stage) -> Any:
    """A file's link and name are learned while its person wants to be forgotten: nothing is left."""
    person = await stage.person()
    picture = await stage.kept(person)

    async def learn(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await history.renew_link(conn, picture, "https://example.com/fresh.png")
            await history.keep_file(conn, picture, "file")

    async def forget(pool: Pool) -> None:
        async with pool.acquire() as conn:
            await users.forget(conn, person)
            await generations.wipe_of(conn, person)

    async def check() -> None:
        kept = "SELECT num_nonnulls(prompt, sources, result_url, result_file_id) FROM generations WHERE id = $1"
        assert await stage.pool.fetchval(kept, picture) == 0

    return {"learn": learn, "forget": forget}, check


SCENES: tuple[Scene, ...] = (
    told_late_and_delivered,
    callback_and_poll,
    two_different_last_words,
    callback_and_deadline,
    press_and_press,
    two_cards_and_credits_for_one,
    order_and_refund_of_its_purchase,
    notification_and_poll,
    payment_and_its_refund,
    charge_told_and_listed,
    two_charges_for_one_invoice,
    charge_and_its_refund,
    charge_and_the_end_of_its_invoice,
    refusal_and_poll,
    payment_and_the_address_of_its_receipt,
    deliver_and_undeliverable,
    claim_and_claim,
    visit_and_park,
    file_and_file,
    fresh_link_and_forget,
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_no_order_of_statements_ends_wrong(stage: Stage, scene: Scene) -> None:
    """No deadlock, no wrong end, and the audit silent, in every order that the locks allow."""
    played = await every_order(stage.pool, lambda: scene(stage))
    print(f"{scene.__name__}: {played} orders")
    assert played > 1
