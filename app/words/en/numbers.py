"""Numbers and amounts in English."""


def credits(number: int) -> str:
    """A number of credits in words."""
    return f"{number} credit" if number == 1 else f"{number} credits"


def roubles(kopecks: int) -> str:
    """An amount as people read it: kopecks only where there are any."""
    whole, rest = divmod(kopecks, 100)
    return f"{whole}.{rest:02d} ₽" if rest else f"{whole} ₽"


def money(amount: int, currency: str) -> str:
    """An amount in minor units of a currency: kopecks for RUB, Stars for XTR; of any other with its name."""
    if currency == "XTR":
        return f"⭐ {amount}"
    return roubles(amount) if currency == "RUB" else f"{amount / 100:.2f} {currency}"
