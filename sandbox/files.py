"""The files that Telegram keeps: what people and the bot sent, by file id."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from PIL import Image, ImageOps, UnidentifiedImageError

from sandbox.ids import fresh_numbers
from sandbox.params import BotApiError

MB = 2**20
DOWNLOAD_LIMIT = 20 * MB
PHOTO_LIMIT = 10 * MB
UPLOAD_LIMIT = 50 * MB
_THUMBNAILS = (90, 320, 800)
"""A photo comes in several sizes; these are the longer sides of those below its own."""

Kind = Literal["photo", "document"]


@dataclass
class StoredFile:
    """A file; `path` is empty until getFile gave it one."""

    id: str
    kind: Kind
    name: str
    data: bytes
    path: str = ""


class Files:
    """Files by id, and by the path that getFile gives them."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._paths: dict[str, StoredFile] = {}
        self._numbers = fresh_numbers()

    def find(self, file_id: str) -> StoredFile | None:
        return self._files.get(file_id)

    def at(self, path: str) -> bytes | None:
        """What a download of that path gives."""
        stored = self._paths.get(path)
        return stored.data if stored else None

    def photo_sizes(self, data: bytes) -> list[dict[str, Any]]:
        """A picture as a photo: recompressed to JPEG, the smallest size first; 400 for what is no picture."""
        try:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width + height > 10_000 or max(width, height) > 20 * min(width, height):
                    raise BotApiError(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
                flat = _flat(ImageOps.exif_transpose(image))
        except (UnidentifiedImageError, OSError, SyntaxError):
            raise BotApiError(400, "Bad Request: IMAGE_PROCESS_FAILED") from None
        sizes = [self._size(flat)]
        for side in reversed(_THUMBNAILS):
            if side < max(width, height):
                flat.thumbnail((side, side))
                sizes.insert(0, self._size(flat))
        return sizes

    def document(self, data: bytes, name: str, mime: str) -> dict[str, Any]:
        """A file as a document, untouched."""
        return {**self._keep("document", data, name), "file_name": name, "mime_type": mime}

    def lookup(self, file_id: str) -> dict[str, Any]:
        """What getFile answers; the path can be downloaded from then on."""
        stored = self._files.get(file_id)
        if stored is None:
            raise BotApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(stored.data) > DOWNLOAD_LIMIT:
            raise BotApiError(400, "Bad Request: file is too big")
        if not stored.path:
            stored.path = f"{stored.kind}s/file_{next(self._numbers)}{PurePath(stored.name).suffix}"
            self._paths[stored.path] = stored
        return {**_named(stored), "file_path": stored.path}

    def _size(self, image: Image.Image) -> dict[str, Any]:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=87)
        kept = self._keep("photo", out.getvalue(), "photo.jpg")
        return {**kept, "width": image.width, "height": image.height}

    def _keep(self, kind: Kind, data: bytes, name: str) -> dict[str, Any]:
        stored = StoredFile(f"{kind}-{next(self._numbers)}", kind, name, data)
        self._files[stored.id] = stored
        return _named(stored)


def _named(stored: StoredFile) -> dict[str, Any]:
    unique = hashlib.sha256(stored.data).hexdigest()[:15]
    return {"file_id": stored.id, "file_unique_id": unique, "file_size": len(stored.data)}


def _flat(image: Image.Image) -> Image.Image:
    """In RGB; what is transparent becomes white."""
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", image.size, "white")
    flat.paste(layer, mask=layer)
    return flat
