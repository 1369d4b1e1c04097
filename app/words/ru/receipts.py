"""Receipts in Russian."""

from html import escape

from app.words.receipts import Receipts

_HOW = "Назвать адрес — <code>/email name@example.ru</code>"


class RussianReceipts(Receipts):
    no_receipts = "Здесь чеки по почте не отправляются, адрес не нужен."
    email_odd = f"Это не похоже на адрес почты. {_HOW}"
    email_removed = "Адрес удалён: чеки на него больше не придут."
    email_button = "Удалить адрес"
    receipt_offer = f"Хотите получать чеки на почту? {_HOW}. Это не обязательно: покупать можно и без адреса."
    email_refused = (
        "ЮKassa не приняла ваш адрес для чеков, и я его удалил; на покупку это не влияет. Проверьте его и назовите "
        "снова: /email"
    )

    def email(self, address: str | None) -> str:
        if address is None:
            return f"Адрес для чеков не назван. {_HOW}"
        return (
            f"Чеки приходят на {escape(address)}.\nДругой адрес — <code>/email name@example.ru</code>, "
            "удалить — <code>/email -</code>"
        )

    def email_chosen(self, address: str) -> str:
        return (
            f"Готово: со следующего нового платежа чеки придут на {escape(address)}. Удалить адрес — "
            "<code>/email -</code>"
        )
