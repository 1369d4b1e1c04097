"""Kill -9 at every step of an order and of a purchase: nothing is lost, nothing is done twice.

Several people stand at the steps of one row when the kill comes.
"""

import asyncio
from collections.abc import Callable

import pytest

from sandbox.telegram import Person
from tests.faults.harness import Bot, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Somebody = Callable[[], Person]

NO_ANSWER = 0
"""What a fake service notes of a call that the dead bot owed an answer to."""


async def restart(play: Stage, bot: Bot) -> None:
    """Starts the dead bot again, once PostgreSQL has ended what it left; its leases have run out."""
    await play.disconnected()
    await play.let_locks_run_out()
    await bot.start()
    await play.let_leases_run_out()


async def status(play: Stage, person: Person) -> str:
    """The state of the person's one order."""
    found: str = await play.pool.fetchval("SELECT status FROM generations WHERE user_id = $1", person.id)
    return found


async def test_killed_before_the_debit_commits(play: Stage, bot: Bot, person: Somebody) -> None:
    """No debit; the press is redelivered and orders once."""
    waiting, half_done = person(), person()
    cards = [(await play.card(who)).id for who in (waiting, half_done)]
    async with play.locked(waiting), play.held("ledger", "statement", half_done):
        await waiting.press(cards[0], "✅", wait=False)
        await half_done.press(cards[1], "✅", wait=False)
        await play.blocked(2)
        await bot.kill()
    await play.disconnected()
    assert await play.credits(waiting) == await play.credits(half_done) == 10
    await restart(play, bot)
    await play.delivered(waiting)
    await play.delivered(half_done)


async def test_killed_after_the_debit_commits_before_the_submit(play: Stage, bot: Bot, person: Somebody) -> None:
    """In the midst of the COMMIT, before the answer, and while the picture is fetched: submitted once."""
    committing, unanswered, asking, fetching = people = [person() for _ in range(4)]
    cards = {who.id: (await play.card(who)).id for who in people}
    answering = play.reached(play.telegram, "editMessageText", "before", drop=True)
    await unanswered.press(cards[unanswered.id], "✅", wait=False)
    await answering.wait()
    await play.until("SELECT status = 'delivered' FROM generations WHERE user_id = $1", unanswered.id)
    for who, route in ((asking, "getFile"), (fetching, "file")):
        here = play.reached(play.telegram, route, "before")
        await who.press(cards[who.id], "✅", wait=False)
        await here.wait()
    async with play.held("ledger", "commit", committing):
        await committing.press(cards[committing.id], "✅", wait=False)
        await play.blocked()
        await bot.kill()
    await play.disconnected()
    for who in (committing, asking, fetching):
        assert await play.credits(who) == 8
        assert await status(play, who) == "queued"
    await restart(play, bot)
    for who in people:
        await play.delivered(who)


async def test_killed_after_gen_api_accepted_before_the_request_id_is_stored(
    play: Stage, bot: Bot, person: Somebody
) -> None:
    """Never sent again: the callback's proof brings the number; without one the deadline gives the price back."""
    called_back, silent, not_accepted = people = [person() for _ in range(3)]
    play.gen_api.auto = False
    for who, moment, drop in ((called_back, "after", False), (silent, "after", False), (not_accepted, "before", True)):
        here = play.reached(play.gen_api, "create", moment, drop=drop)  # type: ignore[arg-type]  # a plain str here
        await play.order(who)
        await here.wait()
    await bot.kill()
    for who in people:
        assert await status(play, who) == "submitting"
    await restart(play, bot)
    assert await play.gen_api.finish((await play.order_at_gen_api(called_back)).id) == 200
    await play.delivered(called_back)
    await play.pool.execute("UPDATE generations SET deadline_at = now() WHERE status = 'submitting'")
    await play.refunded(silent)
    await play.refunded(not_accepted)
    assert await play.gen_api.finish((await play.order_at_gen_api(silent)).id) == 200
    assert await status(play, silent) == "failed"
    assert [play.creates(who) for who in people] == [1, 1, 1]
    play.gen_api.auto = True


async def test_killed_while_the_completion_commits(play: Stage, bot: Bot, person: Somebody) -> None:
    """gen-api does not repeat the callback: what was not stored of it is asked for."""
    before, half_done, committing = people = [person() for _ in range(3)]
    play.gen_api.auto = False
    for who in people:
        await play.order(who)
        await play.until("SELECT EXISTS (SELECT FROM generations WHERE user_id = $1 AND status = 'processing')", who.id)
    async with (
        play.locked(before),
        play.held("outbox", "statement", half_done),
        play.held("outbox", "commit", committing),
    ):
        orders = [(await play.order_at_gen_api(who)).id for who in people]
        callbacks = [play.gen_api.spawn(play.gen_api.finish(order)) for order in orders]
        await play.blocked(3)
        await bot.kill()
    await play.disconnected()
    assert await asyncio.gather(*callbacks) == [NO_ANSWER] * 3
    assert [await status(play, who) for who in people] == ["processing", "processing", "ready"]
    await play.pool.execute("UPDATE generations SET poll_at = now() WHERE status = 'processing'")
    await restart(play, bot)
    for who in people:
        await play.delivered(who)
    play.gen_api.auto = True


