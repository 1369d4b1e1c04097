"""`./run_local.sh` on machines that have this or that: its own bash, pip and venv, without a network."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PYTHON = Path(sys.executable).resolve()
_INSTALLS = "Installing the dependencies; the first time takes a minute."
# Finds the Python of a `.venv` first, as uv does, and one of its own once that was fetched.
_UV = f"""
case "$1 $2" in
"python install") : >"$0.fetched" ;;
"python find") ls .venv/bin/python 2>/dev/null || {{ [ -e "$0.fetched" ] && echo {_PYTHON}; }} ;;
esac
"""
_TOOLS = ("cat", "cksum", "dirname", "ls", "rm", "tail")


class Machine:
    """A clone in a folder with a space, beside a PATH that holds the few standard tools and what is put there."""

    def __init__(self, home: Path) -> None:
        self.clone, self.bin = home / "my bot", home / "bin"
        self.bin.mkdir()
        for tool in _TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        (self.clone / "local").mkdir(parents=True)
        (self.clone / "local" / "__main__.py").write_text("import sys, thing\nprint(thing.VERSION, *sys.argv[1:])\n")
        shutil.copy(_ROOT / "run_local.sh", self.clone)
        self.require(1)

    def put(self, name: str, script: str) -> None:
        """A command on the PATH."""
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def require(self, version: int) -> None:
        """The pins: one small package, which lies in the clone."""
        name, info = f"thing-{version}-py3-none-any.whl", f"thing-{version}.dist-info"
        with zipfile.ZipFile(self.clone / name, "w") as wheel:
            wheel.writestr("thing.py", f"VERSION = {version}")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        (self.clone / "requirements.txt").write_text(f"./{name}\n")
        (self.clone / "requirements-dev.txt").write_text("")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`./run_local.sh` from elsewhere, in a process group of its own."""
        command = [shutil.which("bash") or "bash", str(self.clone / "run_local.sh"), *arguments]
        environment = {"PATH": str(self.bin), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        out = err = subprocess.PIPE
        return subprocess.Popen(
            command, env=environment, cwd="/", stdout=out, stderr=err, text=True, start_new_session=True
        )

    def run(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Its exit code, its output and the lines of its errors."""
        with self.start(*arguments) as process:
            output, errors = process.communicate()
        return process.returncode, output, errors.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_without_python_312_gets_one_sentence(machine: Machine) -> None:
    machine.put("python3", "exit 1")
    sentence = "Python 3.12 is needed: install it from https://www.python.org/downloads/, or install uv."
    assert machine.run() == (1, "", [sentence])
    machine.put("uv", "echo error: no network >&2; exit 1")
    sentence = "uv cannot fetch Python 3.12: try 'uv python install 3.12', or install it by other means."
    assert machine.run() == (1, "", [sentence])


def test_a_python_without_venv_gets_the_sentence_that_names_the_package(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    machine.put("python3.12", f'PYTHONPATH="{tmp_path}" exec {_PYTHON} "$@"')
    sentence = "Python 3.12 is here without its venv module: install the package python3.12-venv."
    assert machine.run() == (1, "", [sentence])


def test_uv_fetches_a_python_and_a_start_killed_while_it_installed_is_made_good(machine: Machine) -> None:
    machine.put("uv", _UV)
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/other-1-py3-none-any.whl"
        (machine.clone / "requirements-dev.txt").write_text(f"other @ {url}\n")
        with machine.start() as process:
            index.settimeout(100)
            with index.accept()[0]:  # pip asks for the package
                os.killpg(process.pid, signal.SIGKILL)
    half_made = machine.clone / ".venv" / "half-made"
    half_made.touch()
    machine.require(1)
    assert machine.run("test", "a b") == (0, "1 test a b\n", [_INSTALLS])
    assert not half_made.exists()


def test_only_changed_requirements_are_installed_again(machine: Machine) -> None:
    machine.put("python3", f'exec {_PYTHON} "$@"')
    assert machine.run() == (0, "1\n", [_INSTALLS])
    assert machine.run() == (0, "1\n", [])
    machine.require(2)
    assert machine.run() == (0, "2\n", [_INSTALLS])
    assert machine.run() == (0, "2\n", [])
