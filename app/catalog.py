"""What is for sale: models, sizes, plans, and how each provider request is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone

PRICE = 2
"""Credits a picture costs."""

WELCOME_CREDITS = 10
"""Credits a person gets once, at the first contact."""

SUBSCRIPTION_DAYS = 30
"""Days of subscription with every plan, whichever it was: a paid plan may have left the catalogue meanwhile."""

MOSCOW = timezone(timedelta(hours=3))
"""The zone of the days that people are told."""

PROMPT_LIMIT = 2000
"""Characters of a description: it fits into one Telegram message together with the card."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size a person chooses, and the size that is ordered for it where the model does not make it."""

    key: str
    ordered: str


@dataclass(frozen=True, slots=True)
class Model:
    """A network of gen-api.ru: how a person sees it, and the form fields of its request."""

    key: str
    title: str
    network: str
    image_field: str
    fields: Callable[[str, Size], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A purchase: `amount` in kopecks, `credits` added."""

    key: str
    credits: int
    amount: int


def _gpt_image_1(prompt: str, size: Size) -> Mapping[str, str]:
    return {
        "prompt": prompt,
        "model": "gpt-image-1",
        "quality": "low",
        "size": size.ordered,
        "n": "1",
        "output_format": "png",
        "background": "auto",
        "moderation": "auto",
    }


SIZES = {
    size.key: size
    for size in (
        Size("512x512", ordered="1024x1024"),
        Size("1024x1024", ordered="1024x1024"),
    )
}
DEFAULT_SIZE = "1024x1024"

MODELS = {model.key: model for model in (Model("gpt-image-1", "GPT Image 1", "gpt-image-1", "image[]", _gpt_image_1),)}
DEFAULT_MODEL = "gpt-image-1"

PLANS = {
    plan.key: plan
    for plan in (
        Plan("p200", credits=10, amount=20_000),
        Plan("p500", credits=25, amount=50_000),
        Plan("p1000", credits=50, amount=100_000),
    )
}
