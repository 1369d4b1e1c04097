"""Paying with Stars in Russian."""

from html import escape

from app.catalog import SUBSCRIPTION_DAYS
from app.words.ru.numbers import credits, money, plural
from app.words.stars import Stars

_DAYS = f"{SUBSCRIPTION_DAYS} {plural(SUBSCRIPTION_DAYS, 'день', 'дня', 'дней')}"


class RussianStars(Stars):
    invoice_unknown = "Этот счёт не ваш или уже не действует. Выберите тариф заново: /buy_subscription"
    invoice_paid = "Этот счёт уже оплачен, кредиты на балансе: /status. Ещё кредиты — /buy_subscription"
    invoice_closed = "Оплата звёздами больше не принимается. Другие способы — /buy_subscription"
    invoice_later = "Сейчас не получается проверить счёт. Звёзды не списаны; попробуйте ещё раз через минуту."

    def stars_button(self, stars: int) -> str:
        return money(stars, "XTR")

    def credits_title(self, bought: int) -> str:
        return credits(bought)

    def invoice_description(self, bought: int) -> str:
        return f"{credits(bought)} для рисования картинок и подписка на {_DAYS}"

    def or_stars(self, stars: int) -> str:
        return f"Или звёздами Telegram: {money(stars, 'XTR')}."

    def payment_stray(self, amount: int, currency: str) -> str:
        return (
            f"Оплата {money(amount, currency)} дошла, но я не нашёл, за что она. Мы уже смотрим; вопросы — /paysupport"
        )

    def alert_stray_charge(self, charge: str, user_id: int, amount: int, currency: str) -> str:
        return (
            f"⚠️ Оплата {money(amount, currency)} от {user_id} дошла, но такой покупки в базе нет: ничего не начислено, "
            f"человек предупреждён. Платёж {escape(charge)} записан в stray_charges; что делать — в docs/alerts.md."
        )

    def alert_second_charge(self, payment: str, charge: str) -> str:
        return (
            f"⚠️ Счёт {payment} оплачен второй раз ({escape(charge)}): кредиты начислены и за эту оплату. "
            "Если человек ошибся, верните ему звёзды."
        )
