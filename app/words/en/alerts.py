"""Alerts in English."""

from html import escape

from app.words.alerts import Alerts
from app.words.en.numbers import money

_DIFFERENCES = {"shop": "another shop", "test": "a test payment", "not_test": "not a test payment"}


class EnglishAlerts(Alerts):
    def alert(self, text: str) -> str:
        return f"⚠️ {escape(text)}"

    def alert_provider_refuses(self, status: int) -> str:
        return self.alert(
            f"gen-api answers {status}: orders are stopped, a trial every 30 s. Check the key and the balance."
        )

    def alert_model_off(self, model: str) -> str:
        return self.alert(
            f"gen-api does not know the network of model {model} (404): it is off, a trial every hour. "
            "Replace it in the setting MODELS (docs/models.md)."
        )

    def alert_picture_refused(self, order: str) -> str:
        return self.alert(f"Telegram did not take the picture of order {order}; its credits were given back.")

    def alert_checkout_refused(self, status: int) -> str:
        return self.alert(f"YooKassa answers {status} to creating a payment: check the keys and the receipt settings.")

    def alert_payment_in_review(self, payment: str, difference: str, kopecks: int, currency: str) -> str:
        what = _DIFFERENCES.get(difference, f"amount {money(kopecks, currency)}")
        return self.alert(f"Payment {payment} was paid but differs: {what}. Nothing was credited.")

    def alert_payment_elsewhere(self, payment: str, shop: str) -> str:
        return self.alert(
            f"YooKassa told of payment {payment} of shop {shop}, but another shop is configured: the payment cannot be "
            "read, nothing was credited. Put the former keys back, or compare the payment by hand."
        )

    def alert_payment_gone(self, payment: str, provider_id: str) -> str:
        return self.alert(
            f"YooKassa no longer knows payment {payment} ({provider_id}), which it made itself: check whether the "
            "right shop is configured. Nothing was changed."
        )

    def alert_refund_not_shown(self, payment: str, refund: str) -> str:
        return self.alert(
            f"YooKassa told of refund {refund}, but for three days has not shown it on payment {payment}: no credits "
            "were taken for it. Compare the payment with the account."
        )

    def alert_other_till(self, shop: str, payments: int) -> str:
        rows = "open payment" if payments == 1 else "open payments"
        return self.alert(
            f"There are {payments} {rows} of shop {shop}, but another one is configured: nobody asks about them any "
            "more. Compare them with the former shop’s account."
        )

    def alert_payment_late(self, payment: str, status: str) -> str:
        return self.alert(f"Payment {payment} was paid although it is closed already ({status}). Nothing was credited.")

    def alert_message_dropped(self, message: str, chat: int) -> str:
        return self.alert(
            f"The message {message} to chat {chat} could not be sent in an hour of tries and was given up."
        )

    def alert_webhook_taken(self, host: str) -> str:
        what = f"was moved to {host}" if host else "was removed"
        return self.alert(
            f"The bot's webhook {what}: another process has its token. It was taken back. If that was not you, "
            "get a new token from @BotFather (/revoke)."
        )
