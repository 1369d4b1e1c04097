"""Numbers and amounts in English."""

import math
from functools import partial

from app.words import amounts

roubles = partial(amounts.roubles, mark=".")
money = partial(amounts.money, mark=".")


def credits(number: int) -> str:
    """A number of credits in words."""
    return f"{number} credit" if number == 1 else f"{number} credits"


def about(seconds: float) -> str:
    """A time that was measured, as people say it: in fives of seconds, or in minutes."""
    if seconds < 3:
        return "a few seconds"
    if seconds < 58:
        return f"about {5 * round(seconds / 5)} seconds"
    whole = round(seconds / 60)
    return "about a minute" if whole == 1 else f"about {whole} minutes"


def minutes(seconds: float) -> str:
    """A time that is left, in whole minutes, rounded up."""
    whole = max(1, math.ceil(seconds / 60))
    return "1 minute" if whole == 1 else f"{whole} minutes"
