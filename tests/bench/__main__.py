"""`./run_local.sh bench`: prints the tables of docs/performance.md; with `--check` compares the ratios with its own."""

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.load import Measure
from tests.bench.report import DOCUMENT, SCENARIOS, documented, figures, ratio, ratios, regressions
from tests.bench.stage import CONTENDERS, Server, Sizes, imported, measure, stage

_WARM_UP_S = 0.3


def main() -> int:
    """Prints the tables; with `--check` 1 where a ratio is below nine tenths of what is written down."""
    parser = argparse.ArgumentParser(prog="run_local.sh bench")
    parser.add_argument("--seconds", type=float, default=3, help="of each round (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender in each scenario (3)")
    parser.add_argument("--check", action="store_true", help="compare the ratios with docs/performance.md")
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)} (all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - set(SCENARIOS):
        parser.error(f"no scenario: {', '.join(sorted(unknown))}")
    before = documented(DOCUMENT.read_text(encoding="utf-8")) if arguments.check else {}
    print(f"bench: {datetime.now(UTC):%Y-%m-%d}, {_machine()}", flush=True)
    sizes = Sizes(arguments.seconds, connections=32, people=2000)
    alone = imported()
    with stage() as servers:
        idle = {server.name: server.memory for server in servers}
        ready = {server.name: server.ready_s for server in servers}
        measured = bench(servers, arguments.scenario or list(SCENARIOS), sizes, arguments.rounds)
        after = {server.name: server.memory for server in servers}
    found = {scenario: ratio(rounds) for scenario, rounds in measured.items()}
    print(f"\n{figures(measured)}\n\n{ratios(found)}\n\n{_memory(alone, ready, idle, after)}")
    worse = regressions(found, before) if arguments.check else []
    for line in worse:
        print(line, file=sys.stderr)
    return 1 if worse else 0


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
