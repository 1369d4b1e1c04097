"""`./run_local.sh crashes`: every instant of every way; `--pairs`: every change, and then every one of the recovery."""

import argparse
import asyncio
import logging
import sys
import time

import structlog

from tests.crashes.mortal import lives
from tests.crashes.walk import Report, every_death, every_pair, theatre
from tests.crashes.ways import WAYS
from tests.storm.__main__ import surroundings


def main() -> int:
    """Prints a line a way; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="run_local.sh crashes")
    parser.add_argument("--pairs", action="store_true", help="die again at each change that the recovery makes")
    parser.add_argument("--step", type=int, default=1, help="every so manieth boundary only")
    parser.add_argument("--minutes", type=float, default=600, help="begin no further way after that")
    parser.add_argument("ways", nargs="*", help=", ".join(way.__name__ for way in WAYS))
    arguments = parser.parse_args()
    # What a dying bot has to say fills screens, and is of no use
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    reports = asyncio.run(walk_all(arguments))
    return 1 if any(report.differences for report in reports) else 0


async def walk_all(arguments: argparse.Namespace) -> list[Report]:
    """Every way that is asked for, on servers of its own."""
    over_at = time.monotonic() + arguments.minutes * 60
    walk, reports = every_pair if arguments.pairs else every_death, list[Report]()
    with surroundings() as around, lives() as forked:
        async with theatre(around.database_url, around.redis.url, forked) as stage:
            for way in WAYS:
                if (arguments.ways and way.__name__ not in arguments.ways) or time.monotonic() > over_at:
                    continue
                reports.append(await walk(stage, way, step=arguments.step))
                print(reports[-1], flush=True)
    return reports


if __name__ == "__main__":
    sys.exit(main())
