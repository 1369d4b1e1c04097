"""A child process that does not outlive this one, even when this one is killed with SIGKILL."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

# The shell waits at a pipe whose other end only we hold. When we stop or die it closes, and the shell passes
# the stop signal on. Works on Linux and macOS alike, which the kernel's own means do not. A child that was killed
# may leave children of its own: they are of the shell's process group, and are told to stop as the watcher is.
_GUARD = """
signal=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & child=$!
{ read _; kill -s "$signal" $child; } <&3 &
exec 3<&-
wait $child; code=$?
trap '' TERM; kill -s TERM 0
exit $code
"""


class Child:
    """A running command. It has a session of its own, so that Ctrl-C reaches only us and we stop in order."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(
        cls,
        command: Sequence[object],
        *,
        stop_signal: str = "TERM",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: IO[bytes] | None = None,
        account: tuple[int, int] | None = None,
    ) -> Self:
        """Starts `command`; output goes to `log` (ours if None); `account` is the (uid, gid) to run as."""
        as_whom: dict[str, object] = {}
        if account is not None:
            as_whom = {"user": account[0], "group": account[1], "extra_groups": []}
        process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]  # the overloads take no dict
            ["/bin/sh", "-c", _GUARD, "sh", stop_signal, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,
            **as_whom,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The number of the shell that waits for the command."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Waits until it ends; the exit code."""
        return self._process.wait()

    def stop(self, timeout: float = 15) -> int:
        """Asks it to stop, kills it after `timeout` seconds, and returns the exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()
