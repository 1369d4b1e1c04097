"""What the tests of flows share that need a database and no server of anybody else's."""

from typing import Any

from prometheus_client import Counter

from app.settings import Settings


def flow_settings(database_url: str, **changes: Any) -> Settings:
    """Settings of a bot that nobody starts; `changes` are those that differ."""
    values: dict[str, Any] = {
        "_env_file": None,
        "env": "sandbox",
        "bot_token": "4242:a-token-of-the-tests",
        "public_url": "http://127.0.0.1",
        "webhook_secret": "a-secret-of-the-tests-that-is-long-enough",
        "database_url": database_url,
        "gen_api_key": "a-key-of-the-tests",
        "yookassa_shop_id": "1",
        "yookassa_secret_key": "test_key_of_the_tests",
    }
    return Settings(**values | changes)


def outcomes(counter: Counter) -> dict[str, int]:
    """What was counted, by the only label that the counter has; nothing of what never was."""
    samples = [each for family in counter.collect() for each in family.samples if each.name.endswith("_total")]
    return {next(iter(each.labels.values())): int(each.value) for each in samples if each.value}
