"""`./run_local.sh` with a BOT_TOKEN: a tunnel, the bot behind it, and what its owner is told."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

_ROOT = Path(__file__).parents[1]
_TOKEN = "4242:token-of-the-tests"
_PATIENCE_S = 100

pytestmark = pytest.mark.timeout(240)


@dataclass
class Desk:
    """The fakes, and the settings of somebody who has every key; `program` is a stand-in of cloudflared.

    `clone` has a `.local` of its own: whoever runs the tests may have a bot that lives in this one.
    """

    telegram: FakeTelegram
    environment: dict[str, str]
    program: Path
    clone: Path
    _output: bytearray = field(default_factory=bytearray)

    @asynccontextmanager
    async def run(
        self, *arguments: str, without: str = "", **changes: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """`python -m local` with these settings, less one."""
        environment = {name: value for name, value in (self.environment | changes).items() if name != without}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local",
            *arguments,
            cwd=self.clone,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await self.rest(process)

    async def told(self, process: asyncio.subprocess.Process, words: str) -> str:
        """Everything that was printed, up to the line that holds `words`."""
        assert process.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            while line := await process.stdout.readline():
                self._output += line
                if words in line.decode():
                    return self._output.decode()
        raise AssertionError(self._output.decode())

    async def doctor(self, **changes: str) -> tuple[int | None, str]:
        """The exit code and the report of `./run_local.sh doctor`."""
        async with self.run("doctor", **changes) as process:
            told, _ = await process.communicate()
        return process.returncode, told.decode()

    async def rest(self, process: asyncio.subprocess.Process) -> str:
        """Everything that was printed, once it has ended."""
        async with asyncio.timeout(_PATIENCE_S):
            self._output += (await process.communicate())[0]
        return self._output.decode()


@pytest.fixture
def clone() -> Iterator[Path]:
    """The project in another folder."""
    folder = Path(tempfile.mkdtemp(prefix="clone-"))
    folder.chmod(0o711)  # as root the server runs as nobody, who has to get through
    shutil.copytree(_ROOT / "local", folder / "local")
    for name in ("app", "sandbox", "sql", "migrations", "bot.py"):
        (folder / name).symlink_to(_ROOT / name)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def desk(database_url: str, redis_url: str, tmp_path: Path, clone: Path) -> AsyncIterator[Desk]:
    telegram, gen_api, yookassa = FakeTelegram(_TOKEN), FakeGenApi(key="key-of-gen-api"), FakeYooKassa()
    services = (telegram, gen_api, yookassa)
    for service in services:
        await service.start()
    program = tmp_path / "cloudflared"
    environment: Mapping[str, str] = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "BOT_TOKEN": _TOKEN,
        "PORT": str(free_port()),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GEN_API_KEY": gen_api.key,
        "GEN_API_URL": gen_api.url,
        "YOOKASSA_SHOP_ID": yookassa.shop_id,
        "YOOKASSA_SECRET_KEY": yookassa.secret,
        "YOOKASSA_API_URL": yookassa.url,
        "TELEGRAM_API_URL": telegram.url,
    }
    yield Desk(telegram, dict(environment), program, clone)
    for service in services:
        await service.stop()


def _tunnels(program: Path, script: str) -> None:
    program.write_text(f'#!/bin/sh\necho "Registered tunnel connection" >&2\n{script}\nexec sleep 600\n')
    program.chmod(0o755)


@asynccontextmanager
async def _busy(port: int) -> AsyncIterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


async def test_the_bot_goes_live_behind_a_tunnel_and_moves_with_its_address(desk: Desk, tmp_path: Path) -> None:
    """Its link and YooKassa's address are printed; a tunnel that comes back elsewhere is registered again."""
    _tunnels(
        desk.program,
        'cd "$(dirname "$0")"; echo x >>starts; echo $$ >pid\n'
        'echo "https://fox-$(wc -l <starts | tr -d " ").trycloudflare.com" >&2',
    )
    async with _busy(int(desk.environment["PORT"])), desk.run() as process:
        told = await desk.told(process, "yookassa webhook:")
        assert f"Port {desk.environment['PORT']} is busy" in told
        assert "https://t.me/sandbox_bot" in told
        assert "paste https://fox-1.trycloudflare.com/yookassa/webhook with the events payment.succeeded" in told
        assert "ADMIN_IDS" in told
        assert desk.telegram.webhook["url"] == "https://fox-1.trycloudflare.com/telegram/webhook"
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        await desk.told(process, "paste https://fox-2.trycloudflare.com/yookassa/webhook")
        assert desk.telegram.webhook["url"] == "https://fox-2.trycloudflare.com/telegram/webhook"
        process.send_signal(signal.SIGTERM)
        told = await desk.rest(process)
        assert process.returncode == 0
    assert desk.telegram.called("deleteWebhook") == []
    for name in ("BOT_TOKEN", "GEN_API_KEY", "YOOKASSA_SECRET_KEY"):
        assert desk.environment[name] not in told


