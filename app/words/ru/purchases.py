"""Buying in Russian."""

from datetime import date
from html import escape

from app.catalog import PLANS, PRICE, SUBSCRIPTION_DAYS
from app.words.dates import day_text
from app.words.purchases import Purchases
from app.words.ru.numbers import credits, money, plural, roubles

_DAYS = f"{SUBSCRIPTION_DAYS} {plural(SUBSCRIPTION_DAYS, 'день', 'дня', 'дней')}"

_STATES = {
    "succeeded": "Оплата прошла, кредиты на балансе: /status",
    "refunded": "По этому платежу сделан возврат, кредиты списаны: /status. Купить снова — /buy_subscription",
    "canceled": "Платёж отменён, деньги не списаны. Попробовать снова — /buy_subscription",
    "review": "Платёж получен, но требует проверки. Мы уже смотрим; вопросы — /paysupport",
}


class RussianPurchases(Purchases):
    plans_offer = f"Сколько кредитов купить? Вместе с ними — подписка на {_DAYS}."
    pay_later = (
        "ЮKassa пока не отвечает. Нажмите на тариф ещё раз через минуту — второго платежа не будет. Если ссылка будет "
        "готова раньше, она придёт сюда сама."
    )
    pay_refused = "Оплата сейчас недоступна, мы уже разбираемся. Деньги не списаны; попробуйте ещё раз через минуту."

    buy_button = "Купить кредиты"
    pay_button = "Оплатить"

    def pay_amount_button(self, kopecks: int) -> str:
        return f"Оплатить {roubles(kopecks)}"

    def plan(self, plan: str, currency: str = "RUB") -> str:
        found = PLANS.get(plan)
        return f"{money(found.price(currency), currency)} — {credits(found.credits)}" if found else escape(plan)

    def pay(self, plan: str) -> str:
        return f"{self.plan(plan)}. Нажмите «Оплатить» — откроется страница ЮKassa. Ссылка живёт около часа."

    def payment_purpose(self, bought: int) -> str:
        return f"{credits(bought)} для рисования картинок"

    def payment_state(self, status: str | None) -> str:
        if status is None:
            return "Платежей пока нет. Купить кредиты — /buy_subscription"
        return _STATES.get(status, "Платёж ещё не подтверждён. Как только ЮKassa подтвердит его, я напишу сюда.")

    def payment_link(self, plan: str) -> str:
        return f"Ссылка для оплаты готова ({self.plan(plan)}). Оплатить можно в течение часа."

    def payment_succeeded(self, added: int, balance: int, until: date) -> str:
        return (
            f"✅ Оплата прошла: добавлено {credits(added)}. "
            f"Теперь у вас {credits(balance)}. Подписка действует по {day_text(until)}.\n"
            "Рисовать — /photo"
        )

    def payment_canceled(self, plan: str, reason: str) -> str:
        why = "Срок оплаты истёк" if reason == "expired_on_confirmation" else "Платёж отменён"
        return f"{why} ({self.plan(plan)}). Деньги не списаны."

    def payment_refunded(self, taken: int, balance: int, full: bool) -> str:
        end = " Подписка по этому платежу закончена." if full else ""
        end += " Вопросы — /paysupport"
        return f"Возврат денег по платежу: списано {credits(taken)}, на балансе {credits(balance)}.{end}"

    def debt_taken(self, taken: int, left: int, balance: int) -> str:
        more = f" Осталось удержать {credits(left)}." if left else ""
        return (
            f"Удержано {credits(taken)}: их не хватило, когда вам вернули деньги за покупку. "
            f"На балансе {credits(balance)}.{more}"
        )

    def status(self, balance: int, plan: str | None, until: date | None, currency: str = "RUB") -> str:
        lines = [f"На балансе {credits(balance)}."]
        if plan and until:
            lines.append(f"Подписка: {self.plan(plan, currency)}, действует по {day_text(until)}.")
        else:
            lines.append("Активной подписки нет. Купить — /buy_subscription")
        if balance >= PRICE:
            lines.append("Рисовать — /photo")
        return "\n".join(lines)
