"""`./run_local.sh bench --scale`: every statement of sql/ among a million people, and among ten thousand."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from app import migrate
from app.repo.queries import query
from tests.bench import fill
from tests.bench.cases import CASES, Case
from tests.bench.plans import LARGE, WARM_UP, Explained, Run, summed_up
from tests.bench.stage import surroundings

FEW = 10_000
MANY = 1_000_000

FLAT = 1.2
"""Among many people a statement may take so many times what it takes among few."""

GRAIN_MS = 0.1
"""Two times that differ by less are the same: a round trip takes longer."""

_PAGES, _GRAIN_PAGES = 1.5, max(fill.OPEN.values()) + 20
"""Where the statistics know of none in a state, a row is looked for among those that are in it; twenty rows lie on one
page or on twenty."""

_RUNS = 9
_SERVER = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "256MB",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "autovacuum": "off",
}
"""So that the books are filled in minutes, and nobody tidies while it is measured; plans do not depend on them."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A case among few people and among many."""

    case: Case
    few: Run
    many: Run

    @property
    def missed(self) -> list[str]:
        """What was to be and is not, of `docs/performance.md`."""
        few, many, missed = self.few, self.many, []
        if self.case.alone:
            return []
        if whole := sorted(many.whole & LARGE):
            missed.append(f"reads {', '.join(whole)} whole")
        if self.case.bound_ms is not None:
            if many.ms > self.case.bound_ms:
                missed.append(f"takes {many.ms:.1f} ms")
            return missed
        if many.ms > FLAT * few.ms and many.ms - few.ms > GRAIN_MS:
            missed.append(f"takes {many.ms / few.ms:.2f} times as long")
        # In a tree of a hundred times as many entries a search passes one page more
        if many.pages > _PAGES * few.pages + many.descents + _GRAIN_PAGES:
            missed.append(f"touches {many.pages} pages in place of {few.pages}")
        return missed


def scale(people: int) -> list[Compared]:
    """Fills both databases, and measures every statement in them."""
    with surroundings(_SERVER) as around:
        urls = []
        for number in (FEW, people):
            began, url = time.monotonic(), around.postgres.create_database(f"people_{number}")
            migrate.apply(url)
            fill.fill(url, number)
            fill.add_open_work(url, number)
            print(f"{number:,} people in {time.monotonic() - began:.0f} s …", flush=True)
            urls.append(url)
        check_books(urls[0])
        return list(compare(urls[0], urls[1], CASES))


def check_books(database_url: str) -> None:
    """Raises AssertionError where the generator has made books that no bot would: nothing would be measured then."""
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query("audit.differences").encode()).fetchall() == []


def compare(few_url: str, many_url: str, cases: Sequence[Case]) -> Iterator[Compared]:
    """Each case in both, by turns, so that both meet the same machine."""
    with psycopg.connect(few_url, autocommit=True) as few, psycopg.connect(many_url, autocommit=True) as many:
        for case in cases:
            both = Explained(few, case), Explained(many, case)
            if not case.alone:
                for _ in range(WARM_UP):
                    for one in both:
                        one.run()
            runs = [[one.run() for one in both] for _ in range(1 if case.alone else _RUNS)]
            yield Compared(case, *(summed_up(of_one) for of_one in zip(*runs, strict=True)))


def table(compared: Sequence[Compared]) -> str:
    """As docs/performance.md has it."""
    lines = [
        "| statement | among few | among many | times | pages | pages | bound |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in compared:
        name = f"`{one.case.name}`" + (f", {one.case.of}" if one.case.of else "")
        bound = f"{FLAT} times" if one.case.bound_ms is None else f"{one.case.bound_ms:.0f} ms"
        lines.append(
            f"| {name} | {one.few.ms:.3f} ms | {one.many.ms:.3f} ms | {one.many.ms / one.few.ms:.2f} "
            f"| {one.few.pages:,} | {one.many.pages:,} | {'none' if one.case.alone else bound} |"
        )
    return "\n".join(lines)
