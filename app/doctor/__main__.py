"""`python -m app.doctor`: is everything as it must be? One line a check, with its mend; exit 1 if any fails."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from app.doctor.checks import Check, examine
from app.doctor.try_model import try_model

_GREEN, _YELLOW, _RED, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"


def main() -> None:
    """Prints the report; exits with 1 if any check failed."""
    parser = argparse.ArgumentParser(
        prog="python -m app.doctor", description="Checks that everything is as it must be."
    )
    parser.add_argument("--json", action="store_true", help="a JSON list of {name, ok, text, doubtful}, no lines")
    parser.add_argument("--try-model", metavar="KEY", help="makes one real order with a model instead (docs/models.md)")
    arguments = parser.parse_args()
    checks = asyncio.run(try_model(arguments.try_model) if arguments.try_model else examine())
    if arguments.json:
        print(json.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2))
    else:
        for check in checks:
            print(_line(check))
    sys.exit(0 if all(check.ok for check in checks) else 1)


def _line(check: Check) -> str:
    mark, colour = ("warn", _YELLOW) if check.doubtful else ("ok  ", _GREEN) if check.ok else ("FAIL", _RED)
    line = f"{mark} {check.name}: {check.text}"
    return f"{colour}{line}{_PLAIN}" if sys.stdout.isatty() else line


if __name__ == "__main__":
    main()
