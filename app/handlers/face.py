"""What a card shows, where, and what may be chosen on it."""

import secrets
from dataclasses import replace
from typing import NamedTuple

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import InlineKeyboardMarkup

from app import keyboards
from app.catalog import DEFAULT_SIZE, MODELS, STYLES
from app.conversation import Conversation, Draft
from app.flows.orders.place import Ordering
from app.words import Words


class Shown(NamedTuple):
    """A message: its text, and its buttons where it has any."""

    text: str
    markup: InlineKeyboardMarkup | None


def missing(draft: Draft, words: Words) -> Shown | None:
    """What to ask for before there can be a card; None where nothing is missing. A card needs no picture."""
    if draft.prompt and (draft.sources or draft.card):
        return None
    if draft.prompt:
        return Shown(words.ask_picture, keyboards.no_picture(words))
    return Shown(words.ask_prompt if draft.sources else words.ask_both, None)


async def new(draft: Draft, ordering: Ordering) -> Draft:
    """The draft with a card of its own; the one before is old once this one is kept."""
    on = await ordering.models_on() or ordering.models
    model = draft.model if draft.model in on else on[0]
    return known(replace(draft, card=secrets.token_urlsafe(9), model=model, adding=False), ordering)


def known(draft: Draft, ordering: Ordering) -> Draft:
    """The draft as far as this version knows what was chosen on it; defaults for the rest."""
    key = draft.model if draft.model in MODELS else ordering.models[0]
    model = MODELS[key]
    return replace(
        draft,
        model=key,
        size=draft.size if draft.size in model.sizes else DEFAULT_SIZE,
        quality=model.quality(draft.quality).key if draft.quality else None,
        style=draft.style if draft.style in STYLES else None,
    )


def chosen(draft: Draft, act: str, value: str, ordering: Ordering) -> Draft | None:
    """The draft after a press on one of its choices; None for something that is not to be chosen there."""
    draft = known(draft, ordering)
    model = MODELS[draft.model]
    match act:
        case "model" if value in ordering.models:
            return known(replace(draft, model=value, quality=None), ordering)
        case "size" if value in model.sizes:
            return replace(draft, size=value)
        case "quality" if value == model.quality(value).key:
            return replace(draft, quality=value)
        case "style" if value in STYLES or not value:
            return replace(draft, style=value or None)
    return None


def of(draft: Draft, ordering: Ordering, words: Words) -> Shown:
    """What the card shows."""
    draft = known(draft, ordering)
    model = MODELS[draft.model]
    quality = model.quality(draft.quality)
    pictures = len(draft.sources)
    text = words.card(
        draft.prompt,
        pictures,
        min(pictures, model.most_sources),
        model.title,
        quality.key if len(model.qualities) > 1 else None,
        draft.size,
        draft.style,
        quality.price,
    )
    return Shown(text, keyboards.card(words, draft, ordering.models))


async def show(
    chat_id: int, draft: Draft, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> None:
    """Shows a card that may change yet: in the draft's message where it still stands, else in one of its own.

    It goes out before the conversation is stored: whoever is killed in between shows it again, and the older one is
    old. Raises what Telegram answers to a send.
    """
    shown = of(draft, ordering, words)
    if not await _edited(bot, chat_id, draft.message, shown):
        sent = await bot.send_message(chat_id, shown.text, reply_markup=shown.markup)
        draft = replace(draft, message=sent.message_id)
    await conversation.keep(draft)


async def _edited(bot: Bot, chat_id: int, message_id: int | None, shown: Shown) -> bool:
    if message_id is None:
        return False
    try:
        await bot.edit_message_text(shown.text, chat_id=chat_id, message_id=message_id, reply_markup=shown.markup)
    except TelegramBadRequest as error:
        # Else the person has deleted it
        return "not modified" in error.message
    return True
