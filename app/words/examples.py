"""Two pictures to see what may be ordered: they were drawn for the purpose, by no model, and say so."""

from typing import Protocol


class Examples(Protocol):
    """The words under them, and the way there."""

    examples_button: str
    example_of_a_photo: str
    example_without_a_photo: str
