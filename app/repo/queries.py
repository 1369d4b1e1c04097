"""Loads the named statements of `sql/`; a name that does not exist fails at import, not at three in the morning."""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "sql"
_PART = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)

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
    """All statements of `sql/{stem}.sql` by name.

    What several of them have in common stands once, as a `-- fragment: this`, and in them as `{this}`.
    """
    parts = _PART.split((_FOLDER / f"{stem}.sql").read_text(encoding="utf-8"))[1:]
    texts: dict[str, dict[str, str]] = {"fragment": {}, "name": {}}
    for kind, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        texts[kind][name] = text.strip()
    found = texts["name"]
    for fragment, text in texts["fragment"].items():
        found = {name: statement.replace(f"{{{fragment}}}", text) for name, statement in found.items()}
    return found
