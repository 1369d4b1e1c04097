"""What is sent to gen-api is a picture it takes, and results come out in the size that was chosen."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from app.pictures import MAX_BYTES, NotAPicture, Pictures, TooLarge
from tests import crafted, processes
from tests.crafted import drawn


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    pictures = Pictures()
    yield pictures
    await pictures.close()


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
async def test_a_picture_gen_api_takes_goes_through_untouched(pictures: Pictures, kind: str, mime: str) -> None:
    data = drawn(kind)
    picture = await pictures.inspect(data)
    assert (picture.data, picture.mime) == (data, mime)


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
async def test_other_formats_become_png(pictures: Pictures, kind: str) -> None:
    picture = await pictures.inspect(drawn(kind))
    assert (picture.mime, picture.filename) == ("image/png", "picture.png")
    assert picture.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_for_a_model_that_takes_no_webp_that_alone_becomes_png(pictures: Pictures, kind: str) -> None:
    data = drawn(kind)
    picture = await pictures.inspect(data, webp=False)
    assert (picture.data == data) == (kind != "WEBP")
    assert picture.mime == ("image/jpeg" if kind == "JPEG" else "image/png")


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_of_an_animation_the_first_picture_is_taken(pictures: Pictures, kind: str) -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    picture = await pictures.inspect(out.getvalue())
    image = Image.open(BytesIO(picture.data)).convert("RGB")
    red, green, blue = image.getpixel((5, 5))  # type: ignore[misc]  # a pixel of RGB is three numbers
    assert (picture.mime, image.size) == ("image/png", (40, 20))
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


async def test_a_phone_held_sideways_gives_an_upright_picture(pictures: Pictures) -> None:
    picture = await pictures.inspect(drawn("JPEG", orientation=6))
    image = Image.open(BytesIO(picture.data))
    assert image.size == (20, 40)
    assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\0\0\0\x18ftypheic" + bytes(64), drawn("PNG")[:50]])
async def test_what_is_no_picture_is_refused(pictures: Pictures, data: bytes) -> None:
    with pytest.raises(NotAPicture):
        await pictures.inspect(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
async def test_what_breaks_off_is_refused(pictures: Pictures, kind: str) -> None:
    """Pillow raised five types of errors on such files; a child's answer is one."""
    with pytest.raises(NotAPicture):
        await pictures.inspect(crafted.broken_off(kind))
    with pytest.raises(NotAPicture):
        await pictures.fit(crafted.broken_off(kind), "512x512")


@pytest.mark.parametrize("header", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0\x08\0\0\0", b"RIFF"])
async def test_garbage_behind_a_true_beginning_is_refused(pictures: Pictures, header: bytes) -> None:
    with pytest.raises(NotAPicture):
        await pictures.inspect(header + bytes(range(256)) * 8)


@pytest.mark.parametrize(
    "document", [b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b"P5 1 1 255 a", b"%!PS-Adobe"]
)
async def test_formats_that_nobody_needs_are_not_even_opened(pictures: Pictures, document: bytes) -> None:
    with pytest.raises(NotAPicture):
        await pictures.inspect(document)


async def test_a_bomb_is_refused_before_it_is_decoded(pictures: Pictures) -> None:
    bomb = drawn("PNG", (10_000, 6_000), "1")
    with pytest.raises(TooLarge):
        await pictures.inspect(bomb)
    with pytest.raises(NotAPicture):
        await pictures.fit(bomb, "512x512")


async def test_too_many_bytes_are_refused(pictures: Pictures) -> None:
    with pytest.raises(TooLarge):
        await pictures.inspect(bytes(MAX_BYTES + 1))


async def test_a_larger_result_is_scaled_down_and_a_smaller_one_left_alone(pictures: Pictures) -> None:
    large = drawn("PNG", (1024, 1024), "P")
    assert Image.open(BytesIO(await pictures.fit(large, "512x512"))).size == (512, 512)
    assert await pictures.fit(large, "1024x1024") is large


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "I;16"), ("PNG", "1"), ("TIFF", "L"), ("GIF", "P")]
)
async def test_what_is_encoded_anew_is_no_larger_than_a_model_needs(pictures: Pictures, kind: str, mode: str) -> None:
    """Turned upright as well: 6000 × 3000 of any mode, on its side."""
    picture = await pictures.inspect(drawn(kind, (6000, 3000), mode, orientation=6))
    image = Image.open(BytesIO(picture.data))
    assert image.size in {(1024, 2048), (2048, 1024)}
    assert image.mode in {"L", "RGB", "RGBA"}


