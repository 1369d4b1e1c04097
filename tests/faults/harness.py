"""The real bot as processes between the fake services, and what can be done to them.

`stage()` opens a `Stage`; `stage.bot()` makes a `Bot`, which is started, killed, paused and started again. The
steps at which a kill finds it: a call that a fake service has received or has not answered yet (`stage.reached`),
and a transaction kept open before its end or in the midst of its COMMIT (`stage.held`, `stage.locked`).
`await stage.audit()` ends every row: nothing waits past its turn, and the books hold no contradiction.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
from pydantic import SecretStr
from redis.asyncio import Redis

from app.repo import audit
from app.settings import Settings
from local.ports import free_port
from sandbox.genapi import Order
from sandbox.server import Server
from sandbox.telegram import ChatMessage, Person
from tests.world import World, services

_ROOT = Path(__file__).parents[2]
_OVERDUE = """
SELECT 1 FROM generations
WHERE status = 'queued' AND claimable_at < now() - interval '3 seconds'
   OR status IN ('queued', 'submitting', 'processing') AND deadline_at < now() - interval '3 seconds'
   OR status = 'processing' AND COALESCE(poll_at, '-infinity') < now() - interval '3 seconds'
UNION ALL
SELECT 1 FROM payments WHERE status IN ('new', 'pending') AND poll_at < now() - interval '3 seconds'
UNION ALL
SELECT 1 FROM outbox WHERE status = 'pending' AND due_at < now() - interval '3 seconds'
"""

# In the test's database alone: every insert passes two gates, which nobody but a test ever closes.
_HOLDS = """
CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        hashtext(TG_TABLE_NAME || ' ' || TG_ARGV[0]),
        (COALESCE(to_jsonb(NEW) ->> 'user_id', to_jsonb(NEW) ->> 'chat_id'))::integer);
    RETURN NULL;
END $$;
""" + "".join(
    f"""
