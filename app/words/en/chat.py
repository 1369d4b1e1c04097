"""The ways in and out in English."""

from app.catalog import PRICE, WELCOME_CREDITS
from app.words.chat import Chat, Commands
from app.words.en.numbers import credits

_HOW = (
    "/photo — make a new picture from your photo and a description\n"
    "/buy_subscription — buy credits\n"
    "/status — balance and subscription\n"
    "/history — your pictures"
)


class EnglishChat(Chat):
    commands = Commands(
        start="Start",
        photo="Make a picture",
        buy_subscription="Buy credits",
        status="Balance and subscription",
        history="My pictures",
        language="Language",
        support="Ask us anything",
        help="How it works",
        cancel="Cancel what you started",
        forget="Delete my descriptions and photos",
    )
    help = (
        "Send /photo, then a photo with a caption — or the photo and the description in two messages. "
        "Choose a size and press “✅ Draw”: the picture comes to this chat, usually within a minute.\n\n"
        f"Everybody new gets {credits(WELCOME_CREDITS)}; a picture costs {credits(PRICE)}. "
        "If something goes wrong, the credits are back on your balance.\n\n"
        f"{_HOW}\n/cancel — cancel what you started\n/forget — delete my descriptions and photos\n"
        "/language — the language I speak\n/support — ask us, /paysupport — about a payment\n"
        "/terms — the terms, /privacy — about your data"
    )
    cancelled = "Cancelled. To start again: /photo"
    nothing_to_cancel = "There is nothing to cancel. To start: /photo"
    forgotten = (
        "Done: the descriptions, photos, links and file names of your orders are deleted, and /history is empty now. "
        "If an order is still under way, its data go as soon as it is finished. Your balance and payments stay."
    )
    unknown_command = "I don’t know that command.\n\n" + _HOW
    start_with_photo = "To make a picture, send a photo with a caption or start with /photo"
    apology = "Something broke on my side. We know about it; please try again a little later."
    slow_down = "That was too fast for me. Wait a couple of seconds and try again."
    button_unknown = "This button no longer works. Start again: /photo"
    ask_language = "Which language shall I speak?"
    language_chosen = "I speak English now. To draw: /photo"

    language_button = "🇬🇧 English"

    def greeting(self, balance: int) -> str:
        return (
            "Hello! I make pictures: send me a photo and describe what to turn it into.\n\n"
            f"You have {credits(balance)}. A picture costs {credits(PRICE)}.\n\n{_HOW}"
        )

    def group(self, bot: str) -> str:
        return f'I draw in private chats only: <a href="https://t.me/{bot}">open yours</a> and press “Start”.'
