"""Numbers and amounts in English."""


def credits(number: int) -> str:
    """A number of credits in words."""
    return f"{number} credit" if number == 1 else f"{number} credits"


def roubles(kopecks: int) -> str:
    """An amount as people read it: kopecks only where there are any."""
    whole, rest = divmod(kopecks, 100)
    return f"{whole}.{rest:02d} ₽" if rest else f"{whole} ₽"
