"""Alerts in Russian."""

from html import escape

from app.words.alerts import Alerts
from app.words.ru.numbers import money, plural

_DIFFERENCES = {"shop": "другой магазин", "test": "тестовый платёж", "not_test": "не тестовый платёж"}


class RussianAlerts(Alerts):
    def alert(self, text: str) -> str:
        return f"⚠️ {escape(text)}"

    def alert_provider_refuses(self, status: int) -> str:
        return self.alert(f"gen-api отвечает {status}: заказы остановлены, проба раз в 30 с. Проверьте ключ и баланс.")

    def alert_model_off(self, model: str) -> str:
        return self.alert(
            f"gen-api не знает сети модели {model} (404): модель выключена, проба раз в час. "
            "Замените её в настройке MODELS (docs/models.md)."
        )

    def alert_picture_refused(self, order: str) -> str:
        return self.alert(f"Telegram не принял картинку заказа {order}, кредиты отданы назад.")

    def alert_checkout_refused(self, status: int) -> str:
        return self.alert(f"ЮKassa отвечает {status} на создание платежа: проверьте ключи и настройки чеков.")

    def alert_payment_in_review(self, payment: str, difference: str, kopecks: int, currency: str) -> str:
        what = _DIFFERENCES.get(difference, f"сумма {money(kopecks, currency)}")
        return self.alert(f"Платёж {payment} оплачен, но отличается: {what}. Ничего не начислено.")

    def alert_payment_elsewhere(self, payment: str, shop: str) -> str:
        return self.alert(
            f"ЮKassa прислала уведомление о платеже {payment} магазина {shop}, а настроен другой магазин: прочитать "
            "платёж нельзя, ничего не начислено. Верните прежние ключи или сверьте платёж вручную."
        )

    def alert_payment_gone(self, payment: str, provider_id: str) -> str:
        return self.alert(
            f"ЮKassa больше не знает платёж {payment} ({provider_id}), который сама создала: проверьте, тот ли магазин "
            "в настройках. Ничего не изменено."
        )

    def alert_refund_not_shown(self, payment: str, refund: str) -> str:
        return self.alert(
            f"ЮKassa сообщила о возврате {refund}, но три дня не показывает его в платеже {payment}: кредиты за него "
            "не списаны. Сверьте платёж с кабинетом."
        )

    def alert_other_till(self, shop: str, payments: int) -> str:
        rows = plural(payments, "незакрытый платёж", "незакрытых платежа", "незакрытых платежей")
        return self.alert(
            f"В базе {payments} {rows} магазина {shop}, а настроен другой: о них больше никто не спрашивает. Сверьте "
            "их с кабинетом прежнего магазина."
        )

    def alert_payment_late(self, payment: str, status: str) -> str:
        return self.alert(f"Платёж {payment} оплачен, хотя уже закрыт ({status}). Ничего не начислено.")

    def alert_message_dropped(self, message: str, chat: int) -> str:
        return self.alert(f"Сообщение {message} в чат {chat} не отправилось за час попыток, больше не пробую.")

    def alert_webhook_taken(self, host: str) -> str:
        what = f"переставлен на {host}" if host else "снят"
        return self.alert(
            f"Вебхук бота был {what}: его токен есть у другого процесса. Вебхук возвращён. Если это были не вы, "
            "смените токен у @BotFather (/revoke)."
        )
