"""Days, which are written alike in every language."""

from datetime import date


def day_text(day: date) -> str:
    """A day of the calendar, as dd.mm.yyyy."""
    return day.strftime("%d.%m.%Y")
