"""`./run_local.sh mutants [--minutes N] [--only sql|python] [part of a name …]`: which changes no test notices."""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby, zip_longest
from pathlib import Path

from tests.mutants import expressions, statements
from tests.mutants.company import Play
from tests.mutants.ledger import Ending, Ledger, may_live
from tests.mutants.mutant import Mutant
from tests.mutants.reach import Reached
from tests.mutants.stage import Stage, stage

_TREE = Path(__file__).resolve().parents[2]
_ELSEWHERE = ("bench", "browser", "crashes", "faults", "fuzz", "storm", "mutants", "data")
"""Folders of tests that run the bot as a process, or for long: what they come by is not seen."""
_PROCESSES = (
    *("child", "ipv6", "live", "migrate", "migrate_live", "pgbouncer", "rolling", "room"),
    *("run_local", "sandbox", "scale", "stores", "tunnel"),
)
_ENOUGH_S = 30.0
"""Seconds of tests that a mutant has to survive."""
_LITTLE_S = 1.0
"""What a test takes at most that is tried with each of its parameters at once."""


def main() -> int:
    """Prints a line a mutant that no test noticed; 1 where docs/reliability.md does not say why one may live."""
    parser = argparse.ArgumentParser(prog="run_local.sh mutants")
    parser.add_argument("--minutes", type=float, default=600, help="begin no further mutant after that")
    parser.add_argument("--only", choices=["sql", "python"])
    parser.add_argument("names", nargs="*", help="only mutants whose names contain one of these")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    over_at = time.monotonic() + arguments.minutes * 60
    with stage(_TREE, _files()) as running:
        ledger = Ledger(_TREE, running.root)
        everything = [*statements.mutants(running.root), *expressions.mutants(running.root)]
        asked = [
            mutant
            for mutant in everything
            if arguments.only in (None, mutant.kind)
            and (not arguments.names or any(part in mutant.name for part in arguments.names))
        ]
        trial = _Trial(running, ledger, _reached(running, ledger))
        endings = dict[Mutant, Ending]()
        # Broken off, it says how far it has come
        with suppress(KeyboardInterrupt):
            for mutant in asked:
                if time.monotonic() > over_at:
                    break
                endings[mutant] = trial.of(mutant)
                if endings[mutant].verdict not in ("killed", "stillborn"):
                    print(f"{endings[mutant].verdict}: {mutant.name}", flush=True)
    return _sum_up(asked, endings)


def _files() -> list[str]:
    """Those with tests that run the bot in their own process."""
    paths = sorted((_TREE / "tests").rglob("test_*.py"))
    ours = [path for path in paths if path.parent.name not in _ELSEWHERE]
    return [str(path.relative_to(_TREE)) for path in ours if path.stem.removeprefix("test_") not in _PROCESSES]


def _reached(running: Stage, ledger: Ledger) -> list[Reached]:
    """What each test comes by, from this run or an earlier one."""
    found: list[Reached] = []
    names = set(running.tests)
    for file, tests in groupby(running.tests, lambda test: test.partition("::")[0]):
        known = ledger.reached(file)
        if known is None:
            began, to = time.monotonic(), running.root.parent / "reach.json"
            to.write_text("[]")
            running.play(Play(list(tests), 900, reach=to))
            ledger.reaches(file, to.read_text(encoding="utf-8"))
            known = ledger.reached(file) or []
            print(f"{file}: {len(known)} tests, {time.monotonic() - began:.0f} s", flush=True)
        # A test whose name is made of the hour is another one by now
        found += [test for test in known if test.test in names]
    return found


class _Trial:
    """Lets the tests that come by a mutant look for it."""

    def __init__(self, running: Stage, ledger: Ledger, reached: list[Reached]) -> None:
        self._stage = running
        self._ledger = ledger
        self._reached = reached

    def of(self, mutant: Mutant) -> Ending:
        """Until the first test that notices; known endings are not tried again."""
        whole = (self._stage.root / mutant.path).read_bytes()
        text = mutant.text_of(whole).decode()
        if mutant.kind == "sql":
            text = statements.statement(text, mutant.name.split(":")[0].split(".")[1])
        tests = self._enough(mutant)
        known = self._ledger.ended(mutant, text, [test.test for test in tests])
        if known is not None:
            return known
        if mutant.kind == "sql" and not self._stage.prepares(text):
            return self._ledger.ends(mutant, text, "stillborn", [])
        names = [test.test for test in tests]
        if not names:
            return self._ledger.ends(mutant, text, "unreached", [])
        tried = self._ledger.tried(mutant, text)
        left = [test for test in tests if test.test not in tried]
        if left:
            seconds = sum(test.seconds for test in left)
            played = self._stage.play(Play([test.test for test in left], 30 + 2 * seconds, mutant))
            if not played.grafted:
                return self._ledger.ends(mutant, text, "ungrafted", names)
            if played.noticed:
                return self._ledger.ends(mutant, text, "killed", [played.noticed], played.noticed)
        return self._ledger.ends(mutant, text, "survived", names)

    def _enough(self, mutant: Mutant) -> list[Reached]:
        """What has killed its neighbours first, then the quickest; of those that take longer, one of each kind."""
        kinds: dict[str, list[Reached]] = {}
        coming = [test for test in self._reached if test.comes_by(mutant.reach_in, mutant.lines)]
        coming.sort(key=lambda test: test.seconds)
        for test in coming:
            kind = test.test if test.seconds < _LITTLE_S else test.test.partition("[")[0]
            kinds.setdefault(kind, []).append(test)
        in_turn = [test for test in chain(*zip_longest(*kinds.values())) if test is not None]
        killers = self._ledger.killers(mutant.name.split(":")[0])
        in_turn.sort(key=lambda test: -killers.get(test.test, 0))
        return list(_up_to(in_turn, _ENOUGH_S))


def _up_to(tests: Iterable[Reached], seconds: float) -> Iterator[Reached]:
    for test in tests:
        yield test
        seconds -= test.seconds
        if seconds < 0:
            return


def _sum_up(asked: list[Mutant], endings: dict[Mutant, Ending]) -> int:
    """The share killed, by place; those that live without a reason."""
    allowed = may_live(_TREE)
    counts: dict[str, Counter[str]] = {}
    unexplained: list[str] = []
    for mutant, ending in endings.items():
        if ending.verdict == "stillborn":
            continue
        lives = ending.verdict != "killed"
        explained = lives and any(name.fullmatch(mutant.name) for name in allowed)
        place = "/".join(mutant.path.split("/")[:2]) if mutant.kind == "python" else "sql"
        counts.setdefault(place, Counter())["may live" if explained else ending.verdict] += 1
        if lives and not explained:
            unexplained.append(mutant.name)
    for place, count in counts.items():
        killed, whole = count["killed"], count.total()
        rest = ", ".join(f"{number} {verdict}" for verdict, number in count.items() if verdict != "killed")
        print(f"{place}: {killed} of {whole} killed ({killed / whole:.1%}){', ' if rest else ''}{rest}")
    print(f"{len(endings)} of {len(asked)} tried; {len(unexplained)} live without a reason in docs/reliability.md")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
