"""Amounts, which languages write alike but for the mark before kopecks."""


def roubles(kopecks: int, mark: str) -> str:
    """An amount as people read it: kopecks only where there are any."""
    whole, rest = divmod(kopecks, 100)
    return f"{whole}{mark}{rest:02d} ₽" if rest else f"{whole} ₽"


def money(amount: int, currency: str, mark: str) -> str:
    """An amount in minor units of a currency: kopecks for RUB, Stars for XTR; of any other with its name."""
    if currency == "XTR":
        return f"⭐ {amount}"
    return roubles(amount, mark) if currency == "RUB" else f"{amount / 100:.2f} {currency}"