async def test_a_large_picture_in_a_few_bytes_is_turned_in_little_memory(pictures: Pictures) -> None:
    """6 KB that took Pillow 560 MB: a child has no more than its limit, and does with it."""
    picture = await pictures.inspect(crafted.palette_on_its_side())
    assert Image.open(BytesIO(picture.data)).size == (2048, 2048)


async def test_crafted_pictures_hold_up_nobody_for_long(pictures: Pictures) -> None:
    """Four of them, of any fate, before an honest source: it is read within twenty seconds, and a result at once."""
    hostile = [crafted.many_directories(), crafted.many_scans()] * 2
    reading = [asyncio.create_task(pictures.inspect(data)) for data in hostile]
    await _child()
    async with asyncio.timeout(5):
        await pictures.fit(drawn("PNG", (1024, 1024)), "512x512")
    async with asyncio.timeout(20):
        await pictures.inspect(drawn("JPEG"))
    await asyncio.gather(*reading, return_exceptions=True)


async def test_a_child_that_is_killed_means_no_picture(pictures: Pictures) -> None:
    """As the system does it to whatever takes too much: after one more try, with more memory, final."""
    reading = asyncio.create_task(pictures.inspect(crafted.many_directories()))
    os.kill(first := await _child(), signal.SIGKILL)
    os.kill(await _child(first), signal.SIGKILL)
    with pytest.raises(NotAPicture):
        await reading


async def test_who_starts_the_children_has_loaded_libvips_for_them_and_has_no_thread(pictures: Pictures) -> None:
    """A fork keeps one thread of all; and to load it takes ten times as long as to read a picture."""
    await pictures.inspect(drawn("PNG"))
    [starter] = processes.starters(os.getpid())
    assert b"libvips" in processes.read(starter, "maps")
    assert b"Threads:\t1\n" in processes.read(starter, "status")


async def test_who_starts_the_children_is_started_again(pictures: Pictures) -> None:
    await pictures.inspect(drawn("PNG"))
    [starter] = processes.starters(os.getpid())
    os.kill(starter, signal.SIGKILL)
    async with asyncio.timeout(5):
        while processes.exists(starter):  # noqa: ASYNC110 - the kernel tells nobody of a process
            await asyncio.sleep(0.01)
    await pictures.inspect(drawn("PNG"))


async def test_a_child_that_hangs_is_killed_in_time(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, it spends none of its seconds; the wait for it ends all the same, and with it the process."""
    monkeypatch.setattr("app.pictures.PATIENCE_S", 1.0)
    reading = asyncio.create_task(pictures.inspect(crafted.many_directories()))
    os.kill(child := await _child(), signal.SIGSTOP)
    with pytest.raises(NotAPicture, match="within 1 s"):
        await reading
    await _gone(child)


async def test_who_gives_up_waiting_leaves_no_child_behind(pictures: Pictures) -> None:
    reading = asyncio.create_task(pictures.inspect(crafted.many_directories()))
    child = await _child()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await _gone(child)


async def test_a_child_gets_nothing_of_the_environment(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", "a-secret")
    reading = asyncio.create_task(pictures.inspect(crafted.many_directories()))
    child = await _child()
    assert b"a-secret" not in processes.read(child, "environ")
    reading.cancel()
    await asyncio.wait([reading])


async def _child(but: int = 0) -> int:
    """The number of a child that is at work, now or soon: nothing but the system tells of it."""
    async with asyncio.timeout(10):
        # The kernel tells nobody of a process
        while not (found := [one for one in processes.decoders(os.getpid()) if one != but]):  # noqa: ASYNC110 - the kernel tells nobody of a process
            await asyncio.sleep(0.01)
    return found[0]


async def _gone(child: int) -> None:
    """The end of a child that another process has been told to end."""
    async with asyncio.timeout(2):
        while processes.exists(child):  # noqa: ASYNC110 - the kernel tells nobody of a process
            await asyncio.sleep(0.01)
