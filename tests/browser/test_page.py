"""The whole sandbox by clicks, in Chromium: an order, a purchase, faults survived, a keyboard, a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.drive import WAIT_MS, Visitor, running_sandbox
from tests.world import photograph

pytestmark = pytest.mark.timeout(300)

PHONE = {"width": 390, "height": 844}


def test_a_picture_is_ordered_and_arrives(address: str, visitor: Visitor) -> None:
    """The order is seen moving to «доставлено», its price in the ledger, its calls in the journal with their bodies."""
    page = visitor.page
    visitor.visit(address, "Аня")
    visitor.says("/start")
    visitor.reads("10 кредитов")
    visitor.orders(photograph(), "Кот в космосе")
    expect(page.locator("#bot-status")).to_have_text("отправляет фото…")
    expect(visitor.order("Кот в космосе")).to_have_attribute("data-status", "delivered")
    expect(page.locator("#messages img")).to_have_count(2)
    # The newest: others of the suite have ordered here, too
    call = page.locator("#journal li", has_text="заказ картинки").first
    call.locator("summary").click()
    expect(call.locator("pre").nth(1)).to_contain_text("<picture.jpg, ")
    expect(call.locator("pre").nth(2)).to_contain_text("request_id")
    assert "Bearer" in (shown := call.locator("pre").first.inner_text())
    assert shown.strip().endswith("…")
    visitor.tab("Счета")
    expect(page.locator("#ledgers article", has_text="Аня")).to_contain_text("8 кредитов")
    expect(page.locator("#verdict")).to_contain_text("Сверка сходится")


def test_credits_are_bought_and_half_the_money_given_back(address: str, visitor: Visitor) -> None:
    """The payment page opens from the chat; the refund is made in the machine room."""
    page = visitor.page
    visitor.visit(address, "Борис")
    yookassa = visitor.opens_payment("200 ₽")
    yookassa.get_by_role("button", name="Оплатить").click()
    expect(yookassa.get_by_role("status")).to_contain_text("Оплачено")
    yookassa.close()
    payment = page.locator("#payments article").first
    expect(payment).to_have_attribute("data-status", "succeeded")
    visitor.reads("20 кредитов")
    payment.get_by_label("Сколько рублей вернуть").fill("300")
    payment.get_by_role("button", name="Вернуть").click()
    expect(payment).to_contain_text("Столько вернуть нельзя")
    payment.get_by_label("Сколько рублей вернуть").fill("100")
    payment.get_by_role("button", name="Вернуть").click()
    expect(payment).to_contain_text("снято 5 кредитов")
    visitor.says("/status")
    visitor.reads("15 кредитов")


def test_a_cancelled_payment_costs_nothing(address: str, visitor: Visitor) -> None:
    """«Отменить» on the payment page is told in the chat."""
    page = visitor.page
    visitor.visit(address, "Борис")
    yookassa = visitor.opens_payment("500 ₽")
    yookassa.get_by_role("button", name="Отменить").click()
    expect(yookassa.get_by_role("status")).to_contain_text("Отменено")
    expect(page.locator("#payments article").first).to_have_attribute("data-status", "canceled")


def test_a_lost_callback_is_made_up_for_by_asking(address: str, visitor: Visitor) -> None:
    """The journal marks what was lost; the bot asks gen-api by itself."""
    visitor.visit(address, "Аня")
    visitor.switches_on("Колбэк потерян")
    visitor.orders(photograph(), "Маяк в тумане")
    expect(visitor.page.locator("#journal")).to_contain_text("⚡ Колбэк потерян")
    expect(visitor.page.locator("#journal")).to_contain_text("как там заказ?")
    expect(visitor.order("Маяк в тумане")).to_have_attribute("data-status", "delivered")


def test_a_killed_bot_comes_back_and_the_picture_arrives(address: str, visitor: Visitor) -> None:
    """Killed while gen-api paints, and the callback is lost as well: the next process asks."""
    page = visitor.page
    visitor.visit(address, "Аня")
    visitor.switches_on("Колбэк потерян")
    visitor.orders(photograph(), "Дракон над рекой")
    expect(visitor.order("Дракон над рекой")).to_have_attribute("data-status", "processing")
    visitor.tab("Поломки")
    page.get_by_role("button", name="Убить").click()
    expect(page.locator("#bot-state")).to_contain_text("kill -9")
    expect(page.locator("#bot-state")).to_contain_text("бот работает (перезапуск")
    expect(visitor.order("Дракон над рекой")).to_have_attribute("data-status", "delivered", timeout=90_000)
    expect(page.locator("#audit")).to_have_text("сверка сходится")


def test_a_paused_bot_answers_once_it_goes_on(address: str, visitor: Visitor) -> None:
    """What is written meanwhile waits; a restart in order loses nothing either."""
    page = visitor.page
    visitor.visit(address, "Борис")
    visitor.tab("Поломки")
    page.get_by_role("button", name="Пауза").click()
    expect(page.locator("#bot-state")).to_contain_text("на паузе")
    visitor.says("/help")
    visitor.tab("Ход дела")
    expect(page.locator("#journal .status").first).to_have_text("…")
    page.get_by_role("button", name="Починить всё").click()
    expect(page.locator("#journal .status").first).to_have_text("200")
    visitor.tab("Поломки")
    page.get_by_role("button", name="Перезапустить").click()
    expect(page.locator("#bot-state")).to_contain_text("бот запускается")
    expect(page.locator("#bot-state")).to_contain_text("бот работает")


def test_the_keyboard_is_enough(address: str, window: Callable[..., Page]) -> None:
    """The message field has the focus at first; the machine room's tabs go by arrows, its switches by space."""
    page = window(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.keyboard.type("/start")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("/buy_subscription")
    page.get_by_role("tab", name="Ход дела").focus()
    page.keyboard.press("ArrowRight")
    toggle = page.get_by_role("switch", name="Колбэк пришёл дважды")
    expect(toggle).to_be_visible()
    toggle.focus()
    page.keyboard.press("Space")
    expect(toggle).to_be_checked()
    expect(toggle).to_be_focused()
    page.keyboard.press("Space")
    expect(toggle).not_to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_a_phone(address: str, window: Callable[..., Page], scheme: str) -> None:
    """Chat and machine room are one tap apart, and neither is wider than the screen."""
    page = window(viewport=PHONE, has_touch=True, color_scheme=scheme)
    page.goto(address)
    expect(page.locator("#chat")).to_be_visible()
    assert _fits(page)
    page.get_by_role("button", name="Машинный зал").click()
    expect(page.locator("#bot-state")).to_contain_text("бот работает")
    for name in ("Ход дела", "Поломки", "Счета"):
        page.get_by_role("tab", name=name).click()
        assert _fits(page), name
    page.get_by_role("button", name="Чат", exact=True).click()
    expect(page.locator("#chat")).to_be_visible()


def _fits(page: Page) -> bool:
    """Whether nothing sticks out sideways, of the page, the machine room or its lists."""
    script = "[...document.querySelectorAll('html, #room, .cards')].every(e => e.scrollWidth <= e.clientWidth)"
    fits: bool = page.evaluate(script)
    return fits


def test_a_sandbox_started_again_on_the_same_database_takes_orders(
    database_url: str, redis_url: str, browser: Browser
) -> None:
    """Telegram's, gen-api's and YooKassa's numbers do not begin anew: they would name what is in the books already."""
    for start in ("первый", "второй"):
        with running_sandbox(database_url, redis_url) as address:
            context = browser.new_context(locale="ru-RU")
            context.set_default_timeout(WAIT_MS)
            visitor = Visitor(context.new_page())
            visitor.visit(address, "Аня")
            visitor.orders(photograph(), f"Запуск {start}")
            expect(visitor.order(f"Запуск {start}")).to_have_attribute("data-status", "delivered")
            context.close()


def test_an_order_needs_no_mouse(address: str, visitor: Visitor) -> None:
    """«/» and arrows, a picture from the clipboard, Shift+Tab back to the card, Enter; the photo opens and closes."""
    page = visitor.page
    visitor.visit(address, "Аня")
    visitor.copies(photograph())
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("/ph")
    page.keyboard.press("Enter")
    visitor.reads("Пришлите картинку")
    page.keyboard.press("ControlOrMeta+V")
    page.keyboard.type("Без мыши")
    page.keyboard.press("Enter")
    order = page.locator("#messages").get_by_role("button", name="✅").last
    expect(order).to_be_visible()
    expect(page.locator("#text")).to_be_focused()
    _back_to(page, order)
    page.keyboard.press("Enter")
    expect(visitor.order("Без мыши")).to_have_attribute("data-status", "delivered")
    photo = page.locator("#messages li").last.get_by_role("button", name="Открыть фото")
    expect(photo).to_be_visible()
    page.locator("#text").focus()
    _back_to(page, photo)
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def _back_to(page: Page, wanted: Locator) -> None:
    """Shift+Tab until it has the focus, over a few things at most."""
    for _ in range(5):
        page.keyboard.press("Shift+Tab")
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
    expect(wanted).to_be_focused()


def test_an_album_is_one_card_of_all_its_pictures(address: str, visitor: Visitor) -> None:
    """One card, not three."""
    page = visitor.page
    visitor.visit(address, "Борис")
    visitor.says("/photo")
    visitor.reads("Пришлите")
    files: list[FilePayload] = [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photograph()} for _ in range(3)]
    cards = page.locator("#messages").get_by_role("button", name="✅")
    before = cards.count()
    page.locator("#photos").set_input_files(files)
    page.get_by_label("Подпись").fill("Трое котов")
    page.keyboard.press("Enter")
    visitor.reads("Картинки: 3")
    expect(cards).to_have_count(before + 1)
    visitor.says("/cancel")
    visitor.reads("Отменено")


