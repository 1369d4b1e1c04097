"""Receipts in English."""

from html import escape

from app.words.receipts import Receipts

_HOW = "To set an address: <code>/email name@example.com</code>"


class EnglishReceipts(Receipts):
    no_receipts = "Receipts aren’t sent by e-mail here, so no address is needed."
    email_odd = f"This doesn’t look like an e-mail address. {_HOW}"
    email_removed = "The address has been removed: no more receipts go there."
    email_button = "Remove the address"
    receipt_offer = f"Would you like receipts by e-mail? {_HOW}. You don’t have to: you can buy without one."
    email_refused = (
        "YooKassa did not accept your address for receipts, so I have removed it; your purchase is not affected. "
        "Check it and set it again: /email"
    )

    def email(self, address: str | None) -> str:
        if address is None:
            return f"No address for receipts is set. {_HOW}"
        return (
            f"Receipts go to {escape(address)}.\nAnother address: <code>/email name@example.com</code>, "
            "to remove it: <code>/email -</code>"
        )

    def email_chosen(self, address: str) -> str:
        return (
            f"Done: from the next new payment on, receipts go to {escape(address)}. To remove the address: "
            "<code>/email -</code>"
        )