CREATE CONSTRAINT TRIGGER gate_statement AFTER INSERT ON {table} DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW EXECUTE FUNCTION pass_gate('statement');
CREATE CONSTRAINT TRIGGER gate_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pass_gate('commit');
"""
    for table in ("ledger", "outbox", "subscriptions")
)


class Ended(Exception):
    """The process ended while something was expected of it."""


class Bot:
    """`python bot.py`: started, told to end, killed, paused, and started again on its own port."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"http://127.0.0.1:{settings.port}"
        self.port = settings.port
        self.lines: list[str] = []
        self.environment = environment(settings)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._started_at_line = 0
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Starts the process, and waits until it has registered itself with Telegram."""
        await self.launch()
        await self.logged("telegram.registered", 120)

    async def launch(self) -> None:
        """Starts the process and waits for nothing."""
        assert not self.alive
        self._started_at_line = len(self.lines)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "bot.py", cwd=_ROOT, env=self.environment, stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read(self._process))

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is paused)."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The number of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL, and the end of the process."""
        if self.alive:
            self.signal(signal.SIGKILL)
        await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal: SIGTERM to end it, SIGSTOP to pause it, SIGCONT to let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, within_s: float = 15) -> int:
        """The exit code, once the process has ended; negative for a signal that ended it."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(within_s):
            code = await self._process.wait()
            await self._reading
        return code

    async def logged(self, event: str, within_s: float = 40) -> dict[str, Any]:
        """The first line with that event that the process has written since its start, now or soon.

        Raises Ended if it ends without.
        """
        async with asyncio.timeout(within_s):
            while True:
                for line in self.lines[self._started_at_line :]:
                    if f'"event": "{event}"' in line:
                        found: dict[str, Any] = json.loads(line)
                        return found
                if self._reading is None or self._reading.done():
                    raise Ended(f"without {event}: {self.lines[-5:]}")
                await self._news.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        try:
            async for line in process.stderr:
                self.lines.append(line.decode(errors="replace").rstrip())
                print(f"bot {process.pid}:", self.lines[-1], file=sys.stderr)  # pytest shows it where a test fails
                self._tell()
        finally:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


@dataclass
class Stage(World):
    """The fake services, and as many bots between them as a test makes; `pool` survives a restart of PostgreSQL."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    patience_s = 30
    bots: list[Bot] = field(default_factory=list)

    def bot(self, **changes: Any) -> Bot:
        """A bot that is not started yet, on the public port; `changes` are settings."""
        made = Bot(self.settings.model_copy(update=changes))
        self.bots.append(made)
        return made

    @asynccontextmanager
    async def replicas(self, count: int = 2, **changes: Any) -> AsyncIterator[list[Bot]]:
        """Bots that are not started yet, behind a balancer on the public port."""
        bots = [self.bot(port=free_port(), **changes) for _ in range(count)]
        async with balancer(self.settings.port, [bot.port for bot in bots]):
            yield bots

    def reached(self, service: Server, route: str, moment: Literal["before", "after"], **fault: Any) -> asyncio.Event:
        """Set when the next call of the route is received, or has taken effect; the answer waits till its bot is dead.

        Answer and bot go on by themselves after 60 s. `fault` as in `Server.fault`.
        """
        here = asyncio.Event()

        async def hold() -> None:
            here.set()
            deaths = [asyncio.create_task(bot.ended(60)) for bot in self.bots if bot.alive]
            await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)

        setattr(service.fault(route, **fault), moment, hold)
        return here

    async def card(self, person: Person, prompt: str = "", data: bytes | None = None) -> ChatMessage:
        """The person orders as far as the card, with a prompt of their own."""
        return await super().card(person, prompt or f"Кот №{person.id}.", data)

    async def order(self, person: Person, prompt: str = "") -> ChatMessage:
        """The person presses «✅» on a card; the press is redelivered for as long as the bot is down."""
        card = await self.card(person, prompt)
        await person.press(card.id, "✅", wait=False)
        return card

    async def order_at_gen_api(self, person: Person) -> Order:
        """The person's order as gen-api knows it, now or soon."""

        def look() -> Order | None:
            return next((o for o in self.gen_api.orders.values() if f"№{person.id}." in o.fields["prompt"]), None)

        found = await self.gen_api.wait_for(look, 20)
        assert found is not None
        return found

    async def delivered(self, person: Person, balance: int = 8) -> None:
        """The person gets the picture, for one price and with one create call, however often a press came."""
        await self.told(person, "Готово")
        await self.presses_answered(person)
        await super().delivered(person, balance)
        assert self.creates(person) == 1

    async def refunded(self, person: Person, balance: int = 10, after: int = 0) -> ChatMessage:
        """The person is told of a refund, where a kill came between twice, and has what they had."""
        message = await self.told(person, "возвращ", after=after)
        await self.presses_answered(person)
        assert await self.credits(person) == balance
        return message

    async def presses_answered(self, person: Person) -> None:
        """Waits until the bot has answered every press of the person: a redelivered one may come after its picture."""

        def answered() -> bool:
            return all(press.answer is not None for press in self.telegram.presses if press.person_id == person.id)

        await self.telegram.wait_for(answered, 60)

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first value of the query's answer."""
        return await self.pool.fetchval(sql, *arguments)

    @asynccontextmanager
    async def locked(self, person: Person) -> AsyncIterator[None]:
        """Keeps the lock on a person's row: a transaction about their money waits before it changes anything."""
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", person.id)
            yield

    @asynccontextmanager
    async def held(self, table: str, moment: Literal["statement", "commit"], person: Person) -> AsyncIterator[None]:
        """Keeps a transaction that inserts a row about the person open, in that statement or in its COMMIT.

        PostgreSQL rolls the first back when the bot is killed, and carries the second out.
        """
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT pg_advisory_xact_lock(hashtext($1), $2)", f"{table} {moment}", person.id)
            yield

    async def blocked(self, statements: int = 1) -> None:
        """Waits until so many statements of the bots wait for a lock."""
        await self.until(
            "SELECT count(*) >= $1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'picture-bot' AND wait_event_type = 'Lock'",
            statements,
        )

    async def disconnected(self) -> None:
        """Waits until PostgreSQL has ended what the dead left behind."""
        await self.until(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'picture-bot')"
        )

    def creates(self, person: Person) -> int:
        """How many create calls gen-api got for the person's orders (each prompt names the person)."""
        return sum(f"№{person.id}." in call.body for call in self.gen_api.called("create"))

    async def let_leases_run_out(self, later_s: float = 90) -> None:
        """It is so much later: what the dead held, and what was put off, till then is due. What has no end stays."""
        for table, column, waiting in (
            ("generations", "claimable_at", "status IN ('queued', 'submitting')"),
            ("outbox", "due_at", "status = 'pending'"),
            ("payments", "poll_at", "status IN ('new', 'pending')"),
        ):
            await self.pool.execute(
                f"UPDATE {table} SET {column} = now() "
                f"WHERE {waiting} AND {column} BETWEEN now() AND now() + make_interval(secs => $1)",
                later_s,
            )

    async def let_locks_run_out(self) -> None:
        """A minute and a half later no conversation is locked by the dead; for when no bot lives, who may hold one."""
        assert not any(bot.alive for bot in self.bots)
        async with Redis.from_url(self.settings.redis_url) as redis:
            async for key in redis.scan_iter("*:lock"):
                if 0 < await redis.ttl(key) <= 90:
                    await redis.delete(key)

    async def audit(self) -> None:
        """Nothing waits past its turn, now or soon, and the books hold no contradiction."""
        await self.until(f"SELECT NOT EXISTS ({_OVERDUE})")
        async with self.pool.acquire() as conn:
            assert await audit.differences(conn) == []


@asynccontextmanager
async def stage(database_url: str, redis_url: str, **changes: Any) -> AsyncIterator[Stage]:
    """The fake services on free ports; the bots that are made between them are killed at the end."""
    async with services(database_url, redis_url, **changes) as around:
        await around.db.execute(_HOLDS)
        # No idle connection is kept: some tests restart the server under it.
        async with asyncpg.create_pool(database_url, min_size=0, max_inactive_connection_lifetime=1) as pool:
            services_and_db = (around.telegram, around.gen_api, around.yookassa, around.settings, around.db)
            made = Stage(*services_and_db, pool)
            try:
                yield made
            finally:
                for bot in made.bots:
                    if bot.alive:
                        await bot.kill()


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables of a process."""
    variables = {"PATH": os.environ["PATH"]}
    for name in Settings.model_fields:
        if (value := getattr(settings, name)) is None:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        variables[name.upper()] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return variables


@asynccontextmanager
async def balancer(port: int, backends: Sequence[int]) -> AsyncIterator[None]:
    """Passes each connection to 127.0.0.1:`port` on to the next backend that accepts one."""
    turn = 0
    open_tasks: set[asyncio.Task[Any]] = set()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal turn
        for _ in backends:
            turn += 1
            try:
                return await asyncio.open_connection("127.0.0.1", backends[turn % len(backends)])
            except OSError:
                continue
        raise ConnectionRefusedError

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_tasks.add(task)
        task.add_done_callback(open_tasks.discard)
        try:
            back_reader, back_writer = await connect()
            try:
                await asyncio.gather(_pass_on(reader, back_writer), _pass_on(back_reader, writer))
            finally:
                back_writer.close()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield
        for task in open_tasks:
            task.cancel()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
