"""Every button a person sees, and the callback data behind it (64 bytes at most)."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import batched
from uuid import UUID

from aiogram.filters.callback_data import CallbackData
from aiogram.types import BotCommand, InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from app.catalog import MODELS, PLANS, STYLES, Plan
from app.conversation import Draft
from app.notices import Notice, PaymentCanceled, PaymentLink, PaymentSucceeded
from app.pages import Page, Turn
from app.repo.credits import Movement
from app.repo.history import Kept
from app.words import LANGUAGES, Words

BUY = "buy"
"""Callback data of the button that leads to the plans."""


RESUME = "resume"
"""Callback data of the button that leads back to the order card, or to a new one."""


EXAMPLES = "examples"
"""Callback data of the button that shows what may be ordered."""


NO_PICTURE = "blank"
"""Callback data of the button that orders from the description alone."""


CARD_ACTS = frozenset({"order", "cancel", "size", "model", "quality", "styles", "style", "back", "add"})
"""What a press on an order card does."""


REMOVE_EMAIL = "email"
"""Callback data of the button that removes the address for receipts."""


class CardPress(CallbackData, prefix="card"):
    """A press on an order card: `act` is one of CARD_ACTS, `value` the choice; of «✅» the price that it showed."""

    card: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    act: str
    value: str = ""


class PlanPress(CallbackData, prefix="plan"):
    """A press on a plan."""

    plan: str


class LanguagePress(CallbackData, prefix="language"):
    """A press on a language."""

    language: str


class StarsPress(CallbackData, prefix="stars"):
    """A press on the price of a plan in Stars."""

    plan: str


class ResultPress(CallbackData, prefix="result"):
    """A press under a delivered picture: `act` is again, change or original; `order` its generation."""

    act: str
    order: UUID


class HistoryPress(CallbackData, prefix="history"):
    """A press that turns the list of a person's pictures, from the picture `than`."""

    turn: Turn
    than: UUID


class ShowPress(CallbackData, prefix="show"):
    """A press on one of the list: it is to be sent again."""

    order: UUID


class MovementsPress(CallbackData, prefix="moves"):
    """A press that turns the list of a person's movements, from the entry `than`; 0 where none is shown yet."""

    turn: Turn
    than: int = Field(ge=0, lt=2**63)


def menu(words: Words) -> list[BotCommand]:
    """The commands beside the line that people write in."""
    return [BotCommand(command=name, description=text) for name, text in words.commands._asdict().items()]


@cache
def languages() -> InlineKeyboardMarkup:
    """One button a language, each in its own words."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=words.language_button, callback_data=LanguagePress(language=key).pack())]
            for key, words in LANGUAGES.items()
        ]
    )


def card(words: Words, draft: Draft, models: Sequence[str]) -> InlineKeyboardMarkup:
    """The buttons of an order card, with the models that are sold; what is chosen is marked."""
    model = MODELS[draft.model]
    quality = model.quality(draft.quality)
    rows = [
        *([_choice(draft, "size", key, key, key == draft.size) for key in pair] for pair in batched(model.sizes, 2)),
        *([_press(draft, "model", _model_button(words, key, key == model.key), key)] for key in models),
    ]
    if len(model.qualities) > 1:
        priced = [(each.key, words.quality_button(each.key, each.price)) for each in model.qualities]
        # Two in a row: a narrow screen would cut the price off three
        rows += [
            [_choice(draft, "quality", *each, each[0] == quality.key) for each in pair] for pair in batched(priced, 2)
        ]
    rows.append([_press(draft, "styles", words.styles_button), *_no_style(words, draft)])
    if draft.has_room:
        rows.append([_press(draft, "add", words.add_button)])
    return InlineKeyboardMarkup(inline_keyboard=[*rows, *_ends(words, draft)])


def styles(words: Words, draft: Draft) -> InlineKeyboardMarkup:
    """The styles, in place of what else a card has."""
    rows = [
        [_choice(draft, "style", key, words.styles[key], key == draft.style) for key in pair]
        for pair in batched(STYLES, 2)
    ]
    back = [*_no_style(words, draft), _press(draft, "back", words.back_button)]
    return InlineKeyboardMarkup(inline_keyboard=[*rows, back, *_ends(words, draft)])


def _press(draft: Draft, act: str, text: str, value: str = "") -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=CardPress(card=draft.card, act=act, value=value).pack())


def _choice(draft: Draft, act: str, value: str, title: str, chosen: bool) -> InlineKeyboardButton:
    return _press(draft, act, f"• {title}" if chosen else title, value)


def _no_style(words: Words, draft: Draft) -> list[InlineKeyboardButton]:
    return [_press(draft, "style", words.no_style_button)] if draft.style else []


def _ends(words: Words, draft: Draft) -> list[list[InlineKeyboardButton]]:
    """Order and cancel. What orders bears the price that it shows, so that no other is debited."""
    price = MODELS[draft.model].quality(draft.quality).price
    return [
        [_press(draft, "order", words.order_button(price), str(price))],
        [_press(draft, "cancel", words.cancel_button)],
    ]


def _model_button(words: Words, key: str, chosen: bool) -> str:
    """It begins with its sign, whether it is chosen or not."""
    model = MODELS[key]
    text = words.model_button(model.title, model.qualities[0].price, lowest=len(model.qualities) > 1)
    return f"{text} ✓" if chosen else text


def no_picture(words: Words) -> InlineKeyboardMarkup:
    """Beside the question for a picture: on without one."""
    return _one(InlineKeyboardButton(text=words.no_picture_button, callback_data=NO_PICTURE))


@cache
def examples(words: Words) -> InlineKeyboardMarkup:
    """One tap to the pictures that show what may be ordered."""
    return _one(InlineKeyboardButton(text=words.examples_button, callback_data=EXAMPLES))


@cache
def buy(words: Words) -> InlineKeyboardMarkup:
    """One tap to the plans."""
    return _one(InlineKeyboardButton(text=words.buy_button, callback_data=BUY))


@cache
def resume(words: Words) -> InlineKeyboardMarkup:
    """One tap back to the order that credits were missing for."""
    return _one(InlineKeyboardButton(text=words.resume_button, callback_data=RESUME))


@cache
def email(words: Words) -> InlineKeyboardMarkup:
    """One tap to have no address for receipts."""
    return _one(InlineKeyboardButton(text=words.email_button, callback_data=REMOVE_EMAIL))


@cache
def plans(words: Words, currency: str) -> InlineKeyboardMarkup:
    """One button a plan."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=words.plan(key, currency), callback_data=PlanPress(plan=key).pack())]
            for key in PLANS
        ]
    )


