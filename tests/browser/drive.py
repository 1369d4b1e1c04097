"""The real sandbox as a process, Chromium from the system, and what a person does on the page."""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect, sync_playwright

_ROOT = Path(__file__).parents[2]
_START_S = 100
_CHROMIUMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_COPY = """(bytes) => navigator.clipboard.write([
    new ClipboardItem({ "image/png": new Blob([new Uint8Array(bytes)], { type: "image/png" }) })])"""
WAIT_MS = 60_000
"""How long the bot may take for anything; a poll comes after 10 s, and the machine may be busy."""


def chromium() -> str | None:
    """The system's Chromium, or None: Playwright's own download is often blocked."""
    return next((found for name in _CHROMIUMS if (found := shutil.which(name))), None)


@contextmanager
def running_browser(executable: str) -> Iterator[Browser]:
    """Chromium without a window."""
    flags = ["--disable-gpu", "--disable-background-networking"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # its own sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        browser.close()


@contextmanager
def running_sandbox(database_url: str, redis_url: str) -> Iterator[str]:
    """`python -m sandbox` on a migrated database, on free ports; the page's address."""
    environment = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox"], cwd=_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield _address(process, log.fileno())
        finally:
            process.terminate()
            assert process.wait(30) == 0


def _address(process: subprocess.Popen[bytes], log: int) -> str:
    give_up_at = time.monotonic() + _START_S
    while time.monotonic() < give_up_at and process.poll() is None:
        said = os.pread(log, 1_000_000, 0).decode(errors="replace")
        if found := re.search(r"Open: (\S+)", said):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the sandbox did not come up:\n{os.pread(log, 1_000_000, 0).decode(errors='replace')[-3000:]}")


@dataclass
class Visitor:
    """Somebody at the page, with one person's chat open."""

    page: Page

    def visit(self, address: str, name: str) -> None:
        """Open the page at that person's chat, begun if it was not."""
        self.page.goto(address)
        self.page.locator("#people button", has_text=name).click()
        begin = self.page.locator("#start")
        if begin.count():
            expect(begin.or_(self.page.locator("#messages li")).filter(visible=True).first).to_be_visible()
            if begin.is_visible():
                begin.click()
                self.reads("/buy_subscription")

    def says(self, text: str) -> None:
        """Send a text."""
        self.page.locator("#text").fill(text)
        self.page.locator("#text").press("Enter")

    def shows(self, picture: bytes, caption: str) -> None:
        """Send a picture as a photo with a caption."""
        file: FilePayload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": picture}
        self.page.locator("#photos").set_input_files(file)
        self.page.get_by_label("Подпись").fill(caption)
        self.page.get_by_role("dialog").get_by_role("button", name="Отправить").click()

    def copies(self, picture: bytes) -> None:
        """Put a picture into the clipboard, as a PNG as browsers do."""
        png = io.BytesIO()
        Image.open(io.BytesIO(picture)).save(png, "PNG")
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate(_COPY, list(png.getvalue()))

    def presses(self, text: str) -> None:
        """Press the newest button whose text begins so."""
        self.page.locator("#messages").get_by_role("button", name=text).last.click()

    def card(self, picture: bytes, prompt: str) -> None:
        """Order as far as the card."""
        self.says("/photo")
        self.reads("Пришлите")
        self.shows(picture, prompt)
        expect(
            self.page.locator("#messages > li", has_text=prompt).get_by_role("button", name="✅").last
        ).to_be_visible()

    def opens_payment(self, price: str) -> Page:
        """Choose a plan and follow the link that it brings; YooKassa's page, in a tab of its own."""
        links = self.page.locator("#messages").get_by_role("link", name=f"Оплатить {price}")
        self.says("/buy_subscription")
        known = links.count()
        self.presses(price)
        expect(links).to_have_count(known + 1)
        with self.page.expect_popup() as opened:
            links.last.click()
        return opened.value

    def orders(self, picture: bytes, prompt: str) -> None:
        """Order a picture; its steps are then in the machine room."""
        self.card(picture, prompt)
        self.presses("✅")
        expect(self.order(prompt)).to_be_visible()

    def reads(self, text: str) -> None:
        """Wait until that stands in the chat."""
        expect(self.page.locator("#messages").get_by_text(text).last).to_be_visible()

    def order(self, prompt: str) -> Locator:
        """The order's card in the machine room."""
        return self.page.locator("#orders article", has_text=prompt)

    def tab(self, name: str) -> None:
        """Open a part of the machine room."""
        self.page.get_by_role("tab", name=name).click()

    def switches_on(self, title: str) -> None:
        """Arm a fault in the machine room."""
        self.tab("Поломки")
        self.page.get_by_role("switch", name=title).click()
        expect(self.page.locator("#armed")).to_contain_text(title)
        self.tab("Ход дела")
