"""The operator's self-check: a green report, and for each fault a red line with its mend."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from app.catalog import MODELS
from app.doctor.checks import Check, examine
from app.doctor.try_model import try_model
from app.repo import stuck
from sandbox.networks import NETWORKS
from tests.world import World

_ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.unaudited


@pytest.fixture(autouse=True)
def _settings_in_the_environment(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor finds the running bot's."""
    for name, value in _environment(bot).items():
        monkeypatch.setenv(name, value)


def _environment(bot: World) -> dict[str, str]:
    values = bot.settings.model_dump()
    names = ("public_url", "database_url", "redis_url", "env", "gen_api_url", "yookassa_shop_id", "yookassa_api_url")
    secrets = ("bot_token", "webhook_secret", "gen_api_key", "yookassa_secret_key")
    return {
        **{name.upper(): str(values[name]) for name in names},
        **{name.upper(): values[name].get_secret_value() for name in secrets},
        "TELEGRAM_API_URL": bot.telegram.url,
    }


async def _red() -> dict[str, str]:
    """The failed checks by name."""
    return {check.name: check.text for check in await examine() if not check.ok}


async def _doctor(*arguments: str, **environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.doctor",
        *arguments,
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_all_is_well_beside_a_running_bot(bot: World) -> None:
    """Exit 0, a line a check, the YooKassa address and events in the report, and no secret."""
    code, report = await _doctor(**_environment(bot))
    assert code == 0, report
    assert all(line.startswith("ok   ") for line in report.splitlines())
    assert f"{bot.settings.public_url}/yookassa/webhook" in report
    assert "refund.succeeded" in report
    assert "https://t.me/sandbox_bot" in report
    assert not any(secret in report for secret in bot.settings.secrets)


async def test_machines_get_the_same_as_json(bot: World) -> None:
    """`--json` is a list of name, ok and text, with the same exit code."""
    code, report = await _doctor("--json", **_environment(bot) | {"GEN_API_KEY": "wrong"})
    assert code == 1
    checks = [Check(**check) for check in json.loads(report)]
    assert [check.name for check in checks if not check.ok] == ["gen-api"]
    assert len(checks) == 12


async def test_missing_settings_are_red_lines() -> None:
    """Exit 1 with each variable's name, and no crash."""
    code, report = await _doctor(ENV="sandbox")
    assert code == 1
    for name in ("BOT_TOKEN", "PUBLIC_URL", "DATABASE_URL"):
        assert f"FAIL settings: {name}" in report
    assert "Traceback" not in report


async def test_a_wrong_key_is_named(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service itself is asked, and the line names the variable."""
    for setting, value, check in (
        ("BOT_TOKEN", "4242:another", "telegram"),
        ("GEN_API_KEY", "another", "gen-api"),
        ("YOOKASSA_SECRET_KEY", "test_another", "yookassa"),
        ("YOOKASSA_SHOP_ID", "999", "yookassa"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(setting, value)
            assert setting in (await _red())[check]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("BOT_TOKEN", "telegram"),
        ("GEN_API_KEY", "gen-api"),
        ("YOOKASSA_SECRET_KEY", "yookassa"),
        ("YOOKASSA_OAUTH_TOKEN", "yookassa webhook"),
    ],
)
@pytest.mark.parametrize("odd", ["\t", "\n", "ы", " ", "\x01"])
async def test_an_odd_letter_in_a_key_is_a_red_line(
    bot: World, monkeypatch: pytest.MonkeyPatch, name: str, check: str, odd: str
) -> None:
    """Pasted with a tab or a line break inside; the rest is looked at all the same, where the settings let it."""
    monkeypatch.setenv(name, f"{_environment(bot).get(name, 'token')[:-1]}{odd}x")
    red = await _red()
    assert check in red or "settings" in red
    assert len(red) <= 2


async def test_a_wrong_password_of_redis_is_named(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no server that is away."""
    monkeypatch.setenv("REDIS_URL", bot.settings.redis_url.replace("://", "://nobody:wrong@"))
    assert await _red() == {"redis": "refuses the user or the password: check REDIS_URL"}


async def test_a_service_that_does_not_answer_is_a_red_line(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are still looked at."""
    for setting, value, checks in (
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", {"postgres", "ledger", "work"}),
        ("REDIS_URL", "redis://127.0.0.1:1/0", {"redis"}),
        ("TELEGRAM_API_URL", "http://127.0.0.1:1", {"telegram", "telegram webhook"}),
        ("GEN_API_URL", "http://127.0.0.1:1", {"gen-api"}),
        ("YOOKASSA_API_URL", "http://127.0.0.1:1", {"yookassa"}),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(setting, value)
            red = await _red()
            assert set(red) == checks
            assert all(setting in text for text in red.values())


async def test_a_schema_that_is_behind_is_found(bot: World) -> None:
    """A migration of this code is not applied, or none is."""
    await bot.db.execute("DELETE FROM _yoyo_migration")
    assert "app.migrate" in (await _red())["postgres"]


async def test_in_production_a_seller_without_a_name_a_number_or_an_address_is_red(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What /terms and /paysupport would not say is named; outside production it may be missing."""
    assert "seller" not in await _red()
    monkeypatch.setenv("ENV", "production")
    monkeypatch.setenv("PUBLIC_URL", "https://bot.example")
    assert (await _red())["seller"].startswith("SELLER_NAME, SELLER_INN, SUPPORT_CONTACT not set")
    monkeypatch.setenv("SELLER_NAME", "ИП Иванов")
    monkeypatch.setenv("SELLER_INN", "500100732259")
    assert (await _red())["seller"].startswith("SUPPORT_CONTACT not set")
    monkeypatch.setenv("SUPPORT_CONTACT", "@ivanov")
    assert "seller" not in await _red()


async def test_an_empty_database_is_told_to_migrate(
    bot: World, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three checks need the schema; each says the same mend."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    red = await _red()
    assert set(red) == {"postgres", "ledger", "work"}
    assert all("app.migrate" in text for text in red.values())


async def test_a_balance_that_is_not_its_ledger_is_found(bot: World) -> None:
    """Somebody wrote credits by hand."""
    await bot.db.execute("INSERT INTO users (id, credits) VALUES (31, 5)")
    assert "user 31" in (await _red())["ledger"]


async def test_a_webhook_that_is_absent_or_elsewhere_is_found(bot: World) -> None:
    """Another bot's address, or none at all."""
    bot.telegram.webhook = {}
    assert "not set" in (await _red())["telegram webhook"]
    bot.telegram.webhook = {"url": "https://elsewhere.example/telegram/webhook"}
    assert "https://elsewhere.example" in (await _red())["telegram webhook"]


async def test_a_failed_delivery_counts_while_it_is_recent(bot: World) -> None:
    """Telegram keeps the last error for ever; an old one is no failure."""
    failed = {"last_error_message": "Wrong response\nfrom the webhook: 502", "last_error_date": int(time.time())}
    bot.telegram.webhook.update(failed)
    assert "Wrong response from the webhook: 502" in (await _red())["telegram webhook"]
    bot.telegram.webhook["last_error_date"] -= 3600
    assert await _red() == {}


async def test_updates_that_pile_up_are_found(bot: World) -> None:
    """A few are normal, hundreds are not."""
    bot.telegram.webhook["pending_update_count"] = 3
    assert await _red() == {}
    bot.telegram.webhook["pending_update_count"] = 300
    assert "300 updates" in (await _red())["telegram webhook"]


async def test_a_low_balance_at_gen_api_is_found(bot: World) -> None:
    """Before it is empty."""
    bot.gen_api.balance = 12.5
    assert "12.5" in (await _red())["gen-api"]


async def test_a_test_key_of_a_live_shop_is_found(bot: World) -> None:
    """Its payments would not be credited; a shop that does not say what it is passes."""
    bot.yookassa.fault("me", status=200, body={"account_id": bot.settings.yookassa_shop_id, "test": False})
    assert "live shop" in (await _red())["yookassa"]
    for answer in (404, 200):
        bot.yookassa.fault("me", status=answer, body={"account_id": bot.settings.yookassa_shop_id})
        assert await _red() == {}


async def test_work_that_nobody_does_is_found(bot: World) -> None:
    """A message, an order, a picture without its message and a payment, each past its time; others' are left out."""
    await bot.db.execute("INSERT INTO users (id, credits) VALUES (31, 0)")
    await bot.db.execute(
        "INSERT INTO outbox (chat_id, kind, ref, attempt, due_at, created_at) VALUES "
        "(31, 'payment_canceled', 'failing', 12, now() + interval '5 minutes', now() - interval '2 hours'), "
        "(31, 'payment_canceled', 'of somebody who blocks the bot', 1, 'infinity', now() - interval '2 hours')"
    )
    assert (await _red())["work"].startswith("stuck: 1 messages, the oldest for 60 min")
    await bot.db.execute("UPDATE outbox SET status = 'sent', closed_at = now()")
    # A picture whose message is lost: no worker looks for it. The payment is another shop's.
    await bot.db.execute(
        "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, source_file_id, deadline_at, "
        "result_url, ready_at) VALUES (31, 'k', 'ready', 'm', 's', 2, 'p', 'f', now(), 'https://x', now())"
    )
    await bot.db.execute(
        "INSERT INTO payments (id, user_id, plan, credits, amount, shop_id, test, request, poll_at) VALUES "
        "(gen_random_uuid(), 31, 'p200', 10, 20000, 'another', true, '{}', now() - interval '1 day')"
    )
    assert (await _red())["work"].startswith("stuck: 1 pictures without a message, ")


async def test_a_dead_bot_leaves_orders_and_payments_behind(database_url: str) -> None:
    """What its workers would have dealt with at once; a payment of another shop is not this bot's."""
    db = await asyncpg.connect(database_url)
    try:
        await db.execute("INSERT INTO users (id, credits) VALUES (31, 0)")
        await db.execute(
            "INSERT INTO generations (user_id, order_key, model, size, price, prompt, source_file_id, deadline_at) "
            "VALUES (31, 'k', 'm', 's', 2, 'p', 'f', now() - interval '10 minutes')"
        )
        await db.execute(
            "INSERT INTO payments (id, user_id, plan, credits, amount, shop_id, test, request, poll_at) "
            "SELECT gen_random_uuid(), 31, 'p200', 10, 20000, shop, true, '{}', now() - interval '20 minutes' "
            "FROM unnest(ARRAY['ours', 'another']) AS shop"
        )
        found = await stuck.overdue(db, "ours", True)
    finally:
        await db.close()
    assert [(queue.name, queue.rows, round(queue.oldest_s / 60)) for queue in found] == [
        ("orders", 1, 10),
        ("payments", 1, 20),
    ]


@pytest.mark.parametrize("model", MODELS)
async def test_a_model_is_tried_with_one_order_and_its_cost_is_told(
    bot: World, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No callback is waited for; the bot hears nothing of it."""
    monkeypatch.setattr("app.doctor.try_model._ASK_EVERY_S", 0.1)
    [check] = await try_model(model)
    assert check.ok, check.text
    assert f"{NETWORKS[MODELS[model].network].cost:.2f} ₽" in check.text
    [order] = bot.gen_api.orders.values()
    assert (order.network.name, order.images) == (MODELS[model].network, [])
    assert bot.gen_api.called("callback") == []


async def test_a_model_that_does_not_draw_is_said_to(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is gone, a failure with its reason, a key that the catalogue does not hold."""
    monkeypatch.setattr("app.doctor.try_model._ASK_EVERY_S", 0.1)
    bot.gen_api.gone.add("gpt-image-2")
    bot.gen_api.failure = "moderation"
    said = {key: (await try_model(key))[0] for key in ("gpt-image-1", "gpt-image-2", "gpt-image-9")}
    assert not any(check.ok for check in said.values())
    assert "moderation" in said["gpt-image-1"].text
    assert "refused (404)" in said["gpt-image-2"].text
    assert "not in the catalogue" in said["gpt-image-9"].text


async def test_the_doctor_s_command_tries_a_model(bot: World) -> None:
    code, said = await _doctor("--try-model", "gpt-image-2", **_environment(bot))
    assert (code, "ok   model gpt-image-2: draws" in said) == (0, True), said


async def test_of_the_ways_to_pay_only_those_that_are_offered_are_looked_at(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Stars alone YooKassa is not asked for; a webhook that is not asked before a charge is red."""
    names = [check.name for check in await examine()]
    assert "yookassa" in names
    assert "stars" not in names
    monkeypatch.setenv("PAYMENTS", "stars")
    monkeypatch.delenv("YOOKASSA_SHOP_ID")
    monkeypatch.delenv("YOOKASSA_SECRET_KEY")
    checks = {check.name: check for check in await examine()}
    assert not {"yookassa", "yookassa webhook"} & set(checks)
    assert checks["stars"].ok
    bot.telegram.webhook["allowed_updates"] = ["message"]
    assert list(await _red()) == ["stars"]
