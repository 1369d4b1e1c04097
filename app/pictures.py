"""Pictures by their bytes: what may go to gen-api, and a result in the size that was chosen."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

MAX_BYTES = 20 * 1024 * 1024
"""What a bot can download from Telegram."""

MAX_PIXELS = 50_000_000
"""More is a decompression bomb, or costs as much memory as one."""

ENCODED_SIDE = 4096
"""Pixels: what has to be encoded anew is made no larger. It is more than twice of any size that the model makes, and 50
Mpx would take half a minute as a PNG, which the end of the process had to wait for."""

_MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_READABLE = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ORIENTATION = 0x0112

# A picture of 50 Mpx takes up to 0.7 GB while it is worked on: two at a time, and results do not wait for sources.
_SOURCES = ThreadPoolExecutor(2, "sources")
_RESULTS = ThreadPoolExecutor(2, "results")

# The header's size is checked here before a pixel is decoded; Pillow's own limit would only warn.
Image.MAX_IMAGE_PIXELS = None


class NotAPicture(Exception):
    """The bytes are no picture that can be read."""


class TooLarge(Exception):
    """A picture of more bytes or pixels than are taken."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is uploaded; `mime` and `filename` tell the truth about `data`."""

    data: bytes
    mime: str
    filename: str


async def inspect(data: bytes) -> Picture:
    """A person's picture made fit for gen-api: JPEG, PNG or WEBP, upright; untouched where it is already.

    Raises NotAPicture or TooLarge.
    """
    return await asyncio.get_running_loop().run_in_executor(_SOURCES, _inspect, data)


async def fit(data: bytes, size: str) -> bytes:
    """A result no larger than `size` ("512x512"): scaled down to a PNG, or as it is. Raises NotAPicture."""
    return await asyncio.get_running_loop().run_in_executor(_RESULTS, _fit, data, size)


def _inspect(data: bytes) -> Picture:
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{len(data)} bytes")
    image = _decode(data)
    # A phone's MPO is a JPEG with more pictures behind it
    source = "JPEG" if image.format == "MPO" else image.format or ""
    animated = source != "JPEG" and getattr(image, "n_frames", 1) > 1
    kind = source if source in _MIME and not animated else "PNG"
    upright = image.getexif().get(_ORIENTATION, 1) == 1
    if kind != source or animated or not upright:
        image = ImageOps.exif_transpose(image)
        image = _plain(image) if kind == "PNG" else image
        image.thumbnail((ENCODED_SIDE, ENCODED_SIDE))
        data = _encode(image, kind)
    return Picture(data, _MIME[kind], f"picture.{_SUFFIX[kind]}")


def _fit(data: bytes, size: str) -> bytes:
    width, height = (int(side) for side in size.split("x"))
    try:
        image = _decode(data)
    except TooLarge as error:
        raise NotAPicture(str(error)) from error
    if image.width <= width and image.height <= height:
        return data
    return _encode(ImageOps.contain(_plain(image), (width, height), Image.Resampling.LANCZOS), "PNG")


def _decode(data: bytes) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=_READABLE)
        pixels = image.width * image.height
        if pixels <= MAX_PIXELS:
            image.load()
            image.getexif()
    except Exception as error:  # Pillow's plug-ins raise a dozen types on broken files
        raise NotAPicture(repr(error)) from error
    if pixels > MAX_PIXELS:
        raise TooLarge(f"{pixels} pixels")
    return image


def _encode(image: Image.Image, kind: str) -> bytes:
    out = BytesIO()
    if kind == "PNG":
        # gen-api and Telegram read it once, so time counts for more than bytes
        image.save(out, "PNG", compress_level=1)
    else:
        image.save(out, kind, quality=95)
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that scales well and that every PNG reader knows."""
    if image.mode in {"RGB", "RGBA", "L"}:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
