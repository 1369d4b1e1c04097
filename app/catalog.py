"""What is for sale: models and how each one's request is built, sizes, styles, plans."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from enum import Enum

PRICE = 2
"""Credits that a picture costs where its model and quality name no other price."""

WELCOME_CREDITS = 10
"""Credits a person gets once, at the first contact."""

SUBSCRIPTION_DAYS = 30
"""Days of subscription with every plan, whichever it was: a paid plan may have left the catalogue meanwhile."""

MOSCOW = timezone(timedelta(hours=3))
"""The zone of the days that people are told."""

PROMPT_LIMIT = 2000
"""Characters of a description: it fits into one Telegram message together with the card."""

MOST_SOURCES = 4
"""Pictures that one order may be made of."""

DEFAULT_SIZE = "1024x1024"

type Fields = Mapping[str, str | int]
"""Fields of a request by name: text in a form, and as they are in JSON."""


class Travel(Enum):
    """How a model gets a person's pictures."""

    FORM = "parts of a multipart form"
    ADDRESS = "addresses of our own in a JSON list"


class Sure(Enum):
    """How certain it is that gen-api takes the request as it is built here."""

    HIGH = "seen in an official source"
    MEDIUM = "several users agree"
    LOW = "one user, or a guess: try it first (docs/models.md)"


@dataclass(frozen=True, slots=True)
class Quality:
    """A quality that a model draws in: `price` in credits, `cost` in kopecks as others were charged by gen-api."""

    key: str
    price: int
    cost: int


@dataclass(frozen=True, slots=True)
class Model:
    """A network of gen-api.ru: how a person sees it, what it can do, and how its request is built.

    `sizes`: what is ordered for each size that a person may choose; `qualities`: the lowest first, as the default.
    `source_field`: the name under which pictures travel, `most_sources` of them at most.
    `webp`: whether it takes pictures in that format; else they are made PNG.
    `fields`: what is asked besides description, pictures and callback, from what is ordered for a size, and a quality.
    """

    key: str
    title: str
    network: str
    sizes: Mapping[str, str]
    qualities: tuple[Quality, ...]
    most_sources: int
    source_field: str
    travel: Travel
    fields: Callable[[str, str], Fields]
    sure: Sure
    webp: bool = True

    def quality(self, key: str | None) -> Quality:
        """The quality of that name, else the default one."""
        return next((quality for quality in self.qualities if quality.key == key), self.qualities[0])

    def request(self, size: str, quality: str) -> Fields:
        """What is asked for a size of `sizes` and a quality, besides description, pictures and callback."""
        return self.fields(self.sizes[size], quality)


@dataclass(frozen=True, slots=True)
class Plan:
    """A purchase: `amount` in kopecks, or `stars`; `credits` added."""

    key: str
    credits: int
    amount: int
    stars: int

    def price(self, currency: str) -> int:
        """What it costs in minor units of RUB or XTR."""
        return self.stars if currency == "XTR" else self.amount


def _gpt_image_1(size: str, quality: str) -> Fields:
    return {
        "model": "gpt-image-1",
        "quality": quality,
        "size": size,
        "n": 1,
        "output_format": "png",
        "background": "auto",
        "moderation": "auto",
    }


def _gpt_image_2(size: str, quality: str) -> Fields:
    return {"quality": quality, "image_size": size, "num_images": 1, "output_format": "png"}


def _nano_banana(aspect_ratio: str, _quality: str) -> Fields:
    return {"aspect_ratio": aspect_ratio, "num_images": 1, "output_format": "png"}


def _flux_2_pro(size: str, _quality: str) -> Fields:
    # Multiples of 16, else 422
    width, _, height = size.partition("x")
    return {"width": int(width), "height": int(height), "output_format": "png"}


# Nobody was seen to get 512x512 out of any of them: it is ordered larger and scaled down.
_SIDES = {
    "512x512": "1024x1024",
    "1024x1024": "1024x1024",
    "1024x1536": "1024x1536",
    "1536x1024": "1536x1024",
}
_RATIOS = {"512x512": "1:1", "1024x1024": "1:1", "1024x1536": "2:3", "1536x1024": "3:2"}

