"""What a person has got: the buttons under a picture, the list of pictures, the movements of credits."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol


class Shown(NamedTuple):
    """A picture of the list: when it came, its description, the model as people call it, its size."""

    day: date
    prompt: str
    model: str
    size: str


class Moved(NamedTuple):
    """A movement: when it was, why (a Reason, or one of a later version), by how much, and the balance after it."""

    day: date
    reason: str
    delta: int
    balance: int


class History(Protocol):
    """The words of what is there already. Of credits that came back only `movements` speaks."""

    again_button: str
    change_button: str
    original_button: str
    movements_button: str
    newer_button: str
    older_button: str

    ask_change: str
    picture_unknown: str
    picture_gone: str
    original_coming: str
    original_gone: str
    original_perhaps: str
    history_empty: str

    def history(self, pictures: Sequence[Shown]) -> str:
        """A page of the pictures that a person got, numbered as its buttons are; within one message."""

    def history_button(self, number: int, prompt: str) -> str:
        """The button that sends a picture of the list again."""

    def movements(self, entries: Sequence[Moved]) -> str:
        """A page of the movements of a person's credits."""
