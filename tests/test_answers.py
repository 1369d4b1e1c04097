"""What outside services may answer, or not: an order is delivered or refunded once, and debited once."""

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from sandbox.people import Person
from tests.world import World

ADMIN = 900
HTML = "<html><body>Bad Gateway</body></html>"

pytestmark = pytest.mark.settings(generation_deadline_s=6, admin_ids=(ADMIN,))


async def ordered(bot: World) -> Person:
    """Somebody who has pressed «✅»."""
    person = bot.person()
    await bot.order(person)
    return person


async def _until_logged(caplog: pytest.LogCaptureFixture, event: str) -> None:
    """An answer that changes nothing shows nowhere but in the log."""
    async with asyncio.timeout(30):
        while event not in caplog.text:  # noqa: ASYNC110 - the log tells nobody of a line
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 502, "body": HTML}, {"status": 200, "body": "{"}, {"status": 408}, {"drop": True}],
    ids=str,
)
@pytest.mark.parametrize("accepted", [True, False])
async def test_create_with_an_unknown_outcome_is_never_sent_again(
    bot: World, fault: dict[str, Any], accepted: bool
) -> None:
    """Where gen-api had taken it, the callback brings number and picture; else the deadline gives the price back."""
    bot.gen_api.fault("create", handled=accepted, **fault)
    person = await ordered(bot)
    await (bot.delivered if accepted else bot.refunded)(person)
    assert len(bot.gen_api.called("create")) == 1


async def test_create_that_hangs_is_cut_off_and_never_sent_again(
    bot: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The callback of the order comes long after the call was given up, and is found by its proof."""
    monkeypatch.setattr("app.clients.genapi.CREATE_TIMEOUT_S", 0.5)
    bot.gen_api.auto = False
    bot.gen_api.fault("create", handled=True, hang=True)
    person = await ordered(bot)
    await bot.gen_api.wait_for(lambda: [call for call in bot.gen_api.called("create") if call.ms is not None], 5)
    await _until_logged(caplog, "submit.unknown")
    assert await bot.db.fetchval("SELECT status FROM generations") == "submitting"
    assert await bot.gen_api.finish(min(bot.gen_api.orders)) == 200
    await bot.delivered(person)
    assert len(bot.gen_api.called("create")) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 404, 422])
async def test_create_refused_for_certain_is_refunded_at_once(bot: World, status: int) -> None:
    """One call, one refund, long before the deadline."""
    bot.gen_api.fault("create", status=status, body={"message": "no"})
    await bot.refunded(await ordered(bot))
    assert len(bot.gen_api.called("create")) == 1
    failure = "model_gone" if status == 404 else "refused"
    assert await bot.db.fetchval("SELECT failure FROM generations") == failure


@pytest.mark.parametrize("status", [419, 429, 503])
async def test_create_not_accepted_for_certain_is_sent_again(bot: World, status: int) -> None:
    """The second call brings the picture."""
    bot.gen_api.fault("create", status=status, body=HTML)
    await bot.delivered(await ordered(bot))
    assert len(bot.gen_api.called("create")) == 2


async def test_create_without_a_connection_is_sent_again(bot: World) -> None:
    """The port is closed, and opened again."""
    port = bot.gen_api.port
    await bot.gen_api.stop()
    person = await ordered(bot)
    await bot.until("SELECT submitted_at IS NOT NULL AND status = 'queued' FROM generations")
    await bot.gen_api.start(port)
    await bot.delivered(person)


@pytest.mark.parametrize("times", [2, 50])
async def test_callbacks_many_times_over_are_one_picture(bot: World, times: int) -> None:
    """Each is answered 200 or, where it waited too long for the lock, 503."""
    person = await ordered(bot)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    order_id = min(bot.gen_api.orders)
    for _ in ("before the delivery", "after it"):
        answers = await asyncio.gather(*(bot.gen_api.call_back(order_id) for _ in range(times)))
        assert set(answers) <= {200, 503}
        await bot.delivered(person)
        await bot.until("SELECT NOT EXISTS (SELECT FROM outbox WHERE status = 'pending')")
    assert len([message for message in person.messages if message.outgoing and message.photo]) == 1


async def test_callback_before_the_answer_to_create_brings_the_picture(
    bot: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer comes while the picture is fetched, and takes nothing back."""
    arrived, accepted = asyncio.Event(), asyncio.Event()
    bot.gen_api.fault("create", after=arrived.wait)
    bot.gen_api.fault("result", before=accepted.wait)
    person = await ordered(bot)
    await bot.until("SELECT status = 'ready' FROM generations")
    arrived.set()
    await _until_logged(caplog, "order.accepted")
    accepted.set()
    await bot.delivered(person)
    await bot.until("SELECT status = 'delivered' FROM generations")


async def test_callback_after_the_refund_changes_nothing(bot: World) -> None:
    """It is answered 200, so that it does not come again; no picture, no second refund."""
    bot.gen_api.auto = False
    person = await ordered(bot)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    await bot.refunded(person)
    assert await bot.gen_api.finish(min(bot.gen_api.orders)) == 200
    assert await bot.db.fetchval("SELECT status FROM generations") == "failed"
    assert await bot.credits(person) == 10


async def test_a_forged_callback_writes_nothing_and_the_true_one_delivers(bot: World) -> None:
    """A wrong proof, no proof, and the proof of somebody else's order: at most gen-api is asked sooner."""
    bot.gen_api.auto = False
    person = await ordered(bot)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    order = bot.gen_api.orders[min(bot.gen_api.orders)]
    true = URL(order.fields["callback_url"])
    forged = {"request_id": order.id, "status": "success", "result": ["https://example.com/forged.png"]}
    await bot.until("SELECT status = 'processing' FROM generations")
    async with aiohttp.ClientSession() as client:
        for url in (true.with_query(None), true.update_query(proof="0" * 64), true.update_query(generation="x")):
            async with client.post(url, json=forged) as answer:
                assert answer.status == 200
        async with client.post(true, json={**forged, "request_id": order.id + 1}) as answer:
            assert await answer.json() == {"ok": False}
    assert await bot.db.fetchval("SELECT status = 'processing' AND result_url IS NULL FROM generations")
    assert await bot.gen_api.finish(order.id) == 200
    await bot.delivered(person)


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 502, "body": HTML}, {"drop": True}, {"status": 429}], ids=str
)
async def test_a_picture_that_telegram_does_not_take_now_is_sent_again(bot: World, fault: dict[str, Any]) -> None:
    """Put off and sent, once as far as Telegram shows it."""
    if fault.get("status") == 429:
        bot.telegram.too_many("sendPhoto", 1)
    else:
        bot.telegram.fault("sendPhoto", **fault)
    person = await ordered(bot)
    await bot.delivered(person)
    assert len([message for message in person.messages if message.outgoing and message.photo]) == 1


