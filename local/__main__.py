"""`python -m local`: the sandbox, or with a BOT_TOKEN the live bot. `python -m local test`: the suite."""

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from dotenv import dotenv_values

from app import migrate
from app.settings import Settings
from local.child import Child
from local.postgres import AlreadyRunningError, Postgres
from local.redis import Redis

_ROOT = Path(__file__).resolve().parent.parent
_STATE = _ROOT / ".local"
_USAGE = "Usage: ./run_local.sh [test [pytest arguments]]"


def main(arguments: list[str]) -> int:
    """Does what the command line says; the result is the exit code."""
    if arguments[:1] == ["test"]:
        return _test(arguments[1:])
    if arguments:
        print(_USAGE, file=sys.stderr)
        return 2
    # SIGINT too: a shell that starts us in the background has it ignored.
    for stop_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop_signal, _interrupt)
    try:
        return _run()
    except KeyboardInterrupt:
        return 0
    except (AlreadyRunningError, PermissionError, RuntimeError, migrate.MigrationError) as error:
        print(error, file=sys.stderr)
        return 1


def _test(arguments: list[str]) -> int:
    os.chdir(_ROOT)
    command = [sys.executable, "-m", "pytest", *arguments]
    os.execve(sys.executable, command, _environment_without_settings())  # noqa: S606


def _environment_without_settings() -> dict[str, str]:
    """Our environment without any setting of the bot: configured addresses and keys are not for play."""
    settings = {name.upper() for name in Settings.model_fields} | {"RAILWAY_PUBLIC_DOMAIN"}
    return {name: value for name, value in os.environ.items() if name.upper() not in settings}


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run() -> int:
    configured = {name: value for name, value in dotenv_values(_ROOT / ".env").items() if value}
    configured |= {name: value for name, value in os.environ.items() if value}
    with ExitStack() as running:
        if "BOT_TOKEN" in configured:
            return _live(configured, running)
        return _sandbox(running)


def _sandbox(running: ExitStack) -> int:
    print("No BOT_TOKEN: this is the sandbox, with a Telegram, a gen-api and a YooKassa of its own", flush=True)
    environment = _environment_without_settings()
    environment["DATABASE_URL"] = _database("sandbox", running)
    environment["REDIS_URL"] = _redis(running)
    # From a folder of its own, so that a `.env` with real keys is out of reach.
    environment["PYTHONPATH"] = str(_ROOT)
    return _wait(Child.start([sys.executable, "-m", "sandbox"], env=environment, cwd=_STATE), running)


def _live(configured: dict[str, str], running: ExitStack) -> int:
    if "PUBLIC_URL" not in configured:
        raise RuntimeError(
            "BOT_TOKEN is set, so this would go live: set PUBLIC_URL to the https address that leads to "
            f"port {configured.get('PORT', '8080')} here, or unset BOT_TOKEN for the sandbox"
        )
    environment = {"LOG_FORMAT": "console", **configured, "ENV": "local"}
    if "DATABASE_URL" in configured:
        migrate.apply(configured["DATABASE_URL"])
    else:
        environment["DATABASE_URL"] = _database("live", running)
    if "REDIS_URL" not in configured:
        environment["REDIS_URL"] = _redis(running)
    return _wait(Child.start([sys.executable, "bot.py"], env=environment, cwd=_ROOT), running)


def _database(name: str, running: ExitStack) -> str:
    """The address of a migrated database in our own PostgreSQL."""
    postgres = Postgres.start(_STATE / "pg")
    running.callback(postgres.stop)
    url = postgres.create_database(name)
    migrate.apply(url)
    return url


def _redis(running: ExitStack) -> str:
    """The address of our own Redis, or "" where there is none: the bot then keeps conversations in memory."""
    if Redis.binary() is None:
        return ""
    redis = Redis.start()
    running.callback(redis.stop)
    return redis.url


def _wait(child: Child, running: ExitStack) -> int:
    """Waits until the child ends or we are told to stop; stopping is not interrupted a second time."""
    running.callback(child.stop)
    try:
        while (code := child.poll()) is None:
            time.sleep(0.1)
        return code
    finally:
        for stop_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop_signal, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
