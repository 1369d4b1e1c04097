"""A picture's bytes from where gen-api keeps them."""

import asyncio
from contextlib import AsyncExitStack

from app.clients import genapi
from app.clients.genapi import GenApi
from app.clients.results import Crowded, Results
from app.flows.delivery.hosts import Full, Hosts
from app.flows.delivery.lanes import Busy
from app.metrics import Metrics

PREPARE_S = {False: 55.0, True: 80.0}
"""Fetching and scaling may take so long at the first try, and at a later one: less than the lease of its lane."""


class Fetching:
    """Fetches results, with one view of their hosts for all who do, and asks gen-api for fresh links."""

    def __init__(self, metrics: Metrics, results: Results, gen_api: GenApi) -> None:
        self._metrics = metrics
        self._results = results
        self._gen_api = gen_api
        self._hosts = Hosts()

    async def fetch(self, url: str, ref: str, failures: int, held: AsyncExitStack) -> bytes:
        """The bytes behind `url`; `ref` names the picture, `failures` counts the tries before.

        Raises LinkDead, Busy, or what is worth another try.
        """
        try:
            with self._hosts.fetching(url, ref, failures) as patience_s:
                async with asyncio.timeout(patience_s):
                    with self._metrics.outside_call("results", "fetch"):
                        return await self._results.fetch(url, held)
        except Full as error:
            raise Busy(f"{error} has its slots") from error
        except Crowded as error:
            raise Busy(str(error)) from error

    async def fresh_link(self, request_id: int) -> str | None:
        """Where gen-api says that a request's picture is now; None for nowhere. Raises genapi.Unavailable."""
        try:
            with self._metrics.outside_call("gen-api", "ask"):
                outcome = await self._gen_api.ask(request_id)
        except genapi.NotFound:
            return None
        return outcome.url