async def test_killed_while_the_refund_commits(play: Stage, bot: Bot, person: Somebody) -> None:
    """A failed order is refunded once, whoever of the two processes stored it."""
    half_done, committing = people = [person(), person()]
    play.gen_api.auto = False
    for who in people:
        await play.order(who)
        await play.until("SELECT EXISTS (SELECT FROM generations WHERE user_id = $1 AND status = 'processing')", who.id)
    async with play.held("ledger", "statement", half_done), play.held("ledger", "commit", committing):
        orders = [(await play.order_at_gen_api(who)).id for who in people]
        callbacks = [play.gen_api.spawn(play.gen_api.finish(order, "moderation")) for order in orders]
        await play.blocked(2)
        await bot.kill()
    await play.disconnected()
    assert await asyncio.gather(*callbacks) == [NO_ANSWER] * 2
    assert [await status(play, who) for who in people] == ["processing", "failed"]
    await play.pool.execute("UPDATE generations SET poll_at = now() WHERE status = 'processing'")
    await restart(play, bot)
    for who in people:
        await play.refunded(who)
        assert await play.gen_api.call_back((await play.order_at_gen_api(who)).id) == 200
        assert await play.credits(who) == 10
    play.gen_api.auto = True


async def test_killed_after_completion_before_send_and_after_send_before_the_mark(
    play: Stage, bot: Bot, person: Somebody
) -> None:
    """The picture comes; at most one message comes twice; never a second debit."""
    fetching, sending, unmarked = people = [person() for _ in range(3)]
    for who, service, route, moment in (
        (fetching, play.gen_api, "result", "before"),
        (sending, play.telegram, "sendPhoto", "before"),
        (unmarked, play.telegram, "sendPhoto", "after"),
    ):
        drop = moment == "before"
        here = play.reached(service, route, moment, drop=drop)  # type: ignore[arg-type]  # a plain str here
        await play.order(who)
        await here.wait()
    await bot.kill()
    assert [await status(play, who) for who in people] == ["ready"] * 3
    await restart(play, bot)
    for who, pictures in ((fetching, 1), (sending, 1), (unmarked, 2)):
        await play.delivered(who)
        assert len([message for message in who.messages if message.outgoing and message.photo]) == pictures


async def test_killed_inside_the_yookassa_route(play: Stage, bot: Bot, person: Somebody) -> None:
    """Asking YooKassa, being answered, before the transaction, in it and in its COMMIT: credited once."""
    asking, answered, before, half_done, committing = people = [person() for _ in range(5)]
    payments = {who.id: await play.choose(who) for who in people}

    notified: list[asyncio.Task[int]] = []

    def pay(who: Person) -> None:
        notified.append(play.yookassa.spawn(play.yookassa.pay(payments[who.id])))

    for who, moment in ((asking, "before"), (answered, "after")):
        here = play.reached(play.yookassa, "payments.get", moment)  # type: ignore[arg-type]  # a plain str here
        pay(who)
        await here.wait()
    async with (
        play.locked(before),
        play.held("subscriptions", "statement", half_done),
        play.held("ledger", "commit", committing),
    ):
        for who in (before, half_done, committing):
            pay(who)
        await play.blocked(3)
        await bot.kill()
    await play.disconnected()
    assert await asyncio.gather(*notified) == [NO_ANSWER] * 5
    assert [await play.credits(who) for who in people] == [10, 10, 10, 10, 20]
    await restart(play, bot)
    for who in people:
        assert await play.yookassa.notify(payments[who.id]) == 200
        await play.told(who, "добавлено 10 кредитов")
        assert await play.credits(who) == 20


async def test_killed_while_yookassa_makes_a_payment(play: Stage, bot: Bot, person: Somebody) -> None:
    """The press is redelivered, and gets the one payment that the stored key stands for."""
    unmade, unanswered = person(), person()
    for who, moment in ((unmade, "before"), (unanswered, "after")):
        await who.send_text("/buy_subscription")
        offer = await play.offered(who, "200 ₽")
        drop = moment == "before"
        here = play.reached(play.yookassa, "payments.create", moment, drop=drop)  # type: ignore[arg-type]  # a plain str here
        await who.press(offer.id, "200 ₽", wait=False)
        await here.wait()
    await bot.kill()
    await restart(play, bot)
    for who in (unmade, unanswered):
        await play.offered(who, "Оплатить", within_s=30)
        made = [p for p in play.yookassa.payments.values() if p["metadata"]["user_id"] == str(who.id)]
        assert len(made) == 1
        assert await play.yookassa.pay(made[0]["id"]) == 200
        assert await play.credits(who) == 20
