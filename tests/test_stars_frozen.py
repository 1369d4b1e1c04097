"""The question before a charge, while the database takes what it is sent and says nothing more."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiogram import Bot

from app.db import open_pool
from app.flows.purchases.invoices import Invoices, Objection
from app.gateways.stars import Stars, Told
from app.metrics import Metrics
from tests.world import TOKEN, World

PROMISED_S = 5


class Relay:
    """Passes bytes on between the bot and the database until it is frozen: nothing is closed, nothing is answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._flows = asyncio.Event()
        self._flows.set()

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass_on(reader, there_writer), self._pass_on(there_reader, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flows.wait()
            target.write(data)
        target.close()


@asynccontextmanager
async def relayed(database_url: str) -> AsyncIterator[tuple[str, Relay]]:
    """The address of the database through a relay."""
    port = urlsplit(database_url).port
    assert port
    relay = Relay(port)
    async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as server:
        yield database_url.replace(f":{port}/", f":{server.sockets[0].getsockname()[1]}/"), relay
        relay.thaw()


@pytest.mark.settings(payments="stars")
async def test_a_database_that_says_nothing_more_keeps_no_answer_back(bot: World) -> None:
    """No is said within the promised five seconds, by a connection that was there and by one that has to be made, and
    yes or no as before once it speaks again."""
    async with relayed(bot.settings.database_url) as (url, relay):
        pool = await open_pool(bot.settings.model_copy(update={"database_url": url}), at_most=2)
        invoices = Invoices(pool, pool, Metrics(), Stars(Bot(TOKEN)), sold=True)
        asked = Told("", 77, 185, "XTR", "?", refunded=False)
        try:
            assert (await invoices.check(asked, "ru")).objection is Objection.UNKNOWN
            relay.freeze()
            began = time.monotonic()
            verdicts = await asyncio.gather(*(invoices.check(asked, "ru") for _ in range(4)))
            took_s = time.monotonic() - began
            relay.thaw()
            assert {verdict.objection for verdict in verdicts} == {Objection.LATER}
            assert took_s < PROMISED_S
            async with asyncio.timeout(20):
                while (await invoices.check(asked, "ru")).objection is not Objection.UNKNOWN:
                    pass
        finally:
            pool.terminate()
