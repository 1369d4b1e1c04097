"""An order in English."""

from collections.abc import Sequence
from html import escape

from app.catalog import PRICE, PROMPT_LIMIT
from app.words.en.numbers import about, credits, minutes
from app.words.orders import Orders

_TOO_LARGE = (
    "This picture is too large: the limits are 20 MB and 50 megapixels. Send it as a photo, or send a smaller file."
)

_FAILURES = {
    "not_a_picture": "This isn’t a picture, or the file is damaged. Send a photo, or a JPEG, PNG or WEBP file.",
    "too_large": _TOO_LARGE,
    "file_gone": "I couldn’t download your picture from Telegram. Please send it again.",
    "refused": "The drawing service turned this order down. Try a different description or another model.",
    "model_gone": "This model is no longer available.",
    "provider": "The drawing service couldn’t draw this picture. Try a different description or photo.",
    "deadline": "The drawing service didn’t answer in time. Please order again a little later.",
    "no_picture": "The drawing service didn’t deliver the picture. Please order again.",
    "undeliverable": "Telegram didn’t accept the finished picture. Try another size or model.",
}


class EnglishOrders(Orders):
    ask_both = (
        "Send a picture (as a photo or as a file) and a description of what to draw: "
        "as a caption, or in a separate message, in either order."
    )
    ask_picture = "Got the description. Now send the picture — as a photo, or as a JPEG, PNG or WEBP file."
    ask_prompt = "Got the picture. Now describe what to draw."
    not_a_picture = "I need a picture here: send it as a photo, or as a JPEG, PNG or WEBP file."
    video_instead = "I can’t work with videos. Send a picture — as a photo, or as a JPEG, PNG or WEBP file."
    heic_instead = "I can’t read HEIC. Send the picture as a photo — Telegram converts it — or as a JPEG file."
    too_large = _TOO_LARGE
    empty_prompt = "The description is empty. Tell me what to draw."
    long_prompt = f"The description is too long: the limit is {PROMPT_LIMIT} characters. Please shorten it."
    card_old = "This card is out of date. Start again: /photo"
    card_cancelled = "Order cancelled, no credits were taken. To start again: /photo"
    card_used = "This card has already been ordered. For another picture: /photo"
    order_accepted = "Order accepted"
    order_done = "✅ Done, the picture is below."
    order_not_drawn = "😔 This picture could not be made. See the message below for what happened and what to do."
    declined_busy = "There are too many orders right now. No credits were taken; please try again in a few minutes."
    declined_provider = (
        "Drawing is unavailable at the moment: the service isn’t accepting orders. We’re looking into it. "
        "No credits were taken; please try again in a few minutes."
    )

    cancel_button = "❌ Cancel"
    resume_button = "Continue"

    def order_button(self, price: int) -> str:
        return f"✅ Draw · {credits(price)}"

    def order_queued(self, place: int, usual_s: float | None, left_s: float | None) -> str:
        usual = f" The picture itself takes {about(usual_s)} right now." if usual_s is not None else ""
        return f"⏳ In the queue: number {place}.{usual}{_or_else(left_s)}"

    def order_drawing(self, usual_s: float | None) -> str:
        if usual_s is None:
            return "⏳ Drawing… The picture will arrive here as soon as it’s ready."
        return f"⏳ Drawing… A picture like this takes {about(usual_s)} right now."

    def order_late(self, usual_s: float | None, left_s: float) -> str:
        usual = f" (usually {about(usual_s)})" if usual_s is not None else ""
        return f"⏳ Still drawing — it’s taking longer than usual{usual}.{_or_else(left_s)}"

    def ordered(self, stands: str, prompt: str | None, size: str, price: int, balance: int) -> str:
        what = f"{escape(prompt)}\n" if prompt else ""
        return f"{stands}\n\n{what}Size: {size}\nCharged: {credits(price)}. Remaining: {credits(balance)}."

    def too_few(self, balance: int, price: int) -> str:
        return (
            f"Not enough credits: you have {credits(balance)}, and a picture costs {credits(price)}.\n"
            "Top up: /buy_subscription. Then go back to the card and press “✅” again."
        )

    def model_button(self, title: str, price: int, lowest: bool) -> str:
        if lowest:
            return f"🤖 {title} · from {price}"
        return f"🤖 {title}" if price == PRICE else f"🤖 {title} · {credits(price)}"

    def model_off(self, offer: Sequence[str]) -> str:
        if not offer:
            return "No model is available now; we’re looking into it. No credits were taken; please try again later."
        return f"This model isn’t available now. Choose another on the card: {_titles(offer)}. No credits were taken."

    def order_failed(self, reason: str, price: int, balance: int, picture: int | None, offer: Sequence[str]) -> str:
        why = _FAILURES.get(reason, _FAILURES["provider"])
        if picture is not None:
            why = f"Picture {picture}: {why}"
        if offer:
            why = f"{why} Choose another: {_titles(offer)}."
        return f"😔 {why}\n\nYour credits were refunded ({price}); you have {credits(balance)}. To try again: /photo"


def _or_else(left_s: float | None) -> str:
    if left_s is None:
        return ""
    return f" If the picture isn’t here within {minutes(left_s)}, your credits go back to your balance."


def _titles(models: Sequence[str]) -> str:
    return ", ".join(map(escape, models))
