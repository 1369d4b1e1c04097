"""The operator's self-check: a green report, and a red line with its mend."""

import asyncio
import os
import sys
from pathlib import Path

from tests.world import World, world

_ROOT = Path(__file__).parents[1]


async def _doctor(**environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.doctor",
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def _environment(bot: World) -> dict[str, str]:
    values = bot.settings.model_dump()
    names = ("public_url", "database_url", "redis_url", "env", "gen_api_url", "yookassa_shop_id", "yookassa_api_url")
    secrets = ("bot_token", "webhook_secret", "gen_api_key", "yookassa_secret_key")
    return {
        **{name.upper(): str(values[name]) for name in names},
        **{name.upper(): values[name].get_secret_value() for name in secrets},
        "TELEGRAM_API_URL": bot.telegram.url,
    }


async def test_all_is_well_beside_a_running_bot(database_url: str, redis_url: str) -> None:
    """Exit 0, the YooKassa address is in the report, and no secret."""
    async with world(database_url, redis_url) as bot:
        code, report = await _doctor(**_environment(bot))
        assert code == 0, report
        assert f"{bot.settings.public_url}/yookassa/webhook" in report
        assert not any(secret in report for secret in bot.settings.secrets)


async def test_a_wrong_key_and_a_missing_setting_are_red_lines(database_url: str, redis_url: str) -> None:
    """Exit 1 with the variable's name, and no crash."""
    async with world(database_url, redis_url) as bot:
        code, report = await _doctor(**_environment(bot) | {"GEN_API_KEY": "wrong"})
        assert code == 1
        assert "FAIL gen-api" in report
    code, report = await _doctor(ENV="sandbox")
    assert code == 1
    for name in ("BOT_TOKEN", "PUBLIC_URL", "DATABASE_URL"):
        assert f"FAIL settings: {name}" in report
    assert "Traceback" not in report
