"""Every button a person sees, and the callback data behind it (64 bytes at most)."""

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from app.catalog import MODELS, PLANS, PRICE, SIZES, Plan
from app.notices import Notice, PaymentCanceled, PaymentLink, PaymentSucceeded
from app.texts import credits_text, plan_title, roubles

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


def card(card_id: str, model: str, size: str) -> InlineKeyboardMarkup:
    """The buttons of an order card; the chosen size and model are marked."""

    def choice(act: str, value: str, title: str, chosen: bool) -> InlineKeyboardButton:
        data = CardPress(card=card_id, act=act, value=value).pack()
        return InlineKeyboardButton(text=f"• {title}" if chosen else title, callback_data=data)

    return InlineKeyboardMarkup(
        inline_keyboard=[
            [choice("size", key, key, key == size) for key in SIZES],
            [choice("model", key, entry.title, key == model) for key, entry in MODELS.items()],
            [
                InlineKeyboardButton(
                    text=f"✅ Нарисовать · {credits_text(PRICE)}",
                    callback_data=CardPress(card=card_id, act="order").pack(),
                ),
                InlineKeyboardButton(text="❌ Отменить", callback_data=CardPress(card=card_id, act="cancel").pack()),
            ],
        ]
    )


def buy() -> InlineKeyboardMarkup:
    """One tap to the plans."""
    button = InlineKeyboardButton(text="Купить кредиты", callback_data=BUY)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def resume() -> InlineKeyboardMarkup:
    """One tap back to the order that credits were missing for."""
    button = InlineKeyboardButton(text="Вернуться к заказу", callback_data=RESUME)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def plans() -> InlineKeyboardMarkup:
    """One button a plan."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=plan_title(plan, key), callback_data=PlanPress(plan=key).pack())]
            for key, plan in PLANS.items()
        ]
    )


def pay(url: str, plan: Plan) -> InlineKeyboardMarkup:
    """The button to YooKassa's page."""
    button = InlineKeyboardButton(text=f"Оплатить {roubles(plan.amount)}", url=url)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def owed(notice: Notice) -> InlineKeyboardMarkup | None:
    """The buttons of a message of the outbox."""
    match notice:
        case PaymentLink():
            return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Оплатить", url=notice.url)]])
        case PaymentSucceeded():
            return resume()
        case PaymentCanceled():
            return buy()
    return None
