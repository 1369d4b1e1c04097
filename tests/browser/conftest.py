"""One sandbox and one Chromium for all of these tests; each has a window of its own, whose console stays clean."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from local.postgres import Postgres
from local.redis import Redis
from tests.browser.drive import WAIT_MS, Visitor, chromium, running_browser, running_sandbox
from tests.browser.stage import Stage, running_stage

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def executable() -> str:
    """The system's Chromium; skipped without one, but not in CI."""
    found = chromium()
    if found is None:
        reason = "no Chromium here: apt-get install chromium (or Chrome from its site)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def address(executable: str, postgres: Postgres, _template: str, _redis: Redis) -> Iterator[str]:
    """The page of a running sandbox."""
    database_url = postgres.create_database("browser", template=_template)
    with running_sandbox(database_url, _redis.url) as page:
        yield page


@pytest.fixture(scope="module")  # no longer: Playwright's event loop runs all that while, and other tests need theirs
def browser(executable: str) -> Iterator[Browser]:
    """Chromium, running."""
    with running_browser(executable) as running:
        yield running


@pytest.fixture
def windows(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Makes windows (Playwright's options); at the end no console has said anything bad."""
    contexts, complaints = [], []

    def make(**options: Any) -> Page:
        context = browser.new_context(locale="ru-RU", **options)
        context.set_default_timeout(WAIT_MS)
        context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def window(windows: Callable[..., Page], address: str) -> Iterator[Callable[..., Page]]:
    """The same for the running sandbox: at the end no fault is left."""
    yield windows
    assert urlopen(Request(f"{address}api/room/heal", method="POST"), timeout=10).status == 200


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The page without a bot."""
    with running_stage() as running:
        yield running


@pytest.fixture
def visitor(window: Callable[..., Page]) -> Visitor:
    """Somebody at a wide window."""
    return Visitor(window(viewport={"width": 1440, "height": 900}))
