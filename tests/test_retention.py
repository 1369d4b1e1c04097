"""What people wrote and sent is not kept for ever; what the books need is."""

from app.repo import generations, outbox
from tests.world import world


async def test_finished_orders_are_wiped_and_sent_messages_removed_after_their_days(
    database_url: str, redis_url: str
) -> None:
    """Ninety days: on the ninetieth everything is there, a day later prompt, file ids and links are gone."""
    async with world(database_url, redis_url) as bot:
        person = bot.person()
        await person.press((await bot.card(person, "Тайна")).id, "✅")
        await bot.says(person, lambda message: (message.text or "").startswith("✅ Готово"))
        kept = "SELECT prompt, source_file_id, result_url, result_file_id FROM generations"
        for days, wiped in ((89, False), (91, True)):
            await bot.db.execute(f"UPDATE generations SET finished_at = now() - interval '{days} days'")
            await bot.db.execute(f"UPDATE outbox SET closed_at = now() - interval '{days} days'")
            await generations.wipe(bot.db, 90)
            await outbox.purge(bot.db, 90)
            row = await bot.db.fetchrow(kept)
            assert row is not None
            assert all(value is None for value in row) is wiped
            assert await bot.db.fetchval("SELECT count(*) FROM outbox") == (0 if wiped else 1)
        assert await bot.db.fetchval("SELECT status FROM generations") == "delivered"
        assert await bot.credits(person) == 8
        # The audit looks for the picture owed to each ready order, and a delivered one needs none any more
        await bot.audit()


async def test_no_table_keeps_what_telegram_sent(database_url: str, redis_url: str) -> None:
    """Names, user names and raw updates are nowhere in the database."""
    async with world(database_url, redis_url) as bot:
        person = bot.telegram.person(78, "Неповторимое-Имя")
        await person.send_text("Неповторимые слова без заказа")
        await bot.says(person, lambda message: "/photo" in (message.text or ""))
        tables = await bot.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            rows = await bot.db.fetch(f'SELECT t::text AS row FROM "{table["tablename"]}" AS t')
            assert not [row for row in rows if "Неповторим" in row["row"]], table["tablename"]