MODELS = {
    model.key: model
    for model in (
        Model(
            "gpt-image-1",
            "GPT Image 1",
            "gpt-image-1",
            _SIDES,
            (Quality("low", PRICE, cost=250),),
            MOST_SOURCES,
            "image[]",
            Travel.FORM,
            _gpt_image_1,
            Sure.MEDIUM,
        ),
        Model(
            "gpt-image-2",
            "GPT Image 2",
            "gpt-image-2",
            _SIDES,
            (Quality("low", PRICE, cost=250), Quality("medium", 4, cost=1_500), Quality("high", 8, cost=5_500)),
            MOST_SOURCES,
            "image_urls",
            Travel.ADDRESS,
            _gpt_image_2,
            Sure.MEDIUM,
        ),
        Model(
            "nano-banana",
            "Nano Banana",
            "nano-banana",
            _RATIOS,
            (Quality("standard", 3, cost=2_000),),
            MOST_SOURCES,
            "image_urls",
            Travel.ADDRESS,
            _nano_banana,
            Sure.LOW,
            webp=False,
        ),
        Model(
            "flux-2-pro",
            "FLUX.2 Pro",
            "flux-2-pro",
            _SIDES,
            (Quality("standard", 3, cost=2_000),),
            MOST_SOURCES,
            "image_urls",
            Travel.ADDRESS,
            _flux_2_pro,
            Sure.LOW,
        ),
    )
}
"""Every model that this version can order; which of them are sold is the setting MODELS."""

STYLES = {
    "studio": (
        "Style: professional photo studio portrait or product photograph. Soft key light from the side, gentle fill, "
        "clean seamless background, true skin and material texture, 85 mm lens, shallow depth of field, no retouching "
        "artefacts."
    ),
    "anime": (
        "Style: hand-drawn Japanese anime film still. Clean ink outlines, flat cel shading with two tones, expressive "
        "eyes, a painted watercolour background, warm natural light."
    ),
    "oil": (
        "Style: classical oil painting on canvas. Visible impasto brushwork, rich layered glazes, chiaroscuro light, a "
        "restrained warm palette, the weave of the canvas faintly showing."
    ),
    "watercolour": (
        "Style: loose watercolour on cold-pressed paper. Transparent washes, wet-in-wet blooms, soft edges, white "
        "paper left bare for highlights, a few fine pencil lines underneath."
    ),
    "figure": (
        "Style: collectible 3D figure. A stylised character with slightly enlarged head, smooth matte plastic, rounded "
        "forms, soft global illumination, standing on a plain round base in front of a pastel backdrop."
    ),
    "comic": (
        "Style: comic book panel. Bold black inks of varying width, halftone dots, saturated flat colours, dynamic "
        "foreshortened composition, dramatic rim light, no lettering unless it is asked for."
    ),
    "pencil": (
        "Style: graphite pencil drawing on textured paper. Confident contour lines, cross-hatching for the shadows, "
        "smudged half-tones, highlights lifted with an eraser, monochrome."
    ),
    "interior": (
        "Style: architectural magazine photograph of an interior. Straight verticals, wide but undistorted view, soft "
        "daylight from large windows, natural materials, uncluttered composition, realistic scale and reflections."
    ),
}
"""What each style adds to the description; the keys are stored with orders, their names stand with the words."""


def described(prompt: str, style: str | None) -> str:
    """The description that gen-api gets: the person's own words, then the style's."""
    added = STYLES.get(style or "")
    return f"{prompt}\n\n{added}" if added else prompt


# An owner gets 0.013 USD for a Star (Telegram's rules for bots), and 200 ₽ are about 2.4 USD: 185 Stars bring as much
# as the link does. A person pays the shop of their phone on top; whoever wants to share that lowers the numbers.
PLANS = {
    plan.key: plan
    for plan in (
        Plan("p200", credits=10, amount=20_000, stars=185),
        Plan("p500", credits=25, amount=50_000, stars=460),
        Plan("p1000", credits=50, amount=100_000, stars=920),
    )
}
