"""Which of the bot's messages can change anything outside it: to die between two others leaves the same world.

The bot keeps nothing but what stands in PostgreSQL, in Redis and with the services. So dying before a message that only
asks, prepares, or still waits for its COMMIT is dying before the next one that changes something.
"""

import re

_BEGUN, _DONE, _UNDONE = b"BEGIN", b"COMMIT", b"ROLLBACK"
_COMMENTS = re.compile(rb"(?:\s*--[^\n]*\n)*\s*")
_OF_REDIS = re.compile(rb"\*\d+\r\n\$\d+\r\n(?:HELLO|CLIENT|PING|GET|SCRIPT)\r\n")
_OF_HTTP = re.compile(rb"(?:POST|PUT|PATCH|DELETE) (?!/bot[^/ ]+/(?:get\w+|setMyCommands) )")
"""The head of a request: nothing is done for a part of one. The menus of commands are the same after each start."""


class Statements:
    """What is said to PostgreSQL on one connection (docs: "Frontend/Backend Protocol")."""

    def __init__(self) -> None:
        self._reading: set[bytes] = set()
        self._inside = self._written = False

    def change(self, data: bytes) -> bool:
        """Whether it can change something by itself."""
        match data[:1]:
            case b"P":
                name, _, rest = data[5:].partition(b"\0")
                self._prepared(name, rest)
                return False
            case b"B":
                _portal, _, rest = data[5:].partition(b"\0")
                return self._executed(rest.partition(b"\0")[0] not in self._reading)
            case b"Q":
                return self._said(data[5:])
            case b"C" | b"D" | b"S" | b"X" | b"p" | b"\0":
                # Close, Describe, Sync, the end, a password; before that the connection's very first words
                return False
        return True

    def _prepared(self, name: bytes, text: bytes) -> None:
        text = text[_COMMENTS.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing as well
        # The driver's own question about types
        reads = text.startswith((b"SELECT", b"LISTEN", b"WITH RECURSIVE typeinfo_tree"))
        (self._reading.add if reads else self._reading.discard)(name)

    def _executed(self, writes: bool) -> bool:
        self._written |= writes
        return writes and not self._inside

    def _said(self, text: bytes) -> bool:
        if text.startswith(_BEGUN):
            self._inside, self._written = True, False
            return False
        if text.startswith((_DONE, _UNDONE)):
            self._inside = False
            return self._written and text.startswith(_DONE)
        return self._executed(not text.startswith(b"SET"))


def in_redis(data: bytes) -> bool:
    """Whether a command can change something there."""
    return not _OF_REDIS.match(data)


def over_http(data: bytes) -> bool:
    """Whether a request can change something at a service."""
    return bool(_OF_HTTP.match(data))
