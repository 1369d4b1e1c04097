"""Receipts in English."""

from html import escape

from app.words.receipts import Receipts

_HOW = "To name an address: <code>/email name@example.com</code>"


class EnglishReceipts(Receipts):
    no_receipts = "No receipts are sent by e-mail here, no address is needed."
    email_odd = f"This does not look like an address of e-mail. {_HOW}"
    email_removed = f"The address is removed: no receipts go there any more. {_HOW}"
    email_button = "Remove the address"
    receipt_offer = f"Would you like receipts by e-mail? {_HOW}. You need not: buying works without an address."
    email_refused = (
        "YooKassa did not accept your address for receipts, so I have removed it; your purchase is not affected. "
        "Check it and name it again: /email"
    )

    def email(self, address: str | None) -> str:
        if address is None:
            return f"No address for receipts is named. {_HOW}"
        return (
            f"Receipts go to {escape(address)}.\nAnother address: <code>/email name@example.com</code>, "
            "to remove it: <code>/email -</code>"
        )

    def email_chosen(self, address: str) -> str:
        return (
            f"Done: from the next new payment on, receipts go to {escape(address)}. To remove the address: "
            "<code>/email -</code>"
        )
