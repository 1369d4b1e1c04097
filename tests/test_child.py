"""A child process, and what is left of it."""

import os
import signal

import pytest

from local.child import Child


@pytest.mark.timeout(30)
def test_what_a_killed_child_leaves_behind_is_stopped() -> None:
    """The pipe ends when the last process that holds it has gone."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as words, os.fdopen(writer, "wb") as log:
        child = Child.start(["sh", "-c", "sleep 100 & kill -s KILL $$"], log=log)
        log.close()
        words.read()
    assert child.stop() == 128 + signal.SIGKILL
