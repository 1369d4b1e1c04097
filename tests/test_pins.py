"""What is installed is what was pinned: versions, hashes, and what builds the packages that come as sources."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[1]


def test_the_image_installs_nothing_that_is_not_pinned_by_hash() -> None:
    """A package without a wheel is built by the setuptools of requirements-build.txt, not by the newest of the day."""
    dockerfile = (_ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip install (.+?) &&", dockerfile)
    assert installs
    for install in installs:
        assert "--require-hashes" in install
        assert "--no-binary" not in install or "--no-build-isolation" in install
    for name in re.findall(r"-r (\S+)", " ".join(installs)):
        assert f"COPY {name} ." in dockerfile
        pins = re.findall(r"^[\w.-]+==(?:.+\\\n)+(?:.*--hash.*)$", (_ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert pins, name
    assert re.search(r"^setuptools==", (_ROOT / "requirements-build.txt").read_text("utf-8"), re.MULTILINE)


def test_a_package_that_another_asks_for_with_extras_is_pinned_with_them() -> None:
    """With hashes pip finds no pin for `coverage[toml]` in that of `coverage`, takes the newest, and refuses it."""
    texts = [(_ROOT / f"requirements{kind}.txt").read_text(encoding="utf-8") for kind in ("", "-dev")]
    pinned = [Requirement(pin) for text in texts for pin in re.findall(r"^\w.*?(?= \\)", text, re.MULTILINE)]
    extras = {canonicalize_name(pin.name): pin.extras for pin in pinned}
    asked = [one for name in extras for one in _asked_for_by(name) if one.extras]
    assert asked
    for one in asked:
        assert one.extras <= extras[canonicalize_name(one.name)], one


def _asked_for_by(name: str) -> list[Requirement]:
    """What a package needs here; nothing where it is for another platform."""
    try:
        found = map(Requirement, requires(name) or ())
        return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    except PackageNotFoundError:
        return []
