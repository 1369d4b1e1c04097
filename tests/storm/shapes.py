"""Orders of every shape that a card can have, as people begin them and choose on them."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

from app.catalog import MODELS
from app.words import of
from sandbox.telegram import Person
from tests.world import photograph

MODELS_SOLD = ",".join(MODELS)

type _Beginning = Callable[[Person, str], Coroutine[Any, Any, None]]


async def _command(person: Person, prompt: str) -> None:
    await person.send_text("/photo", wait=False)
    await person.send_photo(photograph(), caption=prompt, wait=False)


async def _photo(person: Person, prompt: str) -> None:
    await person.send_photo(photograph(), caption=prompt, wait=False)


async def _album(person: Person, prompt: str) -> None:
    await person.send_album([photograph()] * 3, prompt, wait=False)


async def _album_of_too_many(person: Person, prompt: str) -> None:
    """Of files, whose caption comes last."""
    await person.send_files([(photograph(), "cat.jpg", "image/jpeg")] * 5, prompt, wait=False)


async def _description(person: Person, prompt: str) -> None:
    await person.send_text("/photo", wait=False)
    await person.send_text(prompt, wait=False)


_BEGINNINGS: tuple[_Beginning, ...] = (_command, _command, _photo, _album, _album_of_too_many, _description)


async def begin(person: Person, prompt: str, chance: random.Random) -> None:
    """Sends what makes a card of that description, or what leads to «🖼»."""
    await chance.choice(_BEGINNINGS)(person, prompt)


def choices(chance: random.Random) -> list[str]:
    """Buttons of the card to be pressed, by how they begin."""
    styles = list(of("ru").styles.values())
    wanted = {
        "512": 0.3,
        "1024x1536": 0.1,
        f"🤖 {chance.choice(list(MODELS.values())).title}": 0.3,
        "Среднее": 0.2,
        "🎨": 0.1,
        chance.choice(styles): 0.2,
        "🚫": 0.05,
        "➕": 0.1,
    }
    return [button for button, likely in wanted.items() if chance.random() < likely]
