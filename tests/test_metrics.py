"""`/metrics`: who may read it, and that it tells what happened."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.world import World, world

METRICS_TOKEN = "a-metrics-token-of-the-tests"
DOCS = Path(__file__).parents[1] / "docs"

type Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

pytestmark = pytest.mark.settings(metrics_token=METRICS_TOKEN)


async def scrape(bot: World) -> Samples:
    """Every sample, by name and labels."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    async with (
        aiohttp.ClientSession() as client,
        client.get(bot.settings.public_url + "/metrics", headers=headers) as r,
    ):
        assert r.status == 200
        families = text_string_to_metric_families(await r.text())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """The sample, None where there is none."""
    return samples.get((name, frozenset(labels.items())))


def rules() -> list[dict[str, Any]]:
    """The alert rules as Prometheus reads them."""
    (group,) = yaml.safe_load((DOCS / "alerts.rules.yaml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


async def test_only_the_bearer_of_the_token_reads_the_metrics(bot: World) -> None:
    """401 without the token, with another, and with one of odd bytes."""
    async with aiohttp.ClientSession() as client:
        for given in (None, "Bearer wrong", METRICS_TOKEN, "Bearer \xff"):
            headers = {"Authorization": given} if given else {}
            async with client.get(bot.settings.public_url + "/metrics", headers=headers) as answer:
                assert answer.status == 401


async def test_without_a_token_there_are_no_metrics(database_url: str, redis_url: str) -> None:
    """404, whatever is shown."""
    headers = {"Authorization": "Bearer "}
    async with (
        world(database_url, redis_url) as bot,
        aiohttp.ClientSession() as client,
        client.get(bot.settings.public_url + "/metrics", headers=headers) as answer,
    ):
        assert answer.status == 404


async def test_an_order_and_a_purchase_are_counted_and_timed(bot: World) -> None:
    """From the update to the outside calls; a command that does not exist is no label of its own."""
    person = bot.person()
    await bot.order(person)
    await bot.told(person, "✅ Готово")
    await bot.yookassa.pay(await bot.choose(person))
    await bot.told(person, "добавлено 10 кредитов")
    await person.send_text("/nosuchcommand")
    samples = await scrape(bot)
    for name, labels, expected in (
        ("bot_update_seconds_count", {"kind": "/photo", "outcome": "ok"}, 1),
        ("bot_update_seconds_count", {"kind": "/other", "outcome": "ok"}, 1),
        ("bot_update_seconds_count", {"kind": "callback_query", "outcome": "ok"}, 2),
        ("bot_orders_total", {"outcome": "ordered"}, 1),
        ("bot_generations_total", {"outcome": "delivered"}, 1),
        ("bot_generation_seconds_count", {}, 1),
        ("bot_generation_delivery_seconds_count", {}, 1),
        ("bot_payments_total", {"outcome": "created"}, 1),
        ("bot_payments_total", {"outcome": "linked"}, 1),
        ("bot_payments_total", {"outcome": "succeeded"}, 1),
        ("bot_payments_confirmed_total", {"source": "notification"}, 1),
        ("bot_outside_calls_total", {"service": "gen-api", "operation": "create", "outcome": "ok"}, 1),
        ("bot_outside_calls_total", {"service": "results", "operation": "fetch", "outcome": "ok"}, 1),
        ("bot_outside_calls_total", {"service": "telegram", "operation": "download", "outcome": "ok"}, 1),
        ("bot_outside_calls_total", {"service": "telegram", "operation": "sendPhoto", "outcome": "ok"}, 1),
        ("bot_outside_calls_total", {"service": "yookassa", "operation": "create_payment", "outcome": "ok"}, 1),
        ("bot_outside_call_seconds_count", {"service": "yookassa", "operation": "get_payment"}, 1),
        ("bot_database_up", {}, 1),
        ("bot_queue_items", {"queue": "queued"}, 0),
        ("bot_breaker_open", {"provider": "gen-api"}, 0),
        ("bot_pool_connections", {"state": "max"}, bot.settings.db_pool_size),
        ("bot_worker_items", {"worker": "submit"}, 0),
    ):
        assert value(samples, name, **labels) == expected, (name, labels)


async def test_a_refused_order_is_counted_with_its_status_and_reason(bot: World) -> None:
    """402 is what an operator has to hear of."""
    bot.gen_api.fault("create", status=402, body={"message": "Payment Required"})
    person = bot.person()
    await bot.order(person)
    await bot.told(person, "возвращ")
    samples = await scrape(bot)
    assert value(samples, "bot_outside_calls_total", service="gen-api", operation="create", outcome="402") == 1
    assert value(samples, "bot_generations_total", outcome="failed") == 1
    assert value(samples, "bot_generation_failures_total", reason="refused") == 1


@pytest.mark.unaudited
async def test_what_waits_is_shown_with_the_age_of_the_oldest(bot: World) -> None:
    """Queues and an open breaker come from PostgreSQL, where every replica sees the same."""
    await bot.db.execute("INSERT INTO users (id, credits) VALUES (1, 0)")
    await bot.db.execute(
        "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, source_file_id, request_id,"
        " created_at, deadline_at) "
        "VALUES (1, 'a', 'processing', 'm', 's', 2, 'p', 'f', 7, now() - interval '100 s', now() + interval '1 h')"
    )
    await bot.db.execute("INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (1, 'alert', 'b', 'infinity')")
    await bot.db.execute("UPDATE breakers SET opened_at = now(), trial_at = now() + interval '1 h'")
    samples = await scrape(bot)
    assert value(samples, "bot_queue_items", queue="processing") == 1
    assert 100 <= (value(samples, "bot_queue_oldest_seconds", queue="processing") or 0) < 200
    assert value(samples, "bot_queue_items", queue="parked") == 1
    assert value(samples, "bot_queue_items", queue="outbox") == 0
    assert value(samples, "bot_breaker_open", provider="gen-api") == 1


async def test_a_storm_of_scrapes_asks_postgresql_once(bot: World) -> None:
    """The gauges stay as they are for a few seconds, however many ask."""
    await scrape(bot)
    await bot.db.execute("INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (1, 'alert', 'b', 'infinity')")
    for samples in await asyncio.gather(*(scrape(bot) for _ in range(20))):
        assert value(samples, "bot_queue_items", queue="parked") == 0


async def test_without_postgresql_the_rest_is_still_shown(bot: World) -> None:
    """The gauges of the database go away instead of showing what was."""
    await bot.db.execute("BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    try:
        async with asyncio.timeout(4):
            samples = await scrape(bot)
    finally:
        await bot.db.execute("ROLLBACK")
    assert value(samples, "bot_database_up") == 0
    assert value(samples, "bot_queue_items", queue="outbox") is None
    assert value(samples, "bot_pool_connections", state="max") == bot.settings.db_pool_size


async def test_a_balance_that_is_not_the_sum_of_its_ledger_is_shown(database_url: str, redis_url: str) -> None:
    """The audit runs at the start."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("INSERT INTO users (id, credits) VALUES (1, 10)")
    await conn.close()
    async with world(database_url, redis_url, metrics_token=METRICS_TOKEN) as bot, asyncio.timeout(10):
        # Nothing tells that the audit has run but the gauge
        while value(await scrape(bot), "bot_ledger_differences") != 2:  # noqa: ASYNC110 - a metric tells nobody of its change
            await asyncio.sleep(0.1)


async def test_the_alert_rules_find_their_metrics_before_anything_has_happened(bot: World) -> None:
    """Each metric that a rule names is shown from the start: what appears only with its first 1 alerts nobody."""
    samples = await scrape(bot)
    for rule in rules():
        selectors = re.findall(r"\b(bot_\w+)(?:\{(.*?)\})?", rule["expr"])
        assert selectors, rule
        for name, conditions in selectors:
            wanted = {
                label: re.compile(pattern if operator == "=~" else re.escape(pattern))
                for label, operator, pattern in re.findall(r'(\w+)(=~?)"(.*?)"', conditions)
            }
            shown = [dict(labels) for found, labels in samples if found == name]
            matching = [
                labels
                for labels in shown
                if all(pattern.fullmatch(labels.get(label, "")) for label, pattern in wanted.items())
            ]
            # A gauge is compared with what it may not be: it need not have been otherwise before
            assert matching or (shown and not name.endswith("_total")), (rule["alert"], name, conditions, shown)


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    """A severity, a summary, and a row on the page; what must not be missing is there."""
    alerts = []
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        alerts.append(rule["alert"])
    page = (DOCS / "alerts.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == alerts
    wanted = {"OutboxStuck", "ManyRefunds", "GenApiOutOfMoney", "PaymentsWithoutNotification", "LedgerDiffers"}
    assert wanted <= set(alerts)


def test_every_alert_fires_when_it_must_and_not_before() -> None:
    """Prometheus's own test of the rules; each has a case that fires and one that does not."""
    cases = DOCS.parent / "tests" / "data" / "alerts.test.yaml"
    tried: dict[str, set[bool]] = {}
    for group in yaml.safe_load(cases.read_text(encoding="utf-8"))["tests"]:
        for case in group["alert_rule_test"]:
            tried.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert tried == {rule["alert"]: {True, False} for rule in rules()}
    if (promtool := shutil.which("promtool")) is None:
        assert "CI" not in os.environ
        pytest.skip("no promtool: the package prometheus has it")
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
