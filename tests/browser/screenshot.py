"""README's pictures: `.venv/bin/python -m tests.browser.screenshot` buys, orders and saves the page."""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import FilePayload, Locator, Page, expect

from app import migrate
from local.postgres import Postgres
from local.redis import Redis
from tests.browser.drive import WAIT_MS, Visitor, chromium, running_browser, running_sandbox
from tests.world import photograph

PICTURES = Path(__file__).parents[2] / "docs"
SIZE = 1440, 900


def main() -> int:
    """0, or 1 where there is no Chromium."""
    executable = chromium()
    if executable is None:
        print("A Chromium is needed: apt-get install chromium", file=sys.stderr)
        return 1
    home = Path(tempfile.mkdtemp(prefix="picture-bot-screenshot-"))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    postgres, redis = Postgres.start(home / "pg"), Redis.start()
    try:
        database_url = postgres.create_database("screenshot")
        migrate.apply(database_url)
        with running_sandbox(database_url, redis.url) as address, running_browser(executable) as browser:
            context = browser.new_context(locale="ru-RU", viewport={"width": SIZE[0], "height": SIZE[1]})
            visitor = Visitor(context.new_page())
            play(visitor, address)
            history(visitor)
            album(Visitor(context.new_page()), address)
            stars(Visitor(context.new_page()), address)
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(home)
    return 0


def play(visitor: Visitor, address: str) -> None:
    """A purchase, then an order whose callback is lost."""
    expect.set_options(timeout=WAIT_MS)
    page = visitor.page
    visitor.visit(address, "Аня")
    visitor.says("/start")
    visitor.reads("10 кредитов")
    payment = visitor.opens_payment("500 ₽")
    payment.get_by_role("button", name="Оплатить").click()
    visitor.reads("35 кредитов")
    payment.close()
    visitor.switches_on("Колбэк потерян")
    visitor.orders(landscape(), "Горы на закате, акварель")
    expect(visitor.order("Горы на закате")).to_have_attribute("data-status", "delivered")
    save(page, "chat.png")


def history(visitor: Visitor) -> None:
    """A picture with its buttons and its untouched file, then the list of pictures."""
    page = visitor.page
    for prompt in ("Те же горы зимой: снег и луна", "Горы в утреннем тумане"):
        visitor.orders(landscape(), prompt)
        expect(visitor.order(prompt)).to_have_attribute("data-status", "delivered")
    visitor.presses("📎")
    visitor.reads("picture.png")
    expect(page.locator("#toast")).to_be_hidden()
    save(page, "result.png", page.locator("#chat"))
    visitor.says("/history")
    visitor.reads("Ваши картинки")
    page.locator("#messages > li").last.evaluate("(last) => last.scrollIntoView({ block: 'end' })")
    save(page, "history.png", page.locator("#chat"))


def album(visitor: Visitor, address: str) -> None:
    """Two pictures at once and their card, with a quality and a style chosen on it."""
    page = visitor.page
    page.set_viewport_size({"width": SIZE[0], "height": 1300})
    visitor.visit(address, "Борис")
    files: list[FilePayload] = [
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data} for data in (photograph(), landscape())
    ]
    page.locator("#photos").set_input_files(files)
    page.get_by_label("Подпись").fill("Кот на фоне этих гор")
    page.keyboard.press("Enter")
    for button, text in (
        ("🤖 GPT Image 2", "Качество: Простое"),
        ("Среднее", "Качество: Среднее"),
        ("🎨", "Картинки: 2"),
        ("Акварель", "Стиль: Акварель"),
    ):
        visitor.reads("Картинки: 2")
        visitor.presses(button)
        visitor.reads(text)
    expect(page.get_by_role("button", name="🚫").last).to_be_visible()
    save(page, "card.png", page.locator("#chat"))


def stars(visitor: Visitor, address: str) -> None:
    """A plan that can be paid by a link or with Stars, its invoice, and the charge."""
    page = visitor.page
    visitor.visit(address, "Борис")
    visitor.says("/buy_subscription")
    visitor.presses("200 ₽")
    visitor.presses("⭐ 185")
    page.get_by_role("button", name="Заплатить ⭐ 185").last.click()
    page.get_by_role("button", name="Подтвердить и заплатить ⭐ 185").click()
    visitor.reads("20 кредитов")
    page.mouse.move(SIZE[0] / 2, 5)
    save(page, "stars.png", page.locator("#chat"))


def save(page: Page, name: str, part: Locator | None = None) -> None:
    """The page, or a part of it, at rest."""
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.mouse.move(SIZE[0] / 2, 5)
    page.evaluate("document.activeElement.blur()")
    (part or page).screenshot(path=PICTURES / name, animations="disabled")
    print(PICTURES / name)


def landscape() -> bytes:
    """A JPEG of mountains under an evening sun."""
    width, height = 900, 600
    sky = Image.linear_gradient("L").resize((width, height))
    image = Image.composite(Image.new("RGB", sky.size, "#ffb36b"), Image.new("RGB", sky.size, "#3d5a98"), sky)
    draw = ImageDraw.Draw(image)
    draw.ellipse((560, 210, 680, 330), fill="#fff1c9")
    image = image.filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(image)
    for colour, ridge in (
        ("#6d6a9c", (330, 260, 340, 220, 310, 270, 350)),
        ("#474a7c", (420, 360, 430, 330, 410, 370, 400)),
        ("#262b4f", (500, 470, 520, 450, 505, 480, 510)),
    ):
        step = width / (len(ridge) - 1)
        draw.polygon([(0, height), *((place * step, y) for place, y in enumerate(ridge)), (width, height)], fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
