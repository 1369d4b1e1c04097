"""What is sent to gen-api is a picture it takes, and results come out in the size that was chosen."""

from io import BytesIO

import pytest
from PIL import Image

from app import pictures


def drawn(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    out = BytesIO()
    Image.new(mode, size, 100).save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
async def test_a_picture_gen_api_takes_goes_through_untouched(kind: str, mime: str) -> None:
    data = drawn(kind)
    picture = await pictures.inspect(data)
    assert (picture.data, picture.mime) == (data, mime)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
async def test_other_formats_become_png(kind: str) -> None:
    picture = await pictures.inspect(drawn(kind))
    assert (picture.mime, picture.filename) == ("image/png", "picture.png")
    assert picture.data.startswith(b"\x89PNG")


async def test_a_phone_held_sideways_gives_an_upright_picture() -> None:
    picture = await pictures.inspect(drawn("JPEG", orientation=6))
    image = Image.open(BytesIO(picture.data))
    assert image.size == (20, 40)
    assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\0\0\0\x18ftypheic" + bytes(64), drawn("PNG")[:50]])
async def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(pictures.NotAPicture):
        await pictures.inspect(data)


async def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = drawn("PNG", (10_000, 6_000), "1")
    with pytest.raises(pictures.TooLarge):
        await pictures.inspect(bomb)
    with pytest.raises(pictures.NotAPicture):
        await pictures.fit(bomb, "512x512")


async def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(pictures.TooLarge):
        await pictures.inspect(bytes(pictures.MAX_BYTES + 1))


async def test_a_larger_result_is_scaled_down_and_a_smaller_one_left_alone() -> None:
    large = drawn("PNG", (1024, 1024), "P")
    assert Image.open(BytesIO(await pictures.fit(large, "512x512"))).size == (512, 512)
    assert await pictures.fit(large, "1024x1024") is large


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "I;16"), ("PNG", "1"), ("TIFF", "L"), ("GIF", "P")]
)
async def test_what_is_encoded_anew_is_made_no_larger_than_the_model_needs(kind: str, mode: str) -> None:
    """Turned upright as well: 6000 × 3000 of any mode, on its side."""
    picture = await pictures.inspect(drawn(kind, (6000, 3000), mode, orientation=6))
    assert Image.open(BytesIO(picture.data)).size in {(2048, 4096), (4096, 2048)}
