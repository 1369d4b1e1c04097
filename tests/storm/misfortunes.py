"""What happens to some, and what some do, while others go on as if nothing were.

The limits are the contract's: «one person's flood», «Telegram's 429», «other people's misfortune».
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from sandbox.telegram import ChatMessage, Person
from tests.crafted import many_directories, many_scans
from tests.faults.harness import Stage
from tests.storm.weather import forge
from tests.world import photograph

ANSWER_S = 5.0
MESSAGE_S = 10.0
PICTURE_S = 60.0
_HANGS = "зависни"
_PAUSE_S = 0.5
_FIRST_PERSON = 2000


class Misfortunes:
    """An act of `seconds`: six unlucky or unpleasant people, three others, and what these noticed."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        self.counts: Counter[str] = Counter()
        self.differences: list[str] = []
        self._stage = stage
        self._over_at = time.monotonic() + seconds
        self._latest: dict[str, float] = {}

    async def run(self) -> None:
        """The whole act; the pictures that hang can be had at its end."""
        unlucky: list[Callable[[Person], Awaitable[None]]] = [
            self._hangs, self._hangs, self._crafts, self._crafts, self._is_told_to_wait, self._floods,
        ]  # fmt: skip
        url, healed = await _hanging_host()
        self._stage.gen_api.elsewhere[_HANGS] = url
        async with asyncio.TaskGroup() as act:
            for number, lives in enumerate(unlucky):
                act.create_task(self._for_as_long(self._stage.person(_FIRST_PERSON + number), lives))
            for number in range(3):
                act.create_task(self._for_as_long(self._stage.person(_FIRST_PERSON + 100 + number), self._goes_on))
            act.create_task(self._forge())
        self._stage.gen_api.elsewhere.clear()
        healed.set()
        for what, seconds in self._latest.items():
            self.counts[f"others' latest {what}, tenths of a second"] = round(seconds * 10)

    async def _for_as_long(self, person: Person, lives: Callable[[Person], Awaitable[None]]) -> None:
        payment = await self._stage.choose(person, "1000 ₽")
        await self._stage.yookassa.pay(payment)
        await self._stage.told(person, "добавлено 50", within_s=MESSAGE_S)
        while time.monotonic() < self._over_at:
            await lives(person)
            await asyncio.sleep(_PAUSE_S)

    async def _order(self, person: Person, prompt: str, picture: bytes, *, as_file: bool = False) -> None:
        start = max(message.id for message in person.messages)
        await person.send_text("/photo", wait=False)
        if as_file:
            await person.send_document(picture, "picture", "image/tiff", prompt, wait=False)
        else:
            await person.send_photo(picture, caption=prompt, wait=False)

        def card() -> ChatMessage | None:
            return next((m for m in person.messages if m.outgoing and m.id > start and m.button("✅")), None)

        found = await self._stage.telegram.wait_for(card, 60)
        assert found
        await person.press(found.id, "✅", wait=False)

    async def _hangs(self, person: Person) -> None:
        """Results that their host never gives."""
        await self._order(person, f"Кот, {_HANGS}", photograph())
        await asyncio.sleep(2)

    async def _crafts(self, person: Person) -> None:
        """Pictures made to hurt, as files: Telegram itself would take what hurts out of a photo, or refuse it."""
        picture = many_scans() if self.counts["pictures made to hurt"] % 2 else many_directories()
        await self._order(person, "Кот", picture, as_file=True)
        self.counts["pictures made to hurt"] += 1
        await asyncio.sleep(2)

    async def _is_told_to_wait(self, person: Person) -> None:
        """A chat that Telegram answers with 429."""
        self._stage.telegram.flood(30, person.id)
        await asyncio.sleep(20)

    async def _floods(self, person: Person) -> None:
        """Forty things at once."""
        for _ in range(40):
            await person.send_text("/status", wait=False)
        await asyncio.sleep(2)

    async def _forge(self) -> None:
        while time.monotonic() < self._over_at:
            await forge(self._stage.yookassa)
            await asyncio.sleep(_PAUSE_S)

    async def _goes_on(self, person: Person) -> None:
        """Asks, orders, buys; nothing of it comes too late."""
        await self._measure("answer", ANSWER_S, person, person.send_text("/status", wait=False), "На балансе")
        credits = await self._stage.credits(person) or 0
        if credits < 2:
            payment = await self._stage.choose(person, "200 ₽")
            await self._measure("message", MESSAGE_S, person, self._stage.yookassa.pay(payment), "добавлено 10")
        await self._measure("picture", PICTURE_S, person, self._order(person, "Кот", photograph()), "Готово")

    async def _measure(self, what: str, limit_s: float, person: Person, action: Awaitable[object], text: str) -> None:
        """How long after the action's begin the person is told: the message that holds `text`, new or edited."""
        before, begun = _telling(person, text), time.monotonic()
        await action
        try:
            await self._stage.telegram.wait_for(lambda: _telling(person, text) > before, 2 * limit_s)
        except TimeoutError:
            self.differences.append(f"{person.id}: no {what} within {2 * limit_s:g} s")
            return
        took = time.monotonic() - begun
        self._latest[what] = max(self._latest.get(what, 0), took)
        self.counts[f"others' {what}s"] += 1
        if took > limit_s:
            self.differences.append(f"{person.id}: a {what} after {took:.1f} s")


def _telling(person: Person, text: str) -> int:
    return sum(text in (message.text or "") for message in person.messages if message.outgoing)


async def _hanging_host() -> tuple[str, asyncio.Event]:
    """The address of a host that takes connections and says nothing until the event is set; from then on it knows no
    picture, and a fresh link is asked for.
    """
    healed = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await healed.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/picture.png", healed