async def test_a_start_that_waits_says_why_in_one_place(desk: Desk) -> None:
    """A wrong token: the sentence and its reason, once, and no line for every question whether it is ready."""
    async with desk.run(PUBLIC_URL="http://127.0.0.1", BOT_TOKEN="4242:of-another-token-of-tests") as process:
        told = await desk.told(process, "  telegram: refuses BOT_TOKEN: copy it from @BotFather")
        assert "The bot is not ready yet, still waiting for: telegram_webhook" in told
        process.send_signal(signal.SIGTERM)
        told = await desk.rest(process)
    assert "/readyz" not in told
    assert told.count("not ready yet") == 1


async def test_the_doctor_looks_at_the_bot_that_lives(desk: Desk) -> None:
    """The address of its tunnel, its secret and its own database: every check is well."""
    _tunnels(desk.program, 'echo "https://fox.trycloudflare.com" >&2')
    async with desk.run(without="DATABASE_URL") as process:
        await desk.told(process, "yookassa webhook:")
        code, told = await desk.doctor(DATABASE_URL="")
        assert (code, "FAIL" in told) == (0, False), told
        assert "ok   telegram webhook: https://fox.trycloudflare.com/telegram/webhook" in told
        assert "ok   postgres: schema current" in told
    code, told = await desk.doctor()
    assert code == 1
    assert "FAIL telegram webhook: is https://fox.trycloudflare.com/telegram/webhook, not" in told


async def test_the_doctor_looks_at_the_database_that_the_start_would_use(desk: Desk) -> None:
    """Nothing is set but the keys."""
    code, told = await desk.doctor(DATABASE_URL="", REDIS_URL="")
    assert code == 1
    assert "The live bot is not running here" in told
    assert "ok   postgres: schema current" in told
    assert "FAIL telegram webhook: is not set" in told


async def test_what_is_missing_is_said_before_anything_starts(desk: Desk) -> None:
    """A line a setting, with where to get it; no tunnel is opened."""
    async with desk.run(without="GEN_API_KEY", YOOKASSA_SHOP_ID="") as process:
        told = await desk.rest(process)
    assert process.returncode == 1
    assert re.search(r"GEN_API_KEY: is required .*gen-api\.ru", told)
    assert re.search(r"YOOKASSA_SHOP_ID: is required .*yookassa\.ru", told)
    assert "Traceback" not in told


async def test_a_busy_port_is_one_sentence_where_an_address_by_hand_leads_to_it(desk: Desk) -> None:
    """The next port would be one that PUBLIC_URL does not lead to."""
    async with _busy(int(desk.environment["PORT"])), desk.run(PUBLIC_URL="https://bot.example") as process:
        told = await desk.rest(process)
    assert process.returncode == 1
    assert told.splitlines() == [
        f"Port {desk.environment['PORT']} is busy, and PUBLIC_URL leads there: "
        "stop what listens on it, or set another PORT"
    ]


async def test_a_tunnel_that_cannot_be_had_is_one_sentence(desk: Desk) -> None:
    """And the end, with code 1."""
    desk.program.write_text('#!/bin/sh\necho "status_code=429" >&2; exit 1\n')
    desk.program.chmod(0o755)
    async with desk.run() as process:
        told = await desk.rest(process)
    assert process.returncode == 1
    assert len(told.splitlines()) == 1
    assert "too many tunnels" in told
