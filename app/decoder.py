"""Reads pictures that somebody sent, each in a process that ends with it: `python -I decoder.py PARENT`.

A picture is a program in the language of its decoder, so these processes hold nothing that is worth taking, import
libvips alone, and give up by themselves: past its memory, its seconds or its parent's life one is killed.

The parent asks over the socket that is stdin, REQUEST bytes at a time: `TASK MEMORY` with a connection starts a child,
`end PID` ends one for good. TASK is `source` (made fit for gen-api), `source-no-webp` (for a model that takes no WEBP)
or the size of a result ("512x512": made no larger), MEMORY is in bytes. On its connection comes the child's number in a
line, then, once the picture has been sent there up to its end, another line and what it announces:

- `same <format>`: the picture is right as it is;
- `new <format>`: it was encoded anew, its bytes follow;
- `large <pixels>`: it has more than MAX_PIXELS;
- `none`: it is no picture that can be read whole with this memory.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyvips

REQUEST = 64
"""Bytes of a request, filled up with spaces."""

MAX_PIXELS = 50_000_000
"""More is a decompression bomb, or costs as much as one."""

ENCODED_SIDE = 2048
"""Pixels: a source that has to be encoded anew is made no larger; no model draws more of it than that."""

CPU_S = 5
"""Ten times what an honest picture of 50 Mpx takes (measured: docs/reliability.md)."""

WALL_S = 15
"""A machine that is busy with other things gives this process less than a core."""

_FORMATS = {
    "jpegload_buffer": "jpeg",
    "pngload_buffer": "png",
    "webpload_buffer": "webp",
    "gifload_buffer": "gif",
    "tiffload_buffer": "tiff",
}
_TASKS = {"source": {"jpeg", "png", "webp"}, "source-no-webp": {"jpeg", "png"}}
_EIGHTH: dict[str, dict[str, Any]] = {"jpeg": {"shrink": 8}, "webp": {"scale": 0.125}}
_LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Tiff")
_PR_SET_PDEATHSIG = 1


def main(parent: int) -> None:
    """Serves until the parent closes its end."""
    # Ctrl-C in a terminal reaches this process as well, and the parent has orders to finish
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _die_with(parent)
    if sys.platform == "linux":
        # Once for all children: it takes ten times as long as reading a picture. It starts no thread (a test looks)
        _import_libvips()
    requests = socket.socket(fileno=0)
    while True:
        request, connections, _, _ = socket.recv_fds(requests, REQUEST, 1)
        if not request:
            return
        word, number = request.decode().split()
        if connections:
            _start(word, int(number), connections[0])
        else:
            os.kill(int(number), signal.SIGKILL)
            os.waitpid(int(number), 0)


def _start(task: str, memory: int, connection: int) -> None:
    parent = os.getpid()
    child = os.fork()
    if child:
        # Before this line it is nobody's to end, and its number stays its own until it is waited for
        os.write(connection, f"{child}\n".encode())
        os.close(connection)
        return
    try:
        # In place of the requests: whoever takes this process over can ask for nothing
        os.dup2(connection, 0)
        os.dup2(connection, 1)
        os.close(connection)
        _answer(task, memory, parent)
    finally:
        os._exit(0)


def _import_libvips() -> None:
    global pyvips  # noqa: PLW0603 - elsewhere than on Linux a fork may not follow it
    import pyvips  # noqa: PLC0415 - as above


def _answer(task: str, memory: int, parent: int) -> None:
    _import_libvips()
    _confine(memory, parent)
    with open(0, "rb", closefd=False) as incoming:
        data = incoming.read()
    try:
        answer, body = _read(data, task)
    except pyvips.Error:
        answer, body = "none", b""
    with open(1, "wb", closefd=False) as outgoing:
        outgoing.write(answer.encode() + b"\n" + body)


def _confine(memory: int, parent: int) -> None:
    _die_with(parent)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)
    pyvips.cache_set_max(0)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.alarm(WALL_S)
    os.nice(5)
    if sys.platform == "linux":
        # Not RLIMIT_AS: what the libraries map and never touch costs nothing. Elsewhere the limit means something else
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _read(data: bytes, task: str) -> tuple[str, bytes]:
    image = _open(data)
    if (pixels := image.width * image.height) > MAX_PIXELS:
        return f"large {pixels}", b""
    kind = _FORMATS[image.get("vips-loader")]
    _read_whole(data, kind)
    if task in _TASKS:
        return _source(data, image, kind, _TASKS[task])
    return _result(data, image, kind, task)


def _source(data: bytes, image: Any, kind: str, taken: set[str]) -> tuple[str, bytes]:
    uploaded = kind in taken and _field(image, "n-pages") == 1
    if uploaded and _field(image, "orientation") == 1:
        return f"same {kind}", b""
    upright = _thumbnail(data, ENCODED_SIDE, ENCODED_SIDE, no_rotate=False)
    encoded = kind if uploaded else "png"
    return f"new {encoded}", _encoded(upright, encoded)


def _result(data: bytes, image: Any, kind: str, size: str) -> tuple[str, bytes]:
    width, height = map(int, size.split("x"))
    if image.width <= width and image.height <= height:
        return f"same {kind}", b""
    return "new png", _encoded(_thumbnail(data, width, height, no_rotate=True), "png")


def _open(data: bytes, **options: Any) -> Any:
    return pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="error", **options)


def _read_whole(data: bytes, kind: str) -> None:
    """Raises where the picture breaks off: `thumbnail_buffer` would fill the rest up with grey.

    Decoded in an eighth, which reads every byte all the same.
    """
    _open(data, **_EIGHTH.get(kind, {})).avg()


def _thumbnail(data: bytes, width: int, height: int, *, no_rotate: bool) -> Any:
    return pyvips.Image.thumbnail_buffer(data, width, height=height, size="down", no_rotate=no_rotate, fail_on="error")


def _encoded(image: Any, kind: str) -> bytes:
    if image.interpretation not in ("srgb", "b-w"):
        image = image.colourspace("srgb")
    if kind == "png":
        # gen-api and Telegram read it once, so time counts for more than bytes
        data = image.write_to_buffer(".png", compression=1, keep="icc")
    else:
        data = image.write_to_buffer(f".{kind}", Q=95, keep="icc")
    return bytes(data)


def _field(image: Any, name: str) -> int:
    return int(image.get(name)) if image.get_typeof(name) else 1


if __name__ == "__main__":
    main(int(sys.argv[1]))
