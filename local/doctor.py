"""The self-check with the settings, the secret and the database of the live start: `./run_local.sh doctor`."""

import fcntl
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from local import stores
from local.child import Child

_ROOT = Path(__file__).resolve().parent.parent
_OF_THE_START = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "WEBHOOK_SECRET", "ENV", "HOST", "PORT")
_NO_ADDRESS = "https://not-running.invalid"


class Note:
    """What the running live bot was started with, for the self-check; held as long as it runs, killed or not."""

    def __init__(self) -> None:
        self._path = stores.STATE / "live.json"
        self._path.parent.mkdir(exist_ok=True)
        self._file: IO[str] | None = _held(self._path)

    def write(self, environment: Mapping[str, str]) -> None:
        """Notes what the start has chosen. A second live bot of this clone is not noted."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            json.dump({name: environment[name] for name in _OF_THE_START if name in environment}, self._file)
            self._file.flush()

    def close(self) -> None:
        """The bot has ended."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()


def run_doctor(configured: Mapping[str, str], arguments: Sequence[str], running: ExitStack) -> int:
    """The self-check of the running live bot, or of the one that would be started; the result is its exit code.

    `arguments` are those of `python -m app.doctor`. A configured database is looked at as it is.
    """
    environment = {**configured, "ENV": "local"}
    started_with = _noted()
    if started_with is not None:
        environment |= started_with
    else:
        print("The live bot is not running here: its webhook and address cannot be right", file=sys.stderr, flush=True)
        environment = {"WEBHOOK_SECRET": stores.webhook_secret(), "PUBLIC_URL": _NO_ADDRESS, **environment}
        if "DATABASE_URL" not in configured:
            environment["DATABASE_URL"] = stores.database("live", running)
        if "REDIS_URL" not in configured:
            environment["REDIS_URL"] = stores.redis(running)
    doctor = self_check(environment, arguments)
    running.callback(doctor.stop)
    return doctor.wait()


def self_check(environment: Mapping[str, str], arguments: Sequence[str] = (), log: IO[bytes] | None = None) -> Child:
    """Starts `python -m app.doctor`; its report goes to `log` (our output if None)."""
    return Child.start([sys.executable, "-m", "app.doctor", *arguments], env=environment, cwd=_ROOT, log=log)


class Explanation:
    """Why a bot does not become ready, asked of the self-check while the start goes on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._report = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self._child = self_check(environment, ["--json"], self._report)

    def lines(self) -> list[str] | None:
        """What is wrong, a line each; None while that is being found out."""
        if self._child.poll() is None:
            return None
        self._report.seek(0)
        try:
            checks = json.load(self._report)
        except ValueError:
            return []
        # The webhook waits for what is wrong with Telegram, and is nothing that a person could set.
        return [
            f"{one['name']}: {one['text']}" for one in checks if not one["ok"] and one["name"] != "telegram webhook"
        ]

    def stop(self) -> None:
        """Asks no longer."""
        self._child.stop()
        self._report.close()


def _held(path: Path) -> IO[str] | None:
    """The file, locked by us until it is closed; None where somebody else holds it."""
    path.touch(mode=0o600)
    file = path.open("r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _noted() -> dict[str, str] | None:
    """What the living live bot of this clone was started with, None where there is none."""
    path = stores.STATE / "live.json"
    if not path.exists():
        return None
    if (left := _held(path)) is not None:
        left.close()
        return None
    text = path.read_text()
    noted: dict[str, str] | None = json.loads(text) if text else None  # it has only begun to start
    return noted
