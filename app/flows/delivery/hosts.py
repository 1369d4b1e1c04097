"""How the hosts of results behave: one that hangs or fails gets few slots, so that other hosts' pictures find some."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from yarl import URL

from app.clients.results import Crowded, LinkDead

WELL_SLOTS = 6
"""Of the eight of first tries, so that even a host that has just begun to hang leaves some to others."""

ILL_SLOTS = 4

ILL_AFTER = 3
"""So many different pictures in a row that could not be fetched: one alone may be its own fault."""

_FIRST_PATIENCE_S = 6.0
_ILL_PATIENCE_S = 3.0
_LONGEST_PATIENCE_S = 30.0


class Full(Exception):
    """The host has all the slots that it may have."""


class Hosts:
    """What this process has seen of them."""

    def __init__(self) -> None:
        self._fetching: Counter[str] = Counter()
        self._failed: defaultdict[str, set[str]] = defaultdict(set)

    @contextmanager
    def fetching(self, url: str, ref: str, failures: int) -> Iterator[float]:
        """Within it a picture is fetched, for so many seconds at most; what is raised inside counts against the host.

        A first try is short, as what is slow has another one coming; `failures` are the tries before. Raises Full.
        """
        host = _origin(url)
        ill = len(self._failed[host]) >= ILL_AFTER
        if not failures and self._fetching[host] >= (ILL_SLOTS if ill else WELL_SLOTS):
            raise Full(host)
        patience_s = min(_LONGEST_PATIENCE_S, _FIRST_PATIENCE_S * 2**failures)
        # Tries after the first have a lane of their own, which is theirs to fill
        self._fetching[host] += not failures
        try:
            yield _ILL_PATIENCE_S if ill and not failures else patience_s
        except (LinkDead, Crowded):
            # An answer, and about this picture alone
            self._failed.pop(host, None)
            raise
        except Exception:
            self._failed[host].add(ref)
            raise
        else:
            self._failed.pop(host, None)
        finally:
            # Keeps no host that nothing is fetched from
            self._fetching -= Counter({host: not failures})


def _origin(url: str) -> str:
    try:
        return URL(url).authority
    except ValueError:
        return ""
