"""The sandbox page without a bot: a test calls the Bot API itself, and nothing else happens."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from sandbox.books import Books
from sandbox.bot_process import BotProcess
from sandbox.genapi import FakeGenApi
from sandbox.page_server import PageServer
from sandbox.people import Person
from sandbox.room import Room
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

_WAIT_S = 10


@dataclass
class Stage:
    """The page's `address`, and its Telegram, which lives in a thread of its own."""

    address: str
    telegram: FakeTelegram

    def person(self, person_id: int) -> Person:
        """Somebody on the page."""
        return self.telegram.people[person_id]

    def bot(self, method: str, **fields: Any) -> Any:
        """What the bot would call; the result. urllib's HTTPError where Telegram refuses."""
        url, body = f"{self.telegram.url}/bot{self.telegram.token}/{method}", json.dumps(fields).encode()
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=_WAIT_S) as answer:
            return json.load(answer)["result"]


@contextmanager
def running_stage() -> Iterator[Stage]:
    """The page on a free port, with Аня (101) and Борис (102); no bot and no database."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run[T](work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_WAIT_S)

    telegram, gen_api, yookassa = FakeTelegram("4242:stage"), FakeGenApi(), FakeYooKassa()
    room = Room(telegram, gen_api, yookassa, BotProcess({}, ""), Books("postgresql://127.0.0.1:1/none"))
    page = PageServer(telegram, [telegram], [room])
    try:
        run(telegram.start())
        run(room.start())
        run(page.start(8000))
        telegram.person(101, "Аня")
        telegram.person(102, "Борис")
        stage = Stage(f"http://127.0.0.1:{page.port}/", telegram)
        stage.bot(
            "setMyCommands", commands=[{"command": name, "description": name} for name in ("start", "photo", "help")]
        )
        yield stage
    finally:
        run(page.stop())
        run(room.stop())
        run(telegram.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
