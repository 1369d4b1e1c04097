"""What people wrote and sent is not kept for ever; what the books need is."""

import asyncio

import asyncpg

from app.repo import generations, outbox
from tests.world import World, services, serving, world


async def test_finished_orders_are_wiped_and_sent_messages_removed_after_their_days(bot: World) -> None:
    """Ninety days: on the ninetieth everything is there, a day later prompt, file ids and links are gone."""
    person = bot.person()
    await person.press((await bot.card(person, "Тайна")).id, "✅")
    await bot.told(person, "✅ Готово")
    kept = "SELECT prompt, source_file_id, result_url, result_file_id FROM generations"
    for days, wiped in ((89, False), (91, True)):
        await bot.db.execute(f"UPDATE generations SET finished_at = now() - interval '{days} days'")
        await bot.db.execute(f"UPDATE outbox SET closed_at = now() - interval '{days} days'")
        await generations.wipe(bot.db, 90, 1)
        await outbox.purge(bot.db, 90, 1)
        row = await bot.db.fetchrow(kept)
        assert row is not None
        assert all(value is None for value in row) is wiped
        assert await bot.db.fetchval("SELECT count(*) FROM outbox") == (0 if wiped else 1)
    assert await bot.db.fetchval("SELECT status FROM generations") == "delivered"
    assert await bot.credits(person) == 8
    # The audit looks for the picture owed to each ready order, and a delivered one needs none any more


async def test_what_waits_for_somebody_who_blocks_the_bot_keeps_its_result_alone(bot: World) -> None:
    """Their words are wiped in time, the picture still comes when they are back, and then nothing of it is kept."""
    person = bot.person()
    card = await bot.card(person, "Тайна")
    person.block()
    await person.press(card.id, "✅")
    await bot.until("SELECT count(*) FROM outbox WHERE due_at = 'infinity'")
    await bot.db.execute("UPDATE generations SET ready_at = now() - interval '91 days'")
    assert await generations.wipe(bot.db, 90, 10) == 1
    assert await generations.wipe(bot.db, 90, 10) == 0
    assert await bot.db.fetchval("SELECT prompt FROM generations") is None
    assert await bot.db.fetchval("SELECT source_file_id FROM generations") is None
    person.unblock()
    await bot.shown(person)
    await bot.told(person, "✅ Готово")
    await bot.db.execute("UPDATE generations SET finished_at = now() - interval '91 days'")
    assert await generations.wipe(bot.db, 90, 10) == 1
    assert await bot.db.fetchval("SELECT result_url FROM generations") is None


async def test_a_long_backlog_is_removed_at_the_start_in_pieces(database_url: str, redis_url: str) -> None:
    """More than one statement takes."""
    async with services(database_url, redis_url) as bot:
        await bot.db.execute(
            "INSERT INTO outbox (chat_id, kind, ref, status, closed_at) "
            "SELECT 1, 'alert', n::text, 'sent', now() - interval '91 days' FROM generate_series(1, 2500) AS n"
        )
        async with serving(bot), asyncio.timeout(10):
            # Nothing tells that they are gone
            while await bot.db.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - nothing outside the database tells of a commit
                await asyncio.sleep(0.05)


async def test_two_replicas_wipe_the_same_backlog_at_once(database_url: str, redis_url: str) -> None:
    """Each takes what the other does not: neither waits, and nothing is left."""
    async with world(database_url, redis_url) as bot, asyncpg.create_pool(database_url, min_size=2) as pool:
        await bot.db.execute("INSERT INTO users (id, credits) VALUES (1, 1)")
        await bot.db.execute(
            "INSERT INTO generations (user_id, order_key, status, failure, model, size, price, prompt, deadline_at, "
            "finished_at) SELECT 1, n::text, 'failed', 'deadline', 'm', '512x512', 2, 'Тайна', now(), "
            "now() - interval '91 days' FROM generate_series(1, 20) AS n"
        )
        async with pool.acquire() as one, pool.acquire() as other, one.transaction():
            assert await generations.wipe(one, 90, 5) == 5
            assert await generations.wipe(other, 90, 100) == 15
        assert await bot.db.fetchval("SELECT count(*) FROM generations WHERE prompt IS NOT NULL") == 0


async def test_no_table_keeps_what_telegram_sent(bot: World) -> None:
    """Names, user names and raw updates are nowhere in the database."""
    person = bot.telegram.person(78, "Неповторимое-Имя")
    await person.send_text("Неповторимые слова без заказа")
    await bot.told(person, "/photo")
    tables = await bot.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        rows = await bot.db.fetch(f'SELECT t::text AS row FROM "{table["tablename"]}" AS t')
        assert not [row for row in rows if "Неповторим" in row["row"]], table["tablename"]
