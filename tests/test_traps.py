"""What aiogram, aiohttp and Telegram do when nobody thinks of it, and that the bot knows."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest

from app import words
from app.db import WAIT_S
from app.flows.orders.place import Ordering
from app.repo.queries import statements
from app.routes import telegram
from local.ports import is_free
from local.postgres import Postgres
from tests.world import World, photograph, services, serving, world


def _start(update_id: int = 1, person_id: int = 77) -> dict[str, Any]:
    chat, sender = {"id": person_id, "type": "private"}, {"id": person_id, "is_bot": False, "first_name": "A"}
    return {
        "update_id": update_id,
        "message": {"message_id": 1, "date": 0, "chat": chat, "from": sender, "text": "/start"},
    }


async def _waits_for_a_lock(bot: World) -> None:
    """Until the visit of a person waits for what the test has locked."""
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        # The visit, and no worker's statement: the server keeps so much of it
        "AND left(query, 200) = left($1, 200))"
    )
    async with asyncio.timeout(10):
        while True:
            # pg_stat_activity is a snapshot within a transaction
            await bot.db.execute("SELECT pg_stat_clear_snapshot()")
            if await bot.db.fetchval(waiting, statements("users")["visit"]):
                return
            await asyncio.sleep(0.02)


async def test_a_request_in_flight_at_the_shutdown_is_answered_and_stored(database_url: str, redis_url: str) -> None:
    """The port is closed already when what the update waits for comes free: 200, and the person has ten credits."""
    async with services(database_url, redis_url) as bot:
        lock = bot.db.transaction()
        async with serving(bot):
            await bot.telegram.wait_for(lambda: bot.telegram.called("setMyCommands"))
            await lock.start()
            await bot.db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            sent = asyncio.create_task(bot.telegram.post_update(_start()))
            await _waits_for_a_lock(bot)

            async def release() -> None:
                async with asyncio.timeout(10):
                    while not is_free("127.0.0.1", bot.settings.port):  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0.02)
                await asyncio.sleep(0.5)  # far longer than aiohttp's own patience, which is not to be leant on
                await lock.commit()

            released = asyncio.create_task(release())
        await released
        assert await sent == 200
        assert await bot.credits(bot.person()) == 10


@pytest.mark.parametrize("secret", [None, "wrong", "\xff\xfe", "ключ"], ids=["none", "wrong", "odd bytes", "Cyrillic"])
async def test_the_telegram_route_wants_its_secret(bot: World, secret: str | None) -> None:
    """401 without it and with another, of whatever bytes."""
    url = f"{bot.settings.public_url}/telegram/webhook"
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
    async with aiohttp.ClientSession() as client, client.post(url, json=_start(), headers=headers) as answer:
        assert answer.status == 401
    assert await bot.credits(bot.person()) is None


async def test_a_fault_of_postgresql_inside_a_handler_is_not_swallowed(bot: World) -> None:
    """The connection is cut under the handler: 503, and the same update again has its effect."""
    lock = bot.db.transaction()
    await lock.start()
    await bot.db.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
    sent = asyncio.create_task(bot.telegram.post_update(_start()))
    await _waits_for_a_lock(bot)
    await bot.db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    assert await sent == 503
    await lock.rollback()
    assert await bot.telegram.post_update(_start()) == 200
    assert await bot.credits(bot.person()) == 10


async def test_an_update_is_sent_again_while_the_database_is_being_restored(
    postgres: Postgres, database_url: str, redis_url: str
) -> None:
    """Its name leads nowhere for a while; what people do meanwhile is not lost to an apology."""
    name = urlsplit(database_url).path[1:]
    admin = await asyncpg.connect(postgres.url)
    async with world(database_url, redis_url) as bot:
        await bot.db.close()
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name)
        await admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        assert await bot.telegram.post_update(_start()) == 503
        await admin.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert await bot.telegram.post_update(_start()) == 200
        bot.db = await asyncpg.connect(database_url)
        assert await bot.credits(bot.person()) == 10
        await bot.db.close()
    await admin.close()


async def test_a_bug_is_answered_with_an_apology_and_logged(
    bot: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would fail the same way again: 200, one sentence to the person, one error in the log."""

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug of the tests")

    person = bot.person()
    card = await bot.card(person)
    monkeypatch.setattr(Ordering, "place", broken)
    press = await person.press(card.id, "✅")
    assert [a["text"] for a in bot.telegram.answers if a["id"] == press] == [words.of("ru").apology]
    assert [call.status for call in bot.telegram.called("update") if press in call.body] == [200]
    assert "update.failed" in caplog.text
    assert await bot.credits(person) == 10


