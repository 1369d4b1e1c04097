"""What Linux says of processes: a process's children, and what its tree holds."""

from pathlib import Path

_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """The process and everything below it, as far as it still lives."""
    found = [pid] if exists(pid) else []
    try:
        for thread in (_PROC / str(pid) / "task").iterdir():
            for child in (thread / "children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass
    return found


def starters(pid: int) -> list[int]:
    """The processes that start those that read pictures: the process's own children, whatever else it has started."""
    found = [child for child in tree(pid) if b"decoder.py" in read(child, "cmdline")]
    return [child for child in found if f"PPid:\t{pid}\n".encode() in read(child, "status")]


def decoders(pid: int) -> list[int]:
    """Those below the process that read a picture, without the one that starts them."""
    found = [child for child in tree(pid) if b"decoder.py" in read(child, "cmdline")]
    return [child for child in found if f"PPid:\t{pid}\n".encode() not in read(child, "status")]


def exists(pid: int) -> bool:
    """Whether there is such a process; one that is dead and not yet waited for is none."""
    return b"State:" in read(pid, "status") and b"State:\tZ" not in read(pid, "status")


def resident(pid: int) -> int:
    """Bytes of memory that the process and everything below it hold; what they share counts for each.

    A child that is not yet a program of its own is left out: its memory is its parent's.
    """
    own = read(pid, "cmdline")
    grown = [pid, *(child for child in tree(pid)[1:] if read(child, "cmdline") != own)]
    pages = (line.split() for one in grown for line in read(one, "status").decode().splitlines())
    return sum(int(line[1]) * 1024 for line in pages if line and line[0] == "VmRSS:")


def read(pid: int, name: str) -> bytes:
    """A file of the process in /proc; empty once it is gone."""
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
