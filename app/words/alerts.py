"""What the operators are told in Telegram."""

from typing import Protocol


class Alerts(Protocol):
    """The words of alerts."""

    def alert(self, text: str) -> str:
        """An alert by its plain text."""

    def alert_provider_refuses(self, status: int) -> str:
        """gen-api refuses order after order with an HTTP status; none is taken any more."""

    def alert_model_off(self, model: str) -> str:
        """gen-api does not know a model's network any more; the model has switched itself off. `model` is its key."""

    def alert_picture_refused(self, order: str) -> str:
        """Telegram took a finished picture in no way; its order was given back."""

    def alert_checkout_refused(self, status: int) -> str:
        """YooKassa refused to create a payment, with an HTTP status."""

    def alert_payment_in_review(self, payment: str, difference: str, kopecks: int, currency: str) -> str:
        """A payment was paid that is not the one that was ordered; `kopecks` and `currency` are what was paid.

        `difference`: amount, shop, test (a test payment in a real shop) or not_test.
        """

    def alert_payment_elsewhere(self, payment: str, shop: str) -> str:
        """YooKassa told of a payment of another shop, which the keys in use cannot read."""

    def alert_payment_gone(self, payment: str, provider_id: str) -> str:
        """YooKassa does not know a payment, by its own id, that it had given us."""

    def alert_refund_not_shown(self, payment: str, refund: str) -> str:
        """YooKassa told of a refund that its payment has not shown for three days; no credits were taken for it."""

    def alert_other_till(self, shop: str, payments: int) -> str:
        """So many open payments were made through another shop: nobody asks about them."""

    def alert_payment_late(self, payment: str, status: str) -> str:
        """A payment was paid whose row is closed already, with that status."""

    def alert_message_dropped(self, message: str, chat: int) -> str:
        """A message to a chat could not be sent for an hour; `message` is its kind, as logs and tables name it."""

    def alert_webhook_taken(self, host: str) -> str:
        """Another process with this bot's token took its webhook to `host` ("": removed it); it was taken back."""
