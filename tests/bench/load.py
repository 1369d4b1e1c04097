"""The load, a process of its own: reads a `Task` as JSON, prints a `Measure` as JSON.

So many connections, each of which sends its next request as soon as the last one is answered.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, cast

import uvloop

from app.proofs import callback_url, telegram_secret
from tests import processes
from tests.bench.rows import charge, generation, request_id

ORDERS = ("order", "press")
"""What begins with a conversation of its own."""

_CLOCK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Task:
    """What to send where: `pid` is the server, whose time is measured; so many `people` and `rows` are there.

    `stubs` is the port that results lie behind.
    """

    contender: str
    scenario: str
    port: int
    pid: int
    secret: str
    connections: int
    seconds: float
    people: int
    rows: int
    stubs: int


@dataclass(frozen=True, slots=True)
class Measure:
    """What came of it; `cpu_us` is the server's CPU for a unit in microseconds, `load` our share of a core."""

    units: int
    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    load: float


class Client(asyncio.Protocol):
    """One connection that is kept: a request, then its answer."""

    def __init__(self) -> None:
        self._got = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are none of asyncio's by class
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._got, answer, self._answer = b"", self._answer, None
            if head.startswith(b"HTTP/1.1 200"):
                answer.set_result(body)
            else:
                answer.set_exception(RuntimeError(f"{head!r} {body!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(exc or ConnectionResetError("the server has closed the connection"))

    async def post(self, path: str, body: dict[str, Any], headers: str = "") -> bytes:
        """The body of the answer; raises RuntimeError for any answer but 200."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"{headers}Content-Length: {len(content)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        return await self._answer


class Load:
    """The requests of one task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._numbers = count()
        self._telegram = f"X-Telegram-Bot-Api-Secret-Token: {telegram_secret(task.secret)}\r\n"
        self._cards: list[tuple[int, str]] = []
        # Another process has sent numbers before this one
        self._updates = count(time.time_ns() // 1000)

    async def run(self) -> Measure:
        """Sends for so many seconds, or until there is nothing left to send."""
        task, loop = self._task, asyncio.get_running_loop()
        made = [await loop.create_connection(Client, "127.0.0.1", task.port) for _ in range(task.connections)]
        clients = [client for _, client in made]
        units: dict[str, Callable[[Client, int], Awaitable[object]]] = {
            "/status": lambda client, number: self._say(client, number, "/status"),
            "/start": lambda client, number: self._say(client, number, "/start"),
            "order": self._order,
            "press": lambda client, number: self._press(client, *self._cards[number]),
            "callback": self._callback,
            "notification": self._notification,
        }
        most = {"callback": task.rows, "notification": task.rows, "order": task.people}.get(task.scenario, 10**9)
        if task.scenario == "press":
            await self._during(clients, self._card, iter(range(task.people)), task.seconds)
            most = len(self._cards)
        cpu_s, own_s, begun_at = _cpu_s(task.pid), time.process_time(), time.perf_counter()
        took = await self._during(clients, units[task.scenario], iter(range(most)), task.seconds)
        elapsed_s = time.perf_counter() - begun_at
        cpu_s, own_s = _cpu_s(task.pid) - cpu_s, time.process_time() - own_s
        times = statistics.quantiles(took, n=100, method="inclusive")
        units_done = len(took)
        return Measure(
            units_done,
            units_done / elapsed_s,
            cpu_s / units_done * 1e6,
            times[49] * 1000,
            times[98] * 1000,
            own_s / elapsed_s,
        )

    async def _during(
        self,
        clients: list[Client],
        unit: Callable[[Client, int], Awaitable[object]],
        numbers: Iterator[int],
        seconds: float,
    ) -> list[float]:
        """How long each unit took, in seconds."""
        end_at, took = time.perf_counter() + seconds, []

        async def one_after_another(client: Client) -> None:
            while (begun_at := time.perf_counter()) < end_at and (number := next(numbers, None)) is not None:
                await unit(client, number)
                took.append(time.perf_counter() - begun_at)

        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(one_after_another(client))
        return took

    async def _update(self, client: Client, update: dict[str, Any]) -> bytes:
        numbered = {"update_id": next(self._updates), **update}
        return await client.post("/telegram/webhook", numbered, self._telegram)

    async def _say(self, client: Client, number: int, text: str, **more: Any) -> bytes:
        person = number % self._task.people + 1
        command = [{"type": "bot_command", "offset": 0, "length": len(text)}]
        said = more or {"text": text, "entities": command}
        return await self._update(client, {"message": {**_message(person), "from": _person(person), **said}})

    async def _card(self, client: Client, number: int) -> tuple[int, str]:
        """Two updates: /photo, and a picture with a description; the person, and what «✅» on their card bears."""
        person = number % self._task.people + 1
        await self._say(client, number, "/photo")
        photo = [
            {"file_id": f"photo-{size}", "file_unique_id": f"u{size}", "width": size, "height": size}
            for size in (90, 1280)
        ]
        answer = await self._say(client, number, "", photo=photo, caption="Кот в космосе")
        pressed = f"order:{time.time_ns()}"
        if self._task.contender == "usual":
            pressed = "order"
        elif self._task.contender == "bot":
            rows = json.loads(answer)["reply_markup"]["inline_keyboard"]
            pressed = next(button["callback_data"] for row in rows for button in row if button["text"].startswith("✅"))
        self._cards.append((person, pressed))
        return person, pressed

    async def _press(self, client: Client, person: int, pressed: str) -> bytes:
        query = {
            "id": str(next(self._updates)),
            "from": _person(person),
            "chat_instance": "1",
            "data": pressed,
            "message": {
                **_message(person),
                "text": "Карточка",
                "from": {"id": 4242, "is_bot": True, "first_name": "Bot"},
            },
        }
        return await self._update(client, {"callback_query": query})

    async def _order(self, client: Client, number: int) -> None:
        await self._press(client, *await self._card(client, number))

    async def _callback(self, client: Client, number: int) -> bytes:
        path = callback_url("", self._task.secret, generation(number))
        address = f"http://127.0.0.1:{self._task.stubs}/result/{number}.png"
        return await client.post(
            path, {"request_id": request_id(number), "status": "success", "result": [address], "cost": 2.5}
        )

    async def _notification(self, client: Client, number: int) -> bytes:
        person = number % self._task.people + 1
        payment = {"id": charge(number, person), "status": "succeeded", "paid": True}
        told = {"type": "notification", "event": "payment.succeeded", "object": payment}
        return await client.post("/yookassa/webhook", told)


def _person(person: int) -> dict[str, Any]:
    return {"id": person, "is_bot": False, "first_name": "Аня", "username": f"p{person}", "language_code": "ru"}


def _message(person: int) -> dict[str, Any]:
    chat = {"id": person, "type": "private", "first_name": "Аня", "username": f"p{person}"}
    return {"message_id": 7, "date": int(time.time()), "chat": chat}


def _cpu_s(pid: int) -> float:
    """What the server and everything below it have spent; 0 where there is no /proc."""
    stats = (processes.read(one, "stat").rpartition(b")")[2].split() for one in processes.tree(pid))
    return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) * _CLOCK_S


if __name__ == "__main__":
    task = Task(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(Load(task).run()))))
