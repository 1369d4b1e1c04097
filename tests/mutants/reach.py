"""Which lines of the bot each test comes by, and how long it takes: a plugin of pytest that writes it down."""

import json
import sys
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest

_TOOL = 4
"""Of the six numbers of sys.monitoring: none that coverage or a debugger has."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A test that passes: its id, its seconds, and by file of ours a number whose bits are the lines."""

    test: str
    seconds: float
    lines: dict[str, int]

    def comes_by(self, path: str, lines: frozenset[int]) -> bool:
        """Whether one of these lines of the file was run; no lines: whether any was."""
        reached = self.lines.get(path, 0)
        return any(reached >> line & 1 for line in lines) if lines else reached > 0


def read(text: str) -> list[Reached]:
    """What the plugin wrote."""
    return [
        Reached(each["test"], each["seconds"], {path: int(lines, 16) for path, lines in each["lines"].items()})
        for each in json.loads(text)
    ]


class Recorder:
    """The plugin, for these pieces of code; a test that fails or is skipped notices nothing, and is left out."""

    def __init__(self, root: Path, codes: Iterable[CodeType], to: Path) -> None:
        self._root = root
        self._to = to
        self._lines: dict[str, int] = {}
        self._passed = False
        self._reached: list[dict[str, object]] = []
        events = sys.monitoring.events
        sys.monitoring.use_tool_id(_TOOL, "mutants")
        sys.monitoring.register_callback(_TOOL, events.LINE, self._line)
        for code in codes:
            sys.monitoring.set_local_events(_TOOL, code, events.LINE)

    def _line(self, code: CodeType, line: int) -> object:
        path = code.co_filename.removeprefix(f"{self._root}/")
        self._lines[path] = self._lines.get(path, 0) | 1 << line
        return sys.monitoring.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._lines, self._passed = {}, True
        sys.monitoring.restart_events()
        began = time.monotonic()
        result = yield
        if self._passed:
            lines = {path: hex(bits) for path, bits in self._lines.items()}
            seconds = round(time.monotonic() - began, 3)
            self._reached.append({"test": item.nodeid, "seconds": seconds, "lines": lines})
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._passed = self._passed and report.passed

    def write(self) -> None:
        """To the file."""
        self._to.write_text(json.dumps(self._reached), encoding="utf-8")
