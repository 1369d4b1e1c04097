"""Medians over the rounds, as the tables of docs/performance.md; and whether ratios have become worse than those."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

from tests.bench.load import Measure

SCENARIOS = {
    "/status": "`/status`",
    "/start": "`/start` of a known person",
    "press": "a press that orders",
    "order": "a whole order, three updates",
    "callback": "gen-api's callback",
    "notification": "YooKassa's notification, with its read",
}
"""What is measured, and what it is called."""

TOLERANCE = 0.9
"""A ratio below this share of the documented one is a regression."""

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"

_NAMES = {"floor": "floor", "usual": "usual stack", "bot": "this bot"}
_RATIO = re.compile(r"^\| (?P<name>[^|]+) \| (?P<usual>\d+\.\d+) \| (?P<floor>\d+\.\d+) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ratio:
    """This bot as a multiple of the usual stack and as a share of the floor: 1 is as fast, more is faster."""

    usual: float
    floor: float


def middle(rounds: Sequence[Measure]) -> Measure:
    """The median of each figure."""
    return Measure(*(median(getattr(one, field.name) for one in rounds) for field in fields(Measure)))


def ratio(rounds: Mapping[str, Sequence[Measure]]) -> Ratio:
    """Of each round by itself, whose contenders met the same machine, and then the median.

    By CPU a unit, which a machine that is busy with other things hardly changes; by units a second where nobody says.
    """

    def to(other: str) -> float:
        pairs = zip(rounds[other], rounds["bot"], strict=True)
        return median(
            theirs.cpu_us / ours.cpu_us if theirs.cpu_us and ours.cpu_us else ours.per_s / theirs.per_s
            for theirs, ours in pairs
        )

    return Ratio(to("usual"), to("floor"))


def figures(measured: Mapping[str, Mapping[str, Sequence[Measure]]]) -> str:
    """The table of all figures, a line for each contender in each scenario."""
    lines = ["| | | a second | CPU | p50 | p99 | load's core |", "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for scenario, by_contender in measured.items():
        for name, rounds in by_contender.items():
            one = middle(rounds)
            lines.append(
                f"| {SCENARIOS[scenario]} | {_NAMES[name]} | {one.per_s:,.0f} | {one.cpu_us:,.0f} µs "
                f"| {one.p50_ms:.0f} ms | {one.p99_ms:.0f} ms | {one.load:.0%} |"
            )
    return "\n".join(lines)


def ratios(found: Mapping[str, Ratio]) -> str:
    """The table that `--check` reads again."""
    lines = ["| this bot | times the usual stack | of the floor |", "| --- | ---: | ---: |"]
    lines += [f"| {SCENARIOS[scenario]} | {one.usual:.2f} | {one.floor:.2f} |" for scenario, one in found.items()]
    return "\n".join(lines)


def documented(text: str) -> dict[str, Ratio]:
    """The ratios in a text that holds the table of `ratios`, by scenario."""
    scenarios = {name: scenario for scenario, name in SCENARIOS.items()}
    found = (match for match in _RATIO.finditer(text) if match["name"] in scenarios)
    return {scenarios[match["name"]]: Ratio(float(match["usual"]), float(match["floor"])) for match in found}


def regressions(found: Mapping[str, Ratio], before: Mapping[str, Ratio]) -> list[str]:
    """A sentence for each ratio that is below nine tenths of what it was, or was never written down."""
    worse = []
    for scenario, now in found.items():
        name = SCENARIOS[scenario]
        if scenario not in before:
            worse.append(f"{name}: docs/performance.md has no ratio")
            continue
        for what, is_now, was in (
            ("times the usual stack", now.usual, before[scenario].usual),
            ("of the floor", now.floor, before[scenario].floor),
        ):
            if is_now < TOLERANCE * was:
                worse.append(f"{name}: {is_now:.2f} {what}, was {was:.2f}")
    return worse
