"""The ways in and out, the commands, and what fits no topic."""

from typing import NamedTuple, Protocol


class Commands(NamedTuple):
    """What the menu says beside each command; the menu has this order."""

    start: str
    photo: str
    buy_subscription: str
    status: str
    history: str
    language: str
    support: str
    help: str
    cancel: str
    forget: str


class Chat(Protocol):
    """What is said whatever a person does."""

    commands: Commands
    help: str
    cancelled: str
    nothing_to_cancel: str
    forgotten: str
    unknown_command: str
    start_with_photo: str
    apology: str
    slow_down: str
    button_unknown: str
    ask_language: str
    language_chosen: str

    language_button: str
    """What this language is called by those who speak it, after its flag."""

    def greeting(self, balance: int) -> str:
        """The answer to /start."""

    def group(self, bot: str) -> str:
        """The answer in a group; `bot` is the bot's username."""
