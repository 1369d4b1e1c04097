"""What a mutant is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

type Kind = Literal["sql", "python"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file: the bytes from `start` to `end` become `instead`.

    `name` says where and what, and stays the same while the lines around it move. `lines` are those of which a test
    has to reach one to notice: of `path`, or for a statement of the module that runs it.
    """

    kind: Kind
    name: str
    path: str
    start: int
    end: int
    instead: bytes
    reach_in: str
    lines: frozenset[int]

    def text_of(self, whole: bytes) -> bytes:
        """The file as the mutant has it."""
        return whole[: self.start] + self.instead + whole[self.end :]


def numbered(mutants: Iterable[Mutant]) -> list[Mutant]:
    """The same change in the same place a second time is `… (2)`."""
    counts: dict[str, count[int]] = {}
    named = []
    for mutant in mutants:
        number = next(counts.setdefault(mutant.name, count(1)))
        named.append(mutant if number == 1 else replace(mutant, name=f"{mutant.name} ({number})"))
    return named
