"""Numbers that no earlier run has given out: the bot's database outlives the fakes and remembers theirs."""

import itertools
import time
from collections.abc import Iterator


def fresh_numbers() -> Iterator[int]:
    """Successive numbers, from this second on (Unix time)."""
    return itertools.count(int(time.time()))
