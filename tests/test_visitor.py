"""Who an update is from: one statement, their language from the first contact on; and what an update costs."""

import asyncio
import functools
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from app import services, words
from app.conversation import Draft
from app.repo.records import Pool
from tests.world import World, world


@pytest.fixture
async def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the bot sends to PostgreSQL."""
    seen: list[str] = []

    async def listen(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        connection.add_query_logger(lambda record: seen.append(record.query))

    monkeypatch.setattr(asyncpg, "create_pool", functools.partial(asyncpg.create_pool, init=listen))
    return seen


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("ru", "ru"),
        ("uk", "ru"),
        ("az", "ru"),
        ("kk-KZ", "ru"),
        (None, "ru"),
        ("en", "en"),
        ("pt-br", "en"),
        ("", "ru"),
    ],
)
async def test_the_first_language_code_decides(bot: World, code: str | None, language: str) -> None:
    """It is stored, and what is said follows; a later update from another app changes nothing."""
    person = bot.person()

    async def start(code: str | None) -> None:
        sender: dict[str, Any] = {"id": person.id, "is_bot": False, "first_name": "A"}
        if code is not None:
            sender["language_code"] = code
        message = {"message_id": 1, "date": 0, "chat": person.chat, "from": sender, "text": "/start"}
        assert await bot.telegram.post_update({"update_id": 1, "message": message}) == 200

    await start(code)
    await start("en" if language == "ru" else "ru")
    assert await bot.value("SELECT language FROM users") == language
    greetings = [message.text for message in person.messages if message.outgoing]
    first_line = words.of(language).greeting(10).partition("\n")[0]
    assert [text.partition("\n")[0] for text in greetings if text] == [first_line] * 2


async def test_somebody_of_before_there_were_two_languages_keeps_russian(bot: World) -> None:
    """Whatever their Telegram speaks: nobody's words change under them."""
    await bot.db.execute("INSERT INTO users (id, credits) VALUES (5, 10)")
    await bot.db.execute("INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES (5, 10, 10, 'welcome', '5')")
    person = bot.telegram.person(5, "Ann", "en")
    await person.send_text("/status")
    await bot.told(person, "10 кредитов")
    assert await bot.value("SELECT language FROM users") is None


async def test_a_status_costs_two_statements_and_two_scripts(
    database_url: str, redis_url: str, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who it is with their balance, and the subscription; the turn taken, and given back."""

    async def no_audit(_pool: Pool) -> None:
        """The audit reads on beside everything: here only the update is counted."""

    monkeypatch.setattr(services, "audit_ledger", no_audit)
    async with world(database_url, redis_url, worker_tick_s=600) as bot, Redis.from_url(redis_url) as redis:
        person = bot.person()
        await person.send_text("/status")
        async with redis.monitor() as monitor:
            counted = []
            for _ in range(5):
                statements.clear()
                await person.send_text("/status")
                counted.append(len(statements))
            await redis.echo("the end")
            scripts = 0
            while "ECHO" not in (command := await monitor.next_command())["command"].upper():
                scripts += command["client_type"] != "lua" and not command["command"].startswith(("HELLO", "CLIENT"))
        # A worker may fall in between
        assert min(counted) == 2
        assert scripts == 5 * 2


async def _quiet(statements: list[str]) -> None:
    """Until what the workers do at the start is done."""
    async with asyncio.timeout(20):
        while statements:
            statements.clear()
            await asyncio.sleep(0.5)


async def test_first_contacts_at_once_are_one_person_each(bot: World) -> None:
    """In private and by presses, through two connections at the same instant: each is answered, one welcome."""
    people = [bot.person(number) for number in range(100, 110)]
    await asyncio.gather(*(person.press(1, "card:x:order:", at_once=True) for person in people for _ in range(4)))
    assert await bot.value("SELECT count(*) FROM users") == 10
    assert await bot.value("SELECT sum(delta) FROM ledger") == 100


BEFORE = {"file_id": "f", "album": "a", "prompt": "Кот", "card": "c", "model": "gpt-image-1", "size": "512x512"}


def test_what_the_version_before_kept_is_read() -> None:
    """One picture, the album it came in, the description, the card and what is chosen on it."""
    assert Draft.read(BEFORE) == Draft(("f",), "Кот", ("a",), "c", "gpt-image-1", "512x512")
    assert Draft.read({"prompt": "Кот"}) == Draft(prompt="Кот")


@pytest.mark.parametrize(
    "draft",
    [Draft(), Draft(("f",)), Draft(("f", "g"), "Кот", ("a",), "c", "gpt-image-2", "512x512", "low", "anime")],
)
def test_what_is_kept_comes_back_and_is_understood_by_the_version_before(draft: Draft) -> None:
    """It reads its own names beside ours."""
    data = draft.data()
    assert Draft.read(data) == draft
    if draft.sources:
        assert data["file_id"] == draft.sources[0]
    assert Draft.read({name: data[name] for name in BEFORE if name in data}) == Draft.read(
        {name: value for name, value in data.items() if name not in ("sources", "quality", "style")}
    )
