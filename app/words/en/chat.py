"""The ways in and out in English."""

from app.catalog import MOST_SOURCES, PRICE, WELCOME_CREDITS
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
        "Send a photo and say in the caption what to turn it into. One order takes up to "
        f"{MOST_SOURCES} photos, or none at all: send /photo, then a description, and press “🖼”. "
        "On the card, choose a model, a size and a style and press “✅ Draw”: the picture will arrive in this chat.\n\n"
        f"Everyone starts with {credits(WELCOME_CREDITS)}; pictures cost from {credits(PRICE)}, and the price "
        "is on the card. If something goes wrong, the credits go back to your balance.\n\n"
        f"{_HOW}\n/cancel — cancel what you started\n/forget — delete my descriptions and photos\n"
        "/language — change the language\n/support — ask us, /paysupport — ask about a payment\n"
        "/terms — terms of service, /privacy — your data"
    )
    cancelled = "Cancelled. To start again: /photo"
    nothing_to_cancel = "There is nothing to cancel. To start: /photo"
    forgotten = (
        "Done: the descriptions, photos, links and file names of your orders and your address for receipts are "
        "deleted, and /history is now empty. If an order is still under way, its data will be deleted as soon as it’s "
        "finished. Your balance and payments stay. To draw: /photo"
    )
    unknown_command = "I don’t know that command.\n\n" + _HOW
    start_with_photo = "To make a picture, send a photo with a caption or start with /photo"
    apology = (
        "Something broke on my side. We know about it; please try again a little later. If it keeps happening: /support"
    )
    slow_down = "That was too fast for me. Please wait a couple of seconds and try again."
    button_unknown = "This button no longer works. Start again: /photo"
    ask_language = "Which language should I speak?"
    language_chosen = "I speak English now. To draw: /photo"

    language_button = "🇬🇧 English"

    def greeting(self, balance: int) -> str:
        return (
            "Hello! I make pictures: send me a photo and describe what to turn it into.\n\n"
            f"You have {credits(balance)}. Pictures cost from {credits(PRICE)}.\n\n{_HOW}"
        )

    def group(self, bot: str) -> str:
        return f'I draw in private chats only: <a href="https://t.me/{bot}">open yours</a> and press “Start”.'