async def test_a_picture_that_telegram_refuses_goes_as_a_document(bot: World) -> None:
    """sendPhoto is answered 400, sendDocument takes the same bytes."""
    body = {"ok": False, "error_code": 400, "description": "Bad Request: IMAGE_PROCESS_FAILED"}
    bot.telegram.fault("sendPhoto", status=400, body=body)
    person = await ordered(bot)
    await bot.delivered(person)
    assert [message for message in person.messages if message.outgoing and message.document]


@pytest.mark.parametrize("status", [400, 413])
async def test_a_picture_that_telegram_refuses_in_every_way_is_refunded_and_told_the_operators(
    bot: World, status: int
) -> None:
    """The photo and the document."""
    body = {"ok": False, "error_code": status, "description": "no"}
    bot.telegram.fault("sendPhoto", status=status, body=body)
    bot.telegram.fault("sendDocument", status=status, body=body)
    await bot.refunded(await ordered(bot))
    await bot.told(bot.person(ADMIN), "не принял картинку")


@pytest.mark.parametrize("times", [1, 2])
async def test_a_dead_link_is_asked_for_afresh_once(bot: World, times: int) -> None:
    """A fresh one is fetched; where that is dead as well, the price goes back."""
    bot.gen_api.fault("result", times=times, status=404)
    person = await ordered(bot)
    await (bot.delivered if times == 1 else bot.refunded)(person)
    assert len(bot.gen_api.called("get")) == 1


async def test_a_result_that_does_not_come_now_is_fetched_later(bot: World) -> None:
    """The store answers 500, then hands it out."""
    bot.gen_api.fault("result", status=500)
    await bot.delivered(await ordered(bot))


async def test_a_success_without_a_picture_is_refunded(bot: World) -> None:
    """It happens, and counts as failed."""
    bot.gen_api.auto = False
    person = await ordered(bot)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    order = bot.gen_api.orders[min(bot.gen_api.orders)]
    async with aiohttp.ClientSession() as client:
        body = {"request_id": order.id, "status": "success", "result": []}
        async with client.post(order.fields["callback_url"], json=body) as answer:
            assert await answer.json() == {"ok": True}
    await bot.refunded(person)
    assert await bot.db.fetchval("SELECT failure FROM generations") == "provider"
