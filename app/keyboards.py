"""Every button a person sees, and the callback data behind it (64 bytes at most)."""

from collections.abc import Sequence
from itertools import batched

from aiogram.filters.callback_data import CallbackData
from aiogram.types import BotCommand, InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from app.catalog import MODELS, PLANS, Plan
from app.notices import Notice, PaymentCanceled, PaymentLink, PaymentSucceeded
from app.words import LANGUAGES, Words

BUY = "buy"
"""Callback data of the button that leads to the plans."""


RESUME = "resume"
"""Callback data of the button that leads back to the order card, or to a new one."""


class CardPress(CallbackData, prefix="card"):
    """A press on an order card: `act` is order, cancel, size or model; `value` the choice."""

    card: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    act: str
    value: str = ""


class PlanPress(CallbackData, prefix="plan"):
    """A press on a plan."""

    plan: str


class LanguagePress(CallbackData, prefix="language"):
    """A press on a language."""

    language: str


def menu(words: Words) -> list[BotCommand]:
    """The commands beside the line that people write in."""
    return [BotCommand(command=name, description=text) for name, text in words.commands._asdict().items()]


def languages() -> InlineKeyboardMarkup:
    """One button a language, each in its own words."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=words.language_button, callback_data=LanguagePress(language=key).pack())]
            for key, words in LANGUAGES.items()
        ]
    )


def card(words: Words, card_id: str, models: Sequence[str], model: str, size: str) -> InlineKeyboardMarkup:
    """The buttons of an order card, with the models that are sold; the chosen size and model are marked."""

    def choice(act: str, value: str, title: str, chosen: bool) -> InlineKeyboardButton:
        data = CardPress(card=card_id, act=act, value=value).pack()
        return InlineKeyboardButton(text=f"• {title}" if chosen else title, callback_data=data)

    return InlineKeyboardMarkup(
        inline_keyboard=[
            *([choice("size", key, key, key == size) for key in pair] for pair in batched(MODELS[model].sizes, 2)),
            *([choice("model", key, _model_button(words, key), key == model)] for key in models),
            [
                InlineKeyboardButton(
                    text=words.order_button(MODELS[model].qualities[0].price),
                    callback_data=CardPress(card=card_id, act="order").pack(),
                ),
                InlineKeyboardButton(
                    text=words.cancel_button, callback_data=CardPress(card=card_id, act="cancel").pack()
                ),
            ],
        ]
    )


def _model_button(words: Words, key: str) -> str:
    model = MODELS[key]
    return words.model_button(model.title, model.qualities[0].price, lowest=len(model.qualities) > 1)


def buy(words: Words) -> InlineKeyboardMarkup:
    """One tap to the plans."""
    button = InlineKeyboardButton(text=words.buy_button, callback_data=BUY)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def resume(words: Words) -> InlineKeyboardMarkup:
    """One tap back to the order that credits were missing for."""
    button = InlineKeyboardButton(text=words.resume_button, callback_data=RESUME)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def plans(words: Words) -> InlineKeyboardMarkup:
    """One button a plan."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=words.plan(key), callback_data=PlanPress(plan=key).pack())] for key in PLANS
        ]
    )


def pay(words: Words, url: str, plan: Plan) -> InlineKeyboardMarkup:
    """The button to YooKassa's page."""
    button = InlineKeyboardButton(text=words.pay_amount_button(plan.amount), url=url)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def owed(words: Words, notice: Notice) -> InlineKeyboardMarkup | None:
    """The buttons of a message of the outbox."""
    match notice:
        case PaymentLink():
            return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=words.pay_button, url=notice.url)]])
        case PaymentSucceeded():
            return resume(words)
        case PaymentCanceled():
            return buy(words)
    return None
