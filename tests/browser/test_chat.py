"""The chat alone, in Chromium: files by every way, people, what the Bot API does, the keyboard, sizes and colours."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.drive import Visitor
from tests.browser.screenshot import landscape
from tests.browser.stage import Stage
from tests.world import photograph

FOCUSED = """() => {
    const element = document.activeElement, { outlineStyle, outlineWidth } = getComputedStyle(element);
    const ring = outlineStyle !== "none" && outlineWidth !== "0px";
    return [(element.ariaLabel ?? element.innerText).trim(), ring || element === document.body];
}"""
LOOKS = (Path(__file__).parent / "looks.js").read_text()


@pytest.fixture
def page(stage: Stage, windows: Callable[..., Page]) -> Iterator[Page]:
    """Аня's chat, empty."""
    opened = windows(viewport={"width": 1440, "height": 900})
    opened.goto(stage.address)
    expect(opened.locator("#people button")).not_to_have_count(0)
    yield opened
    for person in stage.telegram.people.values():
        for message in person.messages:
            stage.bot("deleteMessage", chat_id=person.id, message_id=message.id)


def _file(name: str, data: bytes, mime: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": mime, "buffer": data}


def _drag(page: Page, x: int, y: int, *files: Path) -> Callable[[], None]:
    """Drag files from outside over that place, as the browser itself would tell the page; returns what drops them."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}

    def tell(kind: str) -> None:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    for kind in ("dragEnter", "dragOver", "dragOver", "dragOver"):
        tell(kind)
    return lambda: tell("drop")


@pytest.mark.parametrize(("y", "kind"), [(250, "document"), (650, "photo")], ids=["file", "photo"])
def test_a_picture_is_dropped_on_the_chat(stage: Stage, page: Page, tmp_path: Path, y: int, kind: str) -> None:
    """The upper half takes it as a file, the lower one as a photo; the caption can be written at once."""
    cat = tmp_path / "cat.jpg"
    cat.write_bytes(photograph())
    drop = _drag(page, 400, y, cat)
    expect(page.locator("#drop .over strong")).to_have_text("Без сжатия" if kind == "document" else "Быстро")
    drop()
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#attach-title")).to_have_text("Отправить файл" if kind == "document" else "Отправить фото")
    page.keyboard.type("Мой кот")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("Мой кот")
    (message,) = stage.person(101).messages
    assert kind in message.raw
    assert message.caption == "Мой кот"
    if kind == "document":
        assert message.document == cat.read_bytes()
        assert message.file_name == "cat.jpg"


def test_a_picture_dropped_beside_the_chat_changes_nothing(page: Page, tmp_path: Path) -> None:
    """The browser does not leave the page for it, nor open it in another tab."""
    cat = tmp_path / "cat.jpg"
    cat.write_bytes(photograph())
    _drag(page, 1200, 400, cat)()
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#attach")).to_be_hidden()
    assert page.context.pages == [page]


def test_a_picture_is_pasted(stage: Stage, page: Page) -> None:
    """From the clipboard by Ctrl+V; Esc takes it back."""
    Visitor(page).copies(landscape())
    page.keyboard.press("ControlOrMeta+V")
    expect(page.locator("#previews img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#attach")).to_be_hidden()
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("ControlOrMeta+V")
    page.get_by_label("Как файл").check()
    expect(page.locator("#attach-title")).to_have_text("Отправить файл")
    page.get_by_label("Как файл").uncheck()
    page.get_by_role("button", name="Отправить", exact=True).last.click()
    expect(page.locator("#messages .photo img")).to_be_visible()
    (message,) = stage.person(101).messages
    assert message.photo
    assert message.caption is None


@pytest.mark.parametrize("kind", ["photo", "file"])
def test_several_pictures_are_one_album(stage: Stage, page: Page, kind: str) -> None:
    """One bubble, the caption once; to the bot a message each, of one group."""
    page.locator("#photos" if kind == "photo" else "#files").set_input_files(
        [_file(f"{number}.jpg", landscape()) for number in range(3)]
    )
    expect(page.locator("#attach-title")).to_have_text(f"Отправить {'фото' if kind == 'photo' else 'файлы'}: 3")
    page.get_by_label("Подпись").fill("Горы")
    page.keyboard.press("Enter")
    expect(page.locator("#messages .bubble")).to_have_count(1)
    expect(page.locator("#messages .bubble")).to_contain_text("Горы")
    expect(page.locator("#messages .photo" if kind == "photo" else "#messages .file")).to_have_count(3)
    messages = stage.person(101).messages
    assert len({message.raw["media_group_id"] for message in messages}) == 1
    assert [message.caption for message in messages].count("Горы") == 1
    if kind == "photo":
        boxes = [box for box in (photo.bounding_box() for photo in page.locator(".album .photo").all()) if box]
        assert boxes[0]["width"] > boxes[1]["width"] * 1.9


def test_the_time_stands_inside_a_bubble_without_words(page: Page) -> None:
    """A file without a caption."""
    page.locator("#files").set_input_files(_file("a.txt", b"text", "text/plain"))
    page.keyboard.press("Enter")
    bubble, time = page.locator("#messages .bubble").bounding_box(), page.locator("#messages time").bounding_box()
    assert bubble
    assert time
    assert time["y"] + time["height"] <= bubble["y"] + bubble["height"]


def test_people_are_added_and_kept_apart(stage: Stage, page: Page) -> None:
    """Name and language are the bot's to see; each has their own chat, draft and mark of what is new."""
    plus = page.get_by_role("button", name="Добавить человека")
    plus.click()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("Zoë")
    page.get_by_label("Язык").select_option("de")
    page.get_by_role("button", name="Добавить", exact=True).click()
    zoe = page.locator("#people button", has_text="Zoë")
    expect(zoe).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#text")).to_be_focused()
    person = max(stage.telegram.people.values(), key=lambda known: known.id)
    assert (person.name, person.user["language_code"]) == ("Zoë", "de")
    plus.click()
    expect(page.get_by_label("Язык")).to_have_value("ru")
    page.keyboard.type("Никто")
    page.keyboard.press("Escape")
    expect(page.locator("#people button", has_text="Никто")).to_have_count(0)

    page.keyboard.press("Escape")
    page.locator("#text").fill("черновик")
    page.locator("#people button", has_text="Аня").click()
    expect(page.locator("#text")).to_have_value("")
    stage.bot("sendMessage", chat_id=person.id, text="Hallo!")
    expect(zoe).to_have_class("unread")
    expect(zoe).to_have_accessible_name("Zoë, есть новое")
    expect(page.locator("#messages")).not_to_contain_text("Hallo!")
    zoe.click()
    expect(page.locator("#messages")).to_contain_text("Hallo!")
    expect(zoe).not_to_have_class("unread")
    expect(page.locator("#text")).to_have_value("черновик")
    page.keyboard.press("Shift+Tab")
    zoe.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#people button", has_text="Аня")).to_be_focused()
    expect(page.locator("#messages")).not_to_contain_text("Hallo!")


def test_the_bot_is_blocked_and_unblocked(stage: Stage, page: Page) -> None:
    """Blocked, it gets 403, and there is nothing to write into."""
    page.get_by_role("button", name="Ещё", exact=True).click()
    page.keyboard.press("Enter")
    expect(page.locator("#form")).to_be_hidden()
    expect(page.get_by_role("button", name="Разблокировать")).to_be_focused()
    with pytest.raises(HTTPError, match="403"):
        stage.bot("sendMessage", chat_id=101, text="Вы здесь?")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    stage.bot("sendMessage", chat_id=101, text="С возвращением")
    expect(page.locator("#messages")).to_contain_text("С возвращением")


def test_a_photo_opens_and_closes(page: Page) -> None:
    """By click or Enter; Esc, a click and the button close it."""
    page.locator("#photos").set_input_files(_file("a.jpg", landscape()))
    page.keyboard.type("Горы")
    page.keyboard.press("Enter")
    photo, viewer = page.get_by_role("button", name="Открыть фото"), page.locator("#viewer")
    photo.click()
    expect(viewer.locator("figcaption")).to_have_text("Горы")
    assert (
        viewer.locator("img").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 900
    )
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(photo).to_be_focused()
    page.keyboard.press("Enter")
    expect(viewer).to_be_visible()
    viewer.get_by_role("button", name="Закрыть").click()
    expect(viewer).to_be_hidden()


def test_edits_and_deletions_are_seen(stage: Stage, page: Page) -> None:
    """At once; what was there before is gone."""
    keyboard = {"inline_keyboard": [[{"text": "Да", "callback_data": "yes"}]]}
    said = stage.bot("sendMessage", chat_id=101, text="Рисовать?", reply_markup=keyboard)
    expect(page.get_by_role("button", name="Да")).to_be_visible()
    stage.bot("editMessageText", chat_id=101, message_id=said["message_id"], text="Рисую")
    expect(page.locator("#messages")).to_contain_text("изменено")
    expect(page.locator("#messages")).not_to_contain_text("Рисовать?")
    expect(page.get_by_role("button", name="Да")).to_have_count(0)
    stage.bot("deleteMessage", chat_id=101, message_id=said["message_id"])
    expect(page.locator("#messages li")).to_have_count(0)
    expect(page.get_by_role("button", name="Запустить")).to_be_visible()


def test_what_the_bot_is_doing_stands_under_its_name(stage: Stage, page: Page) -> None:
    """Until it has said something."""
    status = page.locator("#bot-status")
    expect(status).to_have_text("бот")
    stage.bot("sendChatAction", chat_id=101, action="upload_photo")
    expect(status).to_have_text("отправляет фото…")
    stage.bot("sendChatAction", chat_id=101, action="typing")
    expect(status).to_have_text("печатает…")
    stage.bot("sendMessage", chat_id=101, text="Вот")
    expect(status).to_have_text("бот")


def test_links_open_elsewhere_and_addresses_of_scripts_do_not(stage: Stage, page: Page) -> None:
    """A new tab that knows nothing of the chat."""
    link = f"{stage.address}?person=102"
    markup = {"inline_keyboard": [[{"text": "Открыть", "url": link}]]}
    stage.bot("sendMessage", chat_id=101, text=f'<a href="{link}">тут</a>', parse_mode="HTML", reply_markup=markup)
    for name in ("Открыть", "тут"):
        with page.expect_popup() as opened:
            page.locator("#messages").get_by_role("link", name=name).click()
        expect(opened.value.locator("#people [aria-pressed=true]")).to_contain_text("Борис")
        assert opened.value.evaluate("window.opener") is None
        opened.value.close()
    entity = {"type": "text_link", "offset": 0, "length": 4, "url": "javascript:alert(1)"}
    stage.person(101).messages[0].raw["entities"] = [entity]
    page.reload()
    expect(page.get_by_role("link", name="Открыть")).to_be_visible()
    expect(page.get_by_role("link", name="тут")).to_have_count(0)


def test_commands_are_chosen_by_arrows(page: Page) -> None:
    """«/» opens them, letters narrow them down, Enter sends; Esc closes them and leaves what is written."""
    commands = page.get_by_role("listbox", name="Команды бота")
    page.keyboard.type("/")
    expect(commands.get_by_role("option")).to_have_count(3)
    page.keyboard.press("ArrowUp")
    expect(commands.get_by_role("option", selected=True)).to_contain_text("/help")
    page.keyboard.press("ArrowUp")
    expect(commands.get_by_role("option", selected=True)).to_contain_text("/photo")
    page.keyboard.press("Escape")
    expect(commands).to_be_hidden()
    expect(page.locator("#text")).to_have_value("/")
    page.keyboard.type("he")
    expect(commands.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("/help")


def test_whatever_has_the_focus_shows_it(stage: Stage, page: Page) -> None:
    """Tab reaches every button of chat and machine room, and each has a ring."""
    keyboard = {"inline_keyboard": [[{"text": "Да", "callback_data": "yes"}, {"text": "Нет", "callback_data": "no"}]]}
    stage.bot("sendMessage", chat_id=101, text="Рисовать? /help", reply_markup=keyboard)
    expect(page.get_by_role("button", name="Нет")).to_be_visible()
    reached = []
    for key, times in (("Shift+Tab", 9), ("Tab", 20)):
        page.locator("#text").focus()
        for _ in range(times):
            page.keyboard.press(key)
            reached.append(page.evaluate(FOCUSED))
    names = {name for name, _ in reached}
    assert {"Добавить человека", "Ещё", "Да", "Нет", "/help", "Прикрепить", "Отправить", "Ход дела", "Сбои"} <= names
    assert [name for name, ring in reached if not ring] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_everything_fits_and_can_be_read(stage: Stage, windows: Callable[..., Page], width: int, scheme: str) -> None:
    """WCAG's contrast for every text, and nothing wider than its place: chat, dialogs, machine room."""
    page = windows(viewport={"width": width, "height": 740}, color_scheme=scheme, reduced_motion="reduce")
    person = stage.telegram.person(max(stage.telegram.people) + 1, "Константин Константинопольский", "kk")
    buttons = [["512x512", "• 1024x1024"], ["✅ Нарисовать · 2 кредита"]]
    keyboard = {"inline_keyboard": [[{"text": text, "callback_data": text} for text in row] for row in buttons]}
    stage.bot("sendMessage", chat_id=person.id, text="Ссылка https://example.com и /help " * 9, reply_markup=keyboard)
    page.goto(f"{stage.address}?person={person.id}")
    page.locator("#text").fill("/photo длинное описание " * 9)
    page.locator("#send").click()
    page.locator("#photos").set_input_files([_file("a.jpg", landscape())] * 3)
    page.get_by_label("Подпись").fill("Горы")
    assert page.evaluate(LOOKS) == []
    page.keyboard.press("Enter")
    expect(page.locator(".album")).to_be_visible()
    page.get_by_role("button", name="Добавить человека").click()
    assert page.evaluate(LOOKS) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#text").fill("/")
    expect(page.get_by_role("option")).to_have_count(3)
    assert page.evaluate(LOOKS) == []
    page.locator("#text").fill("")
    if width == 360:
        page.get_by_role("button", name="Машинный зал").click()
    for name in ("Ход дела", "Счета", "Поломки"):
        page.get_by_role("tab", name=name).click()
        assert page.evaluate(LOOKS) == [], name
    page.get_by_role("switch", name="Колбэк потерян").click()
    page.get_by_role("switch", name="Заказ принят, а ответа нет").click()
    expect(page.locator("#armed li")).to_have_count(2)
    assert page.evaluate(LOOKS) == []
    tab, heal = page.get_by_role("tab", name="Счета").bounding_box(), page.locator("#heal").bounding_box()
    assert tab
    assert heal
    assert tab["x"] + tab["width"] <= heal["x"]
    page.locator("#heal").click()
    expect(page.locator("#armed li")).to_have_count(0)


def test_an_invoice_in_stars_is_confirmed_refused_and_paid(stage: Stage, page: Page) -> None:
    """The bot is asked before anything is charged; what it says instead is read, and the charge stands in the chat."""
    prices = [{"label": "10 кредитов", "amount": 100}]
    fields = {"title": "10 кредитов", "description": "и подписка на 30 дней", "payload": "p", "currency": "XTR"}
    stage.bot("sendInvoice", chat_id=101, prices=prices, **fields)
    for answer in ({"ok": False, "error_message": "Счёт уже оплачен"}, {"ok": True}):
        asked = len(stage.telegram.updates)
        page.get_by_role("button", name="Заплатить ⭐ 100").click()
        page.get_by_role("button", name="Подтвердить и заплатить ⭐ 100").click()
        expect(page.locator("#pay")).to_be_hidden()
        deadline = time.monotonic() + 10
        while len(stage.telegram.updates) == asked and time.monotonic() < deadline:
            page.wait_for_timeout(20)
        query = stage.telegram.updates[asked]["pre_checkout_query"]
        stage.bot("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], **answer)
        if answer["ok"]:
            expect(page.locator("#messages")).to_contain_text("Вы заплатили ⭐ 100")
        else:
            expect(page.locator("#alert-text")).to_have_text("Счёт уже оплачен")
            page.keyboard.press("Enter")
    (charge,) = stage.telegram.charges
    stage.bot("refundStarPayment", user_id=101, telegram_payment_charge_id=charge.id)
    expect(page.locator("#messages")).to_contain_text("Вам вернули ⭐ 100")
