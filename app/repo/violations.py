"""A unique key that refuses a row is an answer: each says by its name what was there already."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


@contextmanager
def unique(constraint: str, error: type[Exception]) -> Iterator[None]:
    """Raises `error` in place of the violation of this very constraint; any other passes as it is."""
    try:
        yield
    except asyncpg.UniqueViolationError as violation:
        if violation.constraint_name != constraint:
            raise
        raise error(violation.detail) from violation
