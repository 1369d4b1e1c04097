"""What a person has got, in English."""

from collections.abc import Sequence
from html import escape

from app.words.dates import day_text
from app.words.en.numbers import credits
from app.words.history import History, Moved, Shown
from app.words.shorten import shortened

_REASONS = {
    "welcome": "welcome gift",
    "order": "a picture",
    "order_refund": "refund of a picture",
    "purchase": "purchase",
    "purchase_refund": "refund of a purchase",
}


class EnglishHistory(History):
    again_button = "🔁 Again"
    change_button = "✏️ Change"
    original_button = "📎 Uncompressed file"
    movements_button = "📒 Credit history"
    newer_button = "← Newer"
    older_button = "→ Older"

    ask_change = "What should be different in this picture? Describe it, and I’ll show a new card with its price."
    picture_unknown = "I no longer have this picture. To make a new one: /photo"
    picture_gone = "This picture can’t be fetched any more. Send it here yourself and describe what to change."
    original_coming = "The file is on its way, free of charge"
    original_gone = "Nobody has the uncompressed file any more. The picture stays in this chat; nothing was charged."
    original_perhaps = "The file seems to have been sent. If it isn’t here, press “📎” again: it is free."
    history_empty = "Your history is empty: no pictures yet. To make one: /photo"

    def history(self, pictures: Sequence[Shown]) -> str:
        lines = (
            f"<b>{number}.</b> {escape(shortened(one.prompt, 120))}\n"
            f"{day_text(one.day)} · {escape(one.model)} · {one.size}"
            for number, one in enumerate(pictures, 1)
        )
        return "<b>Your pictures</b>\nPress one and I’ll send it again, free of charge.\n\n" + "\n\n".join(lines)

    def history_button(self, number: int, prompt: str) -> str:
        return f"{number}. {shortened(prompt, 40)}"

    def movements(self, entries: Sequence[Moved]) -> str:
        lines = (
            f"{day_text(one.day)} · <b>{one.delta:+d}</b> · {_REASONS.get(one.reason, 'adjustment')}, "
            f"then {credits(one.balance)}"
            for one in entries
        )
        return "<b>Credit history</b>\n\n" + "\n".join(lines)
