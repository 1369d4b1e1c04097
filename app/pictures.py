"""Pictures by their bytes: what may go to gen-api, and a result in the size that was chosen.

Decoding takes CPU: callers use `asyncio.to_thread`.
"""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

MAX_BYTES = 20 * 1024 * 1024
"""What a bot can download from Telegram."""

MAX_PIXELS = 50_000_000
"""More is a decompression bomb, or costs as much memory as one."""

_MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_READABLE = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ORIENTATION = 0x0112

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


def inspect(data: bytes) -> Picture:
    """A person's picture made fit for gen-api: JPEG, PNG or WEBP, upright; untouched where it is already.

    Raises NotAPicture or TooLarge.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{len(data)} bytes")
    image = _decode(data)
    # A phone's MPO is a JPEG with more pictures behind it
    source = "JPEG" if image.format == "MPO" else image.format or ""
    animated = source != "JPEG" and getattr(image, "n_frames", 1) > 1
    kind = source if source in _MIME and not animated else "PNG"
    upright = image.getexif().get(_ORIENTATION, 1) == 1
    if kind != source or animated or not upright:
        data = _encode(ImageOps.exif_transpose(image), kind)
    return Picture(data, _MIME[kind], f"picture.{_SUFFIX[kind]}")


def fit(data: bytes, size: str) -> bytes:
    """A result no larger than `size` ("512x512"): scaled down to a PNG, or as it is. Raises NotAPicture."""
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
        _plain(image).save(out, "PNG")
    else:
        image.save(out, kind, quality=95)
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that scales well and that every PNG reader knows."""
    if image.mode in {"RGB", "RGBA", "L"}:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
