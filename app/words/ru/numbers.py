"""Numbers and amounts in Russian."""

import math
from functools import partial

from app.words import amounts

roubles = partial(amounts.roubles, mark=",")
money = partial(amounts.money, mark=",")


def plural(number: int, one: str, few: str, many: str) -> str:
    """The form that a number takes: 1 кредит, 2 кредита, 5 кредитов, 21 кредит."""
    tens, ones = abs(number) % 100, abs(number) % 10
    if ones == 1 and tens != 11:
        return one
    if ones in (2, 3, 4) and tens not in (12, 13, 14):
        return few
    return many


def credits(number: int) -> str:
    """A number of credits in words."""
    return f"{number} {plural(number, 'кредит', 'кредита', 'кредитов')}"


def credits_from(number: int) -> str:
    """The same after «от»: от 1 кредита, от 2 кредитов, от 21 кредита."""
    return f"{number} {plural(number, 'кредита', 'кредитов', 'кредитов')}"


def about(seconds: float) -> str:
    """A time that was measured, as people say it: in fives of seconds, or in minutes."""
    if seconds < 3:
        return "несколько секунд"
    if seconds < 58:
        return f"около {5 * round(seconds / 5)} секунд"
    whole = round(seconds / 60)
    return f"около {whole} {plural(whole, 'минуты', 'минут', 'минут')}"


def minutes(seconds: float) -> str:
    """A time that is left, in whole minutes, rounded up."""
    whole = max(1, math.ceil(seconds / 60))
    return f"{whole} {plural(whole, 'минуту', 'минуты', 'минут')}"
