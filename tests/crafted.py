"""Pictures made to hurt whoever reads them."""

import struct
from io import BytesIO

from PIL import Image

_ORIENTATION = 0x0112
_IFD = 2 + 9 * 12 + 4


def drawn(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", orientation: int = 1) -> bytes:
    """An honest picture of one colour."""
    exif = Image.Exif()
    if orientation != 1:
        exif[_ORIENTATION] = orientation
    out = BytesIO()
    Image.new(mode, size, 100).save(out, kind, exif=exif)
    return out.getvalue()


def many_directories(count: int = 170_000) -> bytes:
    """A TIFF of 8 × 8 with so many directories: finding the last one is quadratic. 19 MB, minutes for Pillow."""
    pixels = 8 + count * _IFD
    fields = ((256, 3, 8), (257, 3, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, pixels), (277, 3, 1))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in (*fields, (278, 3, 8)))
    directory = struct.pack("<H", 9) + entries + struct.pack("<HHII", 279, 4, 1, 64)
    chain = (directory + struct.pack("<I", 8 + _IFD * number) for number in range(1, count))
    return b"II*\0\x08\0\0\0" + b"".join(chain) + directory + bytes(4) + bytes(64)


def many_scans(side: int = 7000, count: int = 4000) -> bytes:
    """A progressive JPEG whose last scan is there so many times, each a pass over every pixel. 0.6 MB, a minute."""
    out = BytesIO()
    Image.new("RGB", (side, side), (9, 9, 9)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * count + data[-2:]


def palette_on_its_side() -> bytes:
    """A PNG of 6 KB and 50 Mpx that has to be turned: 560 MB as Pillow does it."""
    return drawn("PNG", (7071, 7071), "P", orientation=6)


def broken_off(kind: str) -> bytes:
    """The first half of a picture with detail in it."""
    out = BytesIO()
    Image.effect_noise((400, 300), 80).save(out, kind)
    return out.getvalue()[: len(out.getvalue()) // 2]