def pay(words: Words, plan: Plan, url: str | None, stars: bool) -> InlineKeyboardMarkup | None:
    """The button to YooKassa's page, where there is a link, and that to an invoice, where Stars are taken."""
    buttons = []
    if url:
        buttons.append(InlineKeyboardButton(text=words.pay_amount_button(plan.amount), url=url))
    if stars:
        press = StarsPress(plan=plan.key).pack()
        buttons.append(InlineKeyboardButton(text=words.stars_button(plan.stars), callback_data=press))
    return InlineKeyboardMarkup(inline_keyboard=[[button] for button in buttons]) if buttons else None


def result(words: Words, order: UUID) -> InlineKeyboardMarkup:
    """What can be done with a picture that was delivered."""

    def button(text: str, act: str) -> InlineKeyboardButton:
        return InlineKeyboardButton(text=text, callback_data=ResultPress(act=act, order=order).pack())

    return InlineKeyboardMarkup(
        inline_keyboard=[
            [button(words.again_button, "again"), button(words.change_button, "change")],
            [button(words.original_button, "original")],
        ]
    )


def history(words: Words, page: Page[Kept]) -> InlineKeyboardMarkup | None:
    """A button for each picture of the page, and the pages beside it."""
    if not page.entries:
        return None
    rows = [
        [
            InlineKeyboardButton(
                text=words.history_button(number, kept.prompt),
                callback_data=ShowPress(order=kept.id).pack(),
            )
        ]
        for number, kept in enumerate(page.entries, 1)
    ]
    turns = _turns(words, page, lambda turn, kept: HistoryPress(turn=turn, than=kept.id))
    return InlineKeyboardMarkup(inline_keyboard=[*rows, *turns])


@cache
def status(words: Words) -> InlineKeyboardMarkup:
    """One tap to the movements of credits."""
    press = MovementsPress(turn=Turn.NEWEST, than=0).pack()
    return _one(InlineKeyboardButton(text=words.movements_button, callback_data=press))


def movements(words: Words, page: Page[Movement]) -> InlineKeyboardMarkup:
    """The pages beside this one."""
    turns = _turns(words, page, lambda turn, movement: MovementsPress(turn=turn, than=movement.id))
    return InlineKeyboardMarkup(inline_keyboard=turns)


def _turns[T](
    words: Words, page: Page[T], press: Callable[[Turn, T], CallbackData]
) -> list[list[InlineKeyboardButton]]:
    """The row that turns the page; no row where there is no other."""
    row = []
    if page.newer:
        data = press(Turn.NEWER, page.entries[0]).pack()
        row.append(InlineKeyboardButton(text=words.newer_button, callback_data=data))
    if page.older:
        data = press(Turn.OLDER, page.entries[-1]).pack()
        row.append(InlineKeyboardButton(text=words.older_button, callback_data=data))
    return [row] if row else []


def owed(words: Words, notice: Notice) -> InlineKeyboardMarkup | None:
    """The buttons of a message of the outbox."""
    match notice:
        case PaymentLink():
            return _one(InlineKeyboardButton(text=words.pay_button, url=notice.url))
        case PaymentSucceeded():
            return resume(words)
        case PaymentCanceled():
            return buy(words)
    return None


def _one(button: InlineKeyboardButton) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[button]])
