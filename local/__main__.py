"""`python -m local`: the sandbox, or with a BOT_TOKEN the live bot; `doctor`, `test`, and four harnesses."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from dotenv import dotenv_values

from app import migrate
from app.settings import Settings
from local import stores
from local.child import Child
from local.doctor import run_doctor
from local.live import run_live
from local.postgres import AlreadyRunningError

_ROOT = Path(__file__).resolve().parent.parent
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Two more than there are cores, as most tests wait for something; in their own order, as the longest modules have few
_WORKERS = min(4, (os.cpu_count() or 1) + 2)
_ON_EVERY_CORE = ("-n", str(_WORKERS), "--dist", "loadscope", "--no-loadscope-reorder")
_HARNESSES = ("storm", "crashes", "mutants", "bench")
_USAGE = """Usage: ./run_local.sh [doctor [--json] | test [pytest arguments] | storm [--minutes N] [--seed N]
                       | crashes [--pairs] [--step N] [--minutes N] [way …]
                       | mutants [--only sql|python] [--minutes N] [part of a name …]
                       | bench [--check] [--seconds N] [--rounds N] [scenario …]
                       | bench --scale [--people N] | bench --contention]"""


def main(arguments: list[str]) -> int:
    """Does what the command line says; the result is the exit code."""
    if arguments[:1] == ["test"]:
        # The whole suite on every core, each with servers of its own; what is asked for by name runs as pytest would
        _become("pytest", arguments[1:] or _ON_EVERY_CORE)
    if arguments and arguments[0] in _HARNESSES:
        _become(f"tests.{arguments[0]}", arguments[1:])
    if arguments and arguments[0] != "doctor":
        print(_USAGE, file=sys.stderr)
        return 2
    # SIGINT too: a shell that starts us in the background has it ignored.
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, _interrupt)
    try:
        return _run(arguments[1:] if arguments else None)
    except KeyboardInterrupt:
        return 0
    except (AlreadyRunningError, PermissionError, RuntimeError, migrate.MigrationError) as error:
        print(error, file=sys.stderr)
        return 1


def _become(module: str, arguments: Sequence[str]) -> NoReturn:
    os.chdir(_ROOT)
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, _environment_without_settings())  # noqa: S606 - our own interpreter becomes the module


def _environment_without_settings() -> dict[str, str]:
    """Our environment without any setting of the bot: configured addresses and keys are not for play."""
    settings = {name.upper() for name in Settings.model_fields} | {"RAILWAY_PUBLIC_DOMAIN"}
    return {name: value for name, value in os.environ.items() if name.upper() not in settings}


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Stopping in order is not interrupted a second time.
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(doctor: list[str] | None) -> int:
    """The self-check with these arguments; with None the live bot, or without a BOT_TOKEN the sandbox."""
    configured = {name: value for name, value in dotenv_values(_ROOT / ".env").items() if value}
    configured |= {name: value for name, value in os.environ.items() if value}
    with ExitStack() as running:
        if doctor is not None:
            return run_doctor(configured, doctor, running)
        if "BOT_TOKEN" in configured:
            return run_live(configured, running)
        return _sandbox(running)


def _sandbox(running: ExitStack) -> int:
    print("No BOT_TOKEN: this is the sandbox, with a Telegram, a gen-api and a YooKassa of its own", flush=True)
    environment = _environment_without_settings()
    environment["DATABASE_URL"] = stores.database("sandbox", running)
    environment["REDIS_URL"] = stores.redis(running)
    # From a folder of its own, so that a `.env` with real keys is out of reach.
    environment["PYTHONPATH"] = str(_ROOT)
    return _wait(Child.start([sys.executable, "-m", "sandbox"], env=environment, cwd=stores.STATE), running)


def _wait(child: Child, running: ExitStack) -> int:
    """Waits until the child ends or we are told to stop."""
    running.callback(child.stop)
    while (code := child.poll()) is None:
        time.sleep(0.1)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
