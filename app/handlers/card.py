"""The card: what is chosen on it, and «✅».

It is the last thing that lives in the conversation; the order lives in PostgreSQL.
"""

import secrets
from dataclasses import replace

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import AiogramError
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import CallbackQuery, InlineKeyboardMarkup

from app import keyboards
from app.catalog import DEFAULT_SIZE, MODELS
from app.conversation import Conversation, Draft
from app.flows.orders.place import Card, Ordering, Placed
from app.handlers.filters import CurrentCard, Pressed
from app.keyboards import CardPress
from app.words import Words

log = structlog.get_logger()


def missing(draft: Draft, words: Words) -> str | None:
    """What to ask for before there can be a card; None where nothing is missing."""
    if not draft.sources:
        return words.ask_picture if draft.prompt else words.ask_both
    return None if draft.prompt else words.ask_prompt


async def new(
    draft: Draft, conversation: Conversation, ordering: Ordering, words: Words
) -> tuple[str, InlineKeyboardMarkup]:
    """A card of the draft, its text and its buttons; the one before is old from here on."""
    on = await ordering.models_on() or ordering.models
    model = draft.model if draft.model in on else on[0]
    draft = replace(draft, card=secrets.token_urlsafe(9), model=model, size=draft.size or DEFAULT_SIZE)
    await conversation.keep(draft)
    return _face(draft, ordering, words)


def _face(draft: Draft, ordering: Ordering, words: Words) -> tuple[str, InlineKeyboardMarkup]:
    """What the card shows."""
    model = MODELS[draft.model]
    text = words.card(draft.prompt, model.title, draft.size, model.qualities[0].price)
    return text, keyboards.card(words, draft.card, ordering.models, model.key, draft.size)


async def resume(
    query: CallbackQuery, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Back to the card that credits were missing for, to what is still missing on it, or to a new order."""
    draft = conversation.draft or Draft()
    asked = missing(draft, words)
    if asked is None:
        text, markup = await new(draft, conversation, ordering, words)
        await bot.send_message(query.from_user.id, text, reply_markup=markup)
    else:
        await conversation.keep(draft)
        await bot.send_message(query.from_user.id, asked)
    return query.answer()


async def choose(
    query: CallbackQuery,
    press: CardPress,
    draft: Draft,
    conversation: Conversation,
    ordering: Ordering,
    bot: Bot,
    words: Words,
) -> AnswerCallbackQuery:
    """Marks another size or model on the card."""
    known = ordering.models if press.act == "model" else MODELS[draft.model].sizes
    if press.value not in known:
        return query.answer(words.button_unknown, show_alert=True)
    model = press.act == "model"
    draft = replace(draft, model=press.value) if model else replace(draft, size=press.value)
    if draft.size not in MODELS[draft.model].sizes:
        draft = replace(draft, size=DEFAULT_SIZE)
    await conversation.keep(draft)
    await _edit(bot, query, *_face(draft, ordering, words))
    return query.answer()


async def cancel(query: CallbackQuery, conversation: Conversation, bot: Bot, words: Words) -> AnswerCallbackQuery:
    """Gives the card up; nothing was debited."""
    await conversation.leave()
    await _edit(bot, query, words.card_cancelled, None)
    return query.answer()


async def order(
    query: CallbackQuery, draft: Draft, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """«✅»: one order a card, however often and from wherever it is pressed."""
    card = Card(
        draft.card,
        draft.model,
        draft.size,
        draft.prompt,
        draft.sources,
        query.message.message_id if query.message else None,
        draft.quality,
        draft.style,
    )
    placement = await ordering.place(query.from_user.id, card)
    match placement.outcome:
        case Placed.ORDERED | Placed.ALREADY:
            await conversation.leave()
            if placement.outcome is Placed.ALREADY:
                return query.answer(words.card_used)
            await _edit(bot, query, words.ordered(card.prompt, card.size, placement.price, placement.balance), None)
            return query.answer(words.order_accepted)
        case Placed.TOO_FEW:
            text = words.too_few(placement.balance, placement.price)
            await bot.send_message(query.from_user.id, text, reply_markup=keyboards.buy(words))
            return query.answer()
        case Placed.BUSY:
            return query.answer(words.declined_busy, show_alert=True)
        case Placed.PROVIDER_DOWN:
            await bot.send_message(query.from_user.id, words.declined_provider)
            return query.answer()
        case Placed.MODEL_OFF:
            offer = [MODELS[key].title for key in placement.offer]
            await bot.send_message(query.from_user.id, words.model_off(offer))
            return query.answer()


async def old(query: CallbackQuery, callback_data: CardPress, ordering: Ordering, words: Words) -> AnswerCallbackQuery:
    """A card that is no longer the conversation's: used, or of some other time."""
    used = await ordering.placed(query.from_user.id, callback_data.card)
    return query.answer(words.card_used if used else words.card_old, show_alert=not used)


async def _edit(bot: Bot, query: CallbackQuery, text: str, markup: InlineKeyboardMarkup | None) -> None:
    """Shows the card's new face. Its state is stored already, so a face that cannot be shown is no fault."""
    if query.message is None:
        return
    try:
        await bot.edit_message_text(
            text,
            chat_id=query.message.chat.id,
            message_id=query.message.message_id,
            reply_markup=markup,
        )
    except AiogramError as error:
        log.info("card.not_edited", error=str(error))


def router() -> Router:
    """Presses on cards; those on a card that is not the conversation's come last."""
    made = Router(name="card")
    made.callback_query.register(resume, Pressed(keyboards.RESUME))
    made.callback_query.register(choose, CurrentCard("size", "model"))
    made.callback_query.register(cancel, CurrentCard("cancel"))
    made.callback_query.register(order, CurrentCard("order"))
    made.callback_query.register(old, CardPress.filter(F.act.in_({"size", "model", "cancel", "order"})))
    return made
