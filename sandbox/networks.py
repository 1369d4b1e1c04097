"""The networks of gen-api.ru: what each takes, as far as anybody knows."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

SIZES = {"1024x1024": (1024, 1024), "1024x1536": (1024, 1536), "1536x1024": (1536, 1024), "auto": (1024, 1024)}
RATIOS = {"1:1": (1024, 1024), "2:3": (832, 1248), "3:2": (1248, 832)}
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

type Faults = dict[str, list[str]]


@dataclass(frozen=True)
class Network:
    """One network: under which name pictures come, which kinds, the size that its fields ask for, its price in roubles.

    `measure` gives width and height, or None and what is wrong with which field.
    """

    name: str
    source: str
    kinds: tuple[str, ...]
    takes_addresses: bool
    measure: Callable[[Mapping[str, Any]], tuple[int, int] | Faults]
    cost: float


@dataclass(frozen=True)
class Sources:
    """The pictures of a request: their bytes, or addresses that they are to be fetched from."""

    images: tuple[bytes, ...] = ()
    addresses: tuple[str, ...] = ()


def read(network: Network, body: Mapping[str, Any]) -> tuple[Sources, Faults]:
    """The pictures in a form (one value for each name here: `files`) or a JSON object, and what is wrong with them."""
    faults: Faults = {}
    files = [part for part in body.get("files", ()) if isinstance(part, web.FileField)]
    images = tuple(part.file.read() for part in files)
    for part, data in zip(files, images, strict=True):
        if part.name not in (network.source, f"{network.source}[]"):
            faults[part.name] = [f"The {part.name} field is not known."]
        if kind_of(data) not in network.kinds or kind_of(data) != part.content_type:
            faults["image"] = [f"The image must be one of {', '.join(network.kinds)} and called so."]
    given = body.get(network.source, [])
    addresses = tuple(given) if isinstance(given, list | tuple) else ()
    if addresses and not network.takes_addresses:
        faults[network.source] = ["The image must be a file."]
    if not all(isinstance(url, str) and url.startswith(("http://", "https://")) for url in addresses):
        faults[network.source] = ["The image urls must be valid URLs."]
    return Sources(images, addresses), faults


def kind_of(data: bytes) -> str | None:
    """The content type that the bytes deserve."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return FORMATS.get(image.format or "")
    except (UnidentifiedImageError, OSError):
        return None


def _by_size(name: str, allowed: Mapping[str, tuple[int, int]]) -> Callable[[Mapping[str, Any]], Any]:
    def measure(fields: Mapping[str, Any]) -> tuple[int, int] | Faults:
        found = allowed.get(str(fields.get(name) or next(iter(allowed))))
        return found or {name: [f"The selected {name} is invalid."]}

    return measure


def _by_sides(fields: Mapping[str, Any]) -> tuple[int, int] | Faults:
    sides = fields.get("width", 1024), fields.get("height", 1024)
    if not all(isinstance(side, int) and 256 <= side <= 2048 and side % 16 == 0 for side in sides):
        return {"width": ["The width must be a multiple of 16."]}
    return sides[0], sides[1]


def _network(
    name: str,
    source: str,
    kinds: Sequence[str],
    measure: Callable[[Mapping[str, Any]], Any],
    cost: float,
) -> Network:
    return Network(name, source, tuple(kinds), source == "image_urls", measure, cost)


_ALL = tuple(FORMATS.values())
NETWORKS = {
    network.name: network
    for network in (
        _network("gpt-image-1", "image[]", _ALL, _by_size("size", SIZES), 5),
        _network("gpt-image-2", "image_urls", _ALL, _by_size("image_size", SIZES), 2.5),
        _network("nano-banana", "image_urls", ("image/png", "image/jpeg"), _by_size("aspect_ratio", RATIOS), 20),
        _network("flux-2-pro", "image_urls", _ALL, _by_sides, 20),
    )
}
