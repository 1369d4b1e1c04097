"""What is installed is what was pinned: versions, hashes, and what builds the packages that come as sources."""

import re
from pathlib import Path

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
