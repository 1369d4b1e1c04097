"""Loads the named statements of `sql/`; a name that does not exist fails at import, not at three in the morning."""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "sql"
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)

used: set[str] = set()
"""Every name asked for so far: a test finds the statements that nobody uses."""


def query(name: str) -> str:
    """The text of `-- name: verb` in `sql/stem.sql`, for a name `stem.verb`; raises KeyError."""
    stem, _, verb = name.partition(".")
    text = statements(stem)[verb]
    used.add(name)
    return text


@cache
def statements(stem: str) -> dict[str, str]:
    """All statements of `sql/{stem}.sql` by name."""
    parts = _NAME.split((_FOLDER / f"{stem}.sql").read_text(encoding="utf-8"))[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
