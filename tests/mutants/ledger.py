"""What earlier runs found out, in `.local/mutants/`: what each test comes by, and how each mutant ended."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.mutants.mutant import Mutant
from tests.mutants.reach import Reached, read

type Verdict = Literal["killed", "survived", "unreached", "ungrafted", "stillborn"]
_NAME = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a mutant ended: `key` is the hash of the changed text, `tests` are those tried, each with its file's hash."""

    key: str
    verdict: Verdict
    by: str = ""
    tests: dict[str, str] = field(default_factory=dict)


class Ledger:
    """Kept after every entry, so that a run that is broken off goes on where it was."""

    def __init__(self, tree: Path, root: Path) -> None:
        self._root = root
        self._folder = tree / ".local" / "mutants"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reach: dict[str, dict[str, str]] = self._load("reach.json")
        self._endings = {name: Ending(**ending) for name, ending in self._load("endings.json").items()}
        self._hashes: dict[str, str] = {}
        tests = (path for path in (root / "tests").rglob("*.py") if not path.name.startswith("test_"))
        mutants = root / "tests" / "mutants"
        ours = [
            *(path for part in ("app", "sandbox", "sql", "migrations") for path in (root / part).rglob("*.*")),
            *tests,
        ]
        files = sorted(path for path in ours if path.suffix in (".py", ".sql") and not path.is_relative_to(mutants))
        self._bot = _hash(b"".join(path.read_bytes() for path in files))

    def reached(self, file: str) -> list[Reached] | None:
        """What the tests of this file come by, None if that is to be found out."""
        known = self._reach.get(file)
        return read(known["reached"]) if known and known["key"] == self._bot + self.of_file(file) else None

    def reaches(self, file: str, text: str) -> None:
        """Keeps what the recorder wrote of this file."""
        self._reach[file] = {"key": self._bot + self.of_file(file), "reached": text}
        self._keep("reach.json", self._reach)

    def ended(self, mutant: Mutant, text: str, tests: list[str]) -> Ending | None:
        """How it ended with the same text and tests, None if that is to be found out."""
        ending = self._endings.get(mutant.name)
        if ending is None or ending.key != _hash(text.encode()):
            return None
        asked = [ending.by] if ending.verdict == "killed" and ending.by else tests
        if ending.verdict != "stillborn" and any(ending.tests.get(test) != self.of_file(test) for test in asked):
            return None
        return ending if ending.verdict != "unreached" or not tests else None

    def tried(self, mutant: Mutant, text: str) -> set[str]:
        """Tests that did not notice it, in a file that is as it was."""
        ending = self._endings.get(mutant.name)
        if ending is None or ending.key != _hash(text.encode()) or ending.verdict != "survived":
            return set()
        return {test for test, key in ending.tests.items() if key == self.of_file(test)}

    def ends(self, mutant: Mutant, text: str, verdict: Verdict, tests: list[str], by: str = "") -> Ending:
        """Keeps how it ended."""
        ending = Ending(_hash(text.encode()), verdict, by, {test: self.of_file(test) for test in tests})
        self._endings[mutant.name] = ending
        self._keep("endings.json", {name: asdict(each) for name, each in self._endings.items()})
        return ending

    def killers(self, path: str) -> dict[str, int]:
        """Tests that have killed a mutant of this place (its name up to the colon), and how many."""
        counts: dict[str, int] = {}
        for name, ending in self._endings.items():
            if ending.verdict == "killed" and name.startswith(path):
                counts[ending.by] = counts.get(ending.by, 0) + 1
        return counts

    def of_file(self, test: str) -> str:
        """The hash of a test's file."""
        file = test.partition("::")[0]
        if file not in self._hashes:
            path = self._root / file
            self._hashes[file] = _hash(path.read_bytes()) if path.is_file() else ""
        return self._hashes[file]

    def _load(self, name: str) -> dict[str, dict[str, Any]]:
        path = self._folder / name
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def _keep(self, name: str, what: object) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(what, ensure_ascii=False), encoding="utf-8")
        new.replace(self._folder / name)


def may_live(tree: Path) -> list[re.Pattern[str]]:
    """The names in docs/reliability.md of those that may live; `*` stands for anything."""
    text = (tree / "docs" / "reliability.md").read_text(encoding="utf-8")
    _, _, table = text.partition("## Mutants")
    rows = (line.partition(" | ")[0] for line in table.partition("\n## ")[0].splitlines() if line.startswith("| `"))
    names = (name.replace("\\|", "|") for row in rows for name in _NAME.findall(row))
    return [re.compile(".*".join(re.escape(piece) for piece in name.split("*"))) for name in names]


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]
