"""Addresses of e-mail, as far as one can be told from a slip of the finger."""

import re

_ADDRESS = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST, _LONGEST_NAME = 254, 64


def address(text: str) -> str | None:
    """The address that a text is; None for anything else. Letters of ASCII alone: a till prints no others."""
    found = text.strip()
    if len(found) > _LONGEST or len(found.partition("@")[0]) > _LONGEST_NAME or not _ADDRESS.fullmatch(found):
        return None
    return found