def test_a_picture_waits_for_a_person_who_blocks_the_bot(address: str, visitor: Visitor) -> None:
    """It stays «готово» and comes as soon as the bot is unblocked."""
    page = visitor.page
    visitor.visit(address, "Аня")
    visitor.orders(photograph(), "Пока заблокирован")
    page.get_by_role("button", name="Ещё", exact=True).click()
    page.get_by_role("menuitem", name="Заблокировать бота").click()
    refused = page.locator("#journal li.failed", has_text="sendPhoto")
    expect(refused.locator(".status").first).to_have_text("403")
    expect(visitor.order("Пока заблокирован")).to_have_attribute("data-status", "ready")
    page.get_by_role("button", name="Разблокировать").click()
    expect(visitor.order("Пока заблокирован")).to_have_attribute("data-status", "delivered")


def test_the_payment_page_leads_back_to_who_paid(address: str, visitor: Visitor) -> None:
    """It opens in a tab of its own; the way back opens that person's chat, and the bot says that the money came."""
    visitor.visit(address, "Борис")
    payment = visitor.opens_payment("1000 ₽")
    payment.get_by_role("button", name="Оплатить").click()
    payment.get_by_role("link", name="Вернуться в чат").click()
    expect(payment.locator("#people [aria-pressed=true]")).to_contain_text("Борис")
    expect(payment.locator("#messages")).to_contain_text("/start success")
    expect(payment).to_have_url(address)
    visitor.reads("Оплата прошла")
