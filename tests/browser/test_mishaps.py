"""The machine room's switches, several at once: nothing is lost, nothing is done twice, and the audit agrees."""

import pytest
from playwright.sync_api import expect

from tests.browser.drive import Visitor
from tests.world import photograph

pytestmark = pytest.mark.timeout(300)


def _joins(visitor: Visitor, address: str, name: str) -> None:
    """Somebody new, with ten credits."""
    visitor.page.goto(address)
    visitor.page.get_by_role("button", name="Добавить человека").click()
    visitor.page.keyboard.type(name)
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("#people button", has_text=name).and_(visitor.page.locator("[aria-pressed=true]")).wait_for()
    visitor.page.locator("#start").click()
    visitor.reads("10 кредитов")


def _happened(visitor: Visitor, mishap: str) -> None:
    """The switch has sprung: the next one meets what comes next."""
    expect(visitor.page.locator("#armed")).not_to_contain_text(mishap)


def test_orders_survive_what_gen_api_and_telegram_do(address: str, visitor: Visitor) -> None:
    """Six orders, a mishap each; only the one that was refused ends without a picture, and its credits come back."""
    page = visitor.page
    _joins(visitor, address, "Вера")
    orders = {
        "Колбэк опоздал": "delivered",
        "Колбэк подделан": "delivered",
        "402: у gen-api кончились деньги": "failed",
        "Колбэк пришёл дважды": "delivered",
        "429 на отправку картинки": "delivered",
        "Заказ принят, а ответа нет": "delivered",
    }
    for mishap in orders:
        visitor.switches_on(mishap)
        visitor.orders(photograph(), f"Кот {mishap[:9]}")
        _happened(visitor, mishap)
    for mishap, status in orders.items():
        expect(visitor.order(f"Кот {mishap[:9]}")).to_have_attribute("data-status", status)
    visitor.reads("возвращ")
    for mishap in orders:
        expect(page.locator("#journal li", has_text=f"⚡ {mishap}").first).to_be_attached()
    # It comes when all is over, and is taken as one that is known
    late = page.locator("#journal li", has_text="⚡ Колбэк опоздал")
    expect(late.locator(".status")).to_have_text("200")
    visitor.tab("Счета")
    ledger = page.locator("#ledgers article", has_text="Вера")
    expect(ledger.locator(".balance")).to_have_text("0 кредитов")
    expect(ledger.locator("tbody tr")).to_have_count(1 + 6 + 1)
    expect(page.locator("#verdict")).to_contain_text("Сверка сходится")
    expect(page.locator("#messages img")).to_have_count(6 + 5)


def test_payments_survive_what_their_notifications_do(address: str, visitor: Visitor) -> None:
    """Doubled, lost, forged, and the bot killed over one: four purchases are credited four times."""
    page = visitor.page
    _joins(visitor, address, "Денис")
    payments = page.locator("#payments article", has_text="Денис")
    mishaps = [
        "Уведомление пришло дважды",
        "Уведомление потеряно",
        "Уведомление подделано",
        "Убит, пока проверял оплату",
    ]
    for mishap in mishaps:
        payment = visitor.opens_payment("200 ₽")
        visitor.switches_on(mishap)
        payment.get_by_role("button", name="Оплатить").click()
        expect(payment.get_by_role("status").filter(visible=True)).to_contain_text("Оплачено")
        payment.close()
        _happened(visitor, mishap)
        expect(payments.first).to_have_attribute("data-status", "succeeded")
    for mishap in mishaps:
        expect(page.locator("#journal li", has_text=f"⚡ {mishap}").first).to_be_attached()
    visitor.reads("50 кредитов")
    visitor.tab("Счета")
    ledger = page.locator("#ledgers article", has_text="Денис")
    expect(ledger.locator(".balance")).to_have_text("50 кредитов")
    expect(ledger.locator("tbody tr")).to_have_count(1 + 4)
    expect(page.locator("#verdict")).to_contain_text("Сверка сходится")
