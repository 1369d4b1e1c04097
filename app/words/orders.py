"""From the picture that a person sends to the picture that they get."""

from collections.abc import Sequence
from typing import Protocol


class Orders(Protocol):
    """The words of an order. Of credits that come back only `order_failed` speaks."""

    ask_both: str
    ask_picture: str
    ask_prompt: str
    not_a_picture: str
    video_instead: str
    heic_instead: str
    too_large: str
    empty_prompt: str
    long_prompt: str
    card_old: str
    card_cancelled: str
    card_used: str
    order_accepted: str
    order_done: str
    order_not_drawn: str
    declined_busy: str
    declined_provider: str

    cancel_button: str
    resume_button: str

    def order_button(self, price: int) -> str:
        """The button that orders, with its price in credits."""

    def order_queued(self, place: int, usual_s: float | None, left_s: float | None) -> str:
        """How an order stands that waits for its turn, 1 being next.

        `usual_s`: what such a picture takes at present, where that is known. `left_s`: where it waits for long, the
        time after which its credits come back.
        """

    def order_drawing(self, usual_s: float | None) -> str:
        """How an order stands that is being drawn."""

    def order_late(self, usual_s: float | None, left_s: float) -> str:
        """How an order stands that is drawn for longer than usual."""

    def ordered(self, stands: str, prompt: str | None, size: str, price: int, balance: int) -> str:
        """The card after «✅»: how the order stands, and what it is; `prompt` is None where it is no longer kept."""

    def too_few(self, balance: int, price: int) -> str:
        """«✅» with an empty purse."""

    def model_button(self, title: str, price: int, lowest: bool) -> str:
        """The button that chooses a model, with its price where that is not the ordinary one; `lowest`: of several."""

    def model_off(self, offer: Sequence[str]) -> str:
        """«✅» on a card of a model that is off; `offer`: titles of those that may be chosen in its place."""

    def order_failed(self, reason: str, price: int, balance: int, picture: int | None, offer: Sequence[str]) -> str:
        """An order that came to nothing, its price given back; the balance after that.

        A `reason` that another version wrote reads as the provider's failure. `picture`: which of several is at fault;
        `offer`: titles of models to be chosen in place of the one that is gone.
        """