async def test_an_update_that_takes_too_long_is_ended_unanswered_and_handled_when_sent_again(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiogram would say 200 after 55 s and lose it: before that it is 503, and nothing of it is stored."""
    monkeypatch.setattr(telegram, "UPDATE_TIMEOUT_S", 0.3)
    async with bot.db.transaction():
        await bot.db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(WAIT_S - 1):  # before PostgreSQL ends the wait for the lock
            assert await bot.telegram.post_update(_start()) == 503
    monkeypatch.setattr(telegram, "UPDATE_TIMEOUT_S", 30)
    assert await bot.credits(bot.person()) is None
    assert await bot.telegram.post_update(_start()) == 200
    assert await bot.credits(bot.person()) == 10


def test_the_end_of_an_update_comes_before_aiograms() -> None:
    """aiogram's own is 55 s."""
    assert telegram.UPDATE_TIMEOUT_S < 55


async def test_what_people_did_while_the_bot_was_down_is_kept_and_the_webhook_stays(
    database_url: str, redis_url: str
) -> None:
    """The stop deletes no webhook; the next start drops nothing, and handles what was waiting."""
    async with services(database_url, redis_url) as bot:
        async with serving(bot):
            await bot.telegram.wait_for(lambda: bot.telegram.called("setMyCommands"))
        assert bot.telegram.called("deleteWebhook") == []
        assert bot.telegram.webhook["url"] == bot.settings.telegram_webhook_url
        await bot.person().send_text("/start", wait=False)
        await bot.telegram.wait_for(lambda: bot.telegram.called("update"))
        async with serving(bot):
            await bot.told(bot.person(), "10 кредитов", within_s=20)
        assert len(bot.telegram.called("setWebhook")) == 2
        assert not any("drop_pending_updates=true" in call.body.lower() for call in bot.telegram.called("setWebhook"))


async def test_the_registration_is_tried_again_while_telegram_is_away(database_url: str, redis_url: str) -> None:
    """A proxy answers twice in its place; after a pause that doubles the webhook is there."""
    async with services(database_url, redis_url) as bot:
        bot.telegram.fault("setWebhook", times=2, status=502, body="Bad Gateway")
        async with serving(bot), aiohttp.ClientSession() as client:
            await bot.telegram.wait_for(lambda: bot.telegram.called("setWebhook"))
            async with client.get(f"{bot.settings.public_url}/readyz") as answer:
                assert answer.status == 503
            await bot.telegram.wait_for(lambda: bot.telegram.called("setMyCommands"), 20)
            first, second, third = (call.at for call in bot.telegram.called("setWebhook"))
            assert third - second > second - first
            async with client.get(f"{bot.settings.public_url}/healthz") as answer:
                assert answer.status == 200


async def test_only_what_has_a_handler_is_asked_for(bot: World) -> None:
    """Messages, presses, who has unblocked the bot, and the question before a charge; the secret goes with them."""
    asked_for = ["callback_query", "message", "my_chat_member", "pre_checkout_query"]
    assert sorted(bot.telegram.webhook["allowed_updates"]) == asked_for
    assert bot.telegram.webhook["secret_token"]


async def test_previews_of_links_are_switched_off_once(bot: World) -> None:
    """The old field beside the new one would be two words on the same thing; the Bot API names one of them."""
    person = bot.person()
    await person.send_text("/start")
    await person.press((await bot.card(person)).id, "512x512")
    sent = [call.body for call in bot.telegram.calls if call.route in ("sendMessage", "editMessageText")]
    assert len(sent) >= 3
    assert [body for body in sent if "disable_web_page_preview" in body or "is_disabled" not in body] == []


async def test_parallel_updates_of_one_person_are_handled_one_after_another(bot: World) -> None:
    """Picture and description posted at the same instant both end on one card, ten times of ten."""
    for number in range(100, 110):
        person = bot.person(number)
        await person.send_text("/photo")
        parts: list[dict[str, Any]] = [
            {"photo": bot.telegram.files.photo_sizes(photograph())},
            {"text": "Кот"},
        ]
        about: dict[str, Any] = {"date": 0, "chat": person.chat, "from": person.user}
        statuses = await asyncio.gather(
            *(
                bot.telegram.post_update({"update_id": number * 2 + at, "message": {"message_id": at, **about, **part}})
                for at, part in enumerate(parts)
            )
        )
        assert statuses == [200, 200]
        card = await bot.offered(person, "✅")
        assert "Кот" in (card.text or "")
        assert len([message for message in person.messages if message.button("✅")]) == 1


async def test_a_proxys_page_in_place_of_telegrams_answer_breaks_no_order(bot: World) -> None:
    """The card keeps its old face, the order is made, and nobody gets an apology."""
    person = bot.person()
    card = await bot.card(person)
    bot.telegram.fault("editMessageText", status=502, body="<html>Bad Gateway</html>")
    press = await person.press(card.id, "✅")
    assert [a["text"] for a in bot.telegram.answers if a["id"] == press] == ["Заказ принят"]
    await bot.shown(person)
    assert await bot.credits(person) == 8
