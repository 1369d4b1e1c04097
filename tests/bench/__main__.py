"""`./run_local.sh bench`: prints the tables of docs/performance.md; with `--check` compares the ratios with its own.

`--scale` measures every statement among a million people, `--contention` what many want at once.
"""

import argparse
import logging
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tests.bench import contention, scale
from tests.bench.load import Measure
from tests.bench.report import DOCUMENT, SCENARIOS, documented, figures, ratio, ratios, regressions
from tests.bench.stage import CONTENDERS, Server, Sizes, imported, measure, stage

_WARM_UP_S = 0.3


def main() -> int:
    """Prints the tables; 1 where a bound is broken, or with `--check` a ratio below nine tenths of what is written."""
    parser = argparse.ArgumentParser(prog="run_local.sh bench")
    parser.add_argument("--seconds", type=float, default=3, help="of each round (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender in each scenario (3)")
    parser.add_argument("--check", action="store_true", help="compare the ratios with docs/performance.md")
    parser.add_argument("--scale", action="store_true", help="every statement among many people and among ten thousand")
    parser.add_argument("--people", type=int, default=scale.MANY, help="so many are many (1000000)")
    parser.add_argument("--contention", action="store_true", help="two replicas, and many who want the same at once")
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)} (all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - set(SCENARIOS):
        parser.error(f"no scenario: {', '.join(sorted(unknown))}")
    if arguments.people < scale.FEW:
        parser.error(f"--people: {scale.FEW} at least")
    before = documented(DOCUMENT.read_text(encoding="utf-8")) if arguments.check else {}
    print(f"bench: {datetime.now(UTC):%Y-%m-%d}, {_machine()}", flush=True)
    if arguments.scale:
        compared = scale.scale(arguments.people)
        print(f"\n{scale.table(compared)}")
        return _told([f"{one.case.name} {one.case.of}: {missed}" for one in compared for missed in one.missed])
    if arguments.contention:
        # The flows that are run in this process have a line an order
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        contests = contention.contention(contention.Sizes())
        print(f"\n{contention.table(contests)}")
        return _told([f"{one.name}: {missed}" for one in contests for missed in one.missed])
    sizes = Sizes(arguments.seconds, connections=32, people=2000)
    alone = imported()
    with stage() as servers:
        idle = {server.name: server.memory for server in servers}
        ready = {server.name: server.ready_s for server in servers}
        measured = bench(servers, arguments.scenario or list(SCENARIOS), sizes, arguments.rounds)
        after = {server.name: server.memory for server in servers}
    found = {scenario: ratio(rounds) for scenario, rounds in measured.items()}
    print(f"\n{figures(measured)}\n\n{ratios(found)}\n\n{_memory(alone, ready, idle, after)}")
    return _told(regressions(found, before) if arguments.check else [])


def _told(missed: Sequence[str]) -> int:
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


def bench(
    servers: Sequence[Server], scenarios: Sequence[str], sizes: Sizes, rounds: int
) -> Mapping[str, Mapping[str, Sequence[Measure]]]:
    """The rounds by scenario and contender; the contenders take turns, so that all meet the same machine."""
    measured: dict[str, dict[str, list[Measure]]] = {}
    for scenario in scenarios:
        for server in servers:
            measure(server, scenario, Sizes(_WARM_UP_S, sizes.connections, sizes.people))
        by_contender: dict[str, list[Measure]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds):
            for server in servers:
                by_contender[server.name].append(measure(server, scenario, sizes))
        measured[scenario] = by_contender
        print(f"{SCENARIOS[scenario]} …", file=sys.stderr, flush=True)
    return measured


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    busy = f", {os.getloadavg()[0]:.1f} others running or waiting" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores{busy}, Python {platform.python_version()}"


def _memory(
    alone: tuple[float, int], ready: Mapping[str, float], idle: Mapping[str, int], after: Mapping[str, int]
) -> str:
    lines = [
        "| memory of the process tree | ready after | idle | after the load |",
        "| --- | ---: | ---: | ---: |",
        f"| a process that imports aiogram | {alone[0]:.1f} s | {alone[1] / 2**20:.0f} MB | |",
    ]
    lines += [
        f"| {name} | {ready[name]:.1f} s | {idle[name] / 2**20:.0f} MB | {after[name] / 2**20:.0f} MB |"
        for name in idle
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
