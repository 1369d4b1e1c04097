"""Threads that a test waits for."""

import asyncio
import threading


async def end_of_threads(prefix: str, within_s: float = 20) -> None:
    """Returns once no thread whose name begins with `prefix` is left; TimeoutError else."""
    async with asyncio.timeout(within_s):
        for thread in threading.enumerate():
            if thread.name.startswith(prefix):
                await asyncio.to_thread(thread.join)
