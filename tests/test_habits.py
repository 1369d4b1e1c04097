"""What is asked of the sources themselves: linters are named once, and whoever silences one says why."""

import re
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parents[1]
_SILENCED = re.compile(r"# (?:noqa|type: ignore)\b.*")
_WITH_A_REASON = re.compile(r"# (?:noqa: [A-Z0-9, ]+ - \w|type: ignore\[[a-z-]+\]  ?# \w)")


def _sources() -> list[Path]:
    return [path for folder in ("app", "sandbox", "local", "tests") for path in (_ROOT / folder).rglob("*.py")]


def test_whoever_silences_a_linter_says_why() -> None:
    """`noqa: CODE - reason`, `type: ignore[code]  # reason`."""
    bare = [
        f"{path.relative_to(_ROOT)}: {found[0]}"
        for path in _sources()
        for found in _SILENCED.finditer(path.read_text(encoding="utf-8"))
        if path != Path(__file__) and not _WITH_A_REASON.match(found[0])
    ]
    assert bare == []


def test_a_lint_that_is_ignored_everywhere_has_its_reason_beside_it() -> None:
    """Each code in pyproject.toml's lists stands on a line with a comment."""
    text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = text[text.index("ignore = [") : text.index("[tool.coverage")]
    codes = [line for line in ignored.splitlines() if re.match(r' *"[A-Z]+\d*"', line)]
    assert len(codes) > 10
    assert [line for line in codes if "#" not in line] == []


def test_a_commit_is_linted_as_ci_lints_it() -> None:
    """The hooks of pre-commit are the tools that .ci/run calls, out of the same environment."""
    hooks: list[dict[str, Any]] = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    called = re.findall(r"^\.venv/bin/(.+)$", (_ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    names = {re.sub(r" (\.|deploy/Dockerfile)$", "", command) for command in called}
    assert {hook["entry"].removeprefix(".venv/bin/") for hook in hooks} == names


def test_the_ways_in_contributing_lead_somewhere() -> None:
    """Every path that CONTRIBUTING.md names is there."""
    text = (_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:app|docs|sandbox|tests|sql|\.ci)/[\w/.-]*)`", text)
    assert len(named) > 15
    assert [path for path in named if not (_ROOT / path).exists()] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    """Counted from one without a gap, and said in the title as in the name."""
    pages = sorted((_ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in pages]
    assert [title.partition(".")[0] for title in titles] == [f"# {number}" for number in numbers]


def test_the_documents_lead_to_documents_that_are_there() -> None:
    """Every relative link of a Markdown page."""
    pages = [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(_ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []
