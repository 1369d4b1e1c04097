"""/photo: a picture and a description become a card, and a card an order.

The card is the last thing that lives in the conversation's state; the order lives in PostgreSQL.
"""

import secrets
from typing import Any

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import AiogramError
from aiogram.filters import Command, CommandObject, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from app import keyboards
from app.catalog import DEFAULT_SIZE, MODELS, PROMPT_LIMIT
from app.flows.cards import Cards
from app.flows.orders.place import Card, Ordering, Placed
from app.keyboards import CardPress
from app.words import Words

log = structlog.get_logger()
router = Router(name="photo")

DOWNLOAD_LIMIT = 20 * 1024 * 1024
"""A bot downloads no more (Bot API)."""


class Photo(StatesGroup):
    """`collecting` until picture and description are both there, then `card`."""

    collecting = State()
    card = State()


@router.message(Command("photo"))
async def photo(
    message: Message, command: CommandObject, state: FSMContext, ordering: Ordering, words: Words
) -> SendMessage:
    """Begins an order, or begins it anew; takes the picture and the description that came with the command."""
    await state.set_data({})
    await state.set_state(Photo.collecting)
    if message.photo or message.document or command.args:
        return await _collect(message, state, ordering, words, command.args)
    return message.answer(words.ask_both)


@router.message(StateFilter(Photo.collecting, Photo.card), F.photo | F.document)
async def picture(message: Message, state: FSMContext, ordering: Ordering, words: Words) -> SendMessage | None:
    """A picture, with its description or without; after a card it begins the next one.

    Of an album's later pictures only a caption is of use: under files it stands on the last one.
    """
    data = await state.get_data()
    if message.media_group_id and message.media_group_id == data.get("album"):
        if data.get("prompt") or not message.caption:
            return None
        return await _describe(message, state, ordering, words, {}, message.caption)
    if await state.get_state() == Photo.card.state:
        await state.set_data({})
        await state.set_state(Photo.collecting)
    return await _collect(message, state, ordering, words, message.caption)


@router.message(StateFilter(Photo.collecting, Photo.card), F.text, ~F.text.startswith("/"))
async def description(message: Message, state: FSMContext, ordering: Ordering, words: Words) -> SendMessage:
    """A description; on a card it replaces the one before."""
    if message.text and message.entities and message.entities[0].type == "url" and _is_link(message.text):
        return message.answer(words.not_a_picture)
    return await _collect(message, state, ordering, words, message.text)


@router.message(StateFilter(Photo.collecting, Photo.card), F.video | F.animation | F.video_note)
async def video(message: Message, words: Words) -> SendMessage:
    """A video where a picture is due."""
    return message.answer(words.video_instead)


@router.message(StateFilter(Photo.collecting, Photo.card), ~F.text)
async def something_else(message: Message, words: Words) -> SendMessage:
    """A sticker, a voice, a place on the map."""
    return message.answer(words.not_a_picture)


async def _collect(
    message: Message, state: FSMContext, ordering: Ordering, words: Words, prompt: str | None
) -> SendMessage:
    """Adds what this message brings, a picture it can take and the description with it."""
    found: dict[str, Any] = {}
    if message.photo or message.document:
        refusal = _refusal(message, words)
        if refusal:
            return message.answer(refusal)
        document, sizes = message.document, message.photo
        found["file_id"] = document.file_id if document else sizes[-1].file_id if sizes else ""
        found["album"] = message.media_group_id
    return await _describe(message, state, ordering, words, found, prompt)


async def _describe(
    message: Message, state: FSMContext, ordering: Ordering, words: Words, found: dict[str, Any], prompt: str | None
) -> SendMessage:
    """Stores what was found, and the description where there is one; the card or what is still missing."""
    if prompt is not None:
        text = prompt.strip()
        if len(text) > PROMPT_LIMIT:
            await state.update_data(found)
            return message.answer(words.long_prompt)
        if not text and not found:
            return message.answer(words.empty_prompt)
        if text:
            found["prompt"] = text
    data = await state.update_data(found)
    if missing := _missing(data, words):
        note = f"{words.album}\n\n" if found.get("album") else ""
        return message.answer(note + missing)
    text, markup = await _new_card(state, ordering, words, data)
    return message.answer(text, reply_markup=markup)


def _missing(data: dict[str, Any], words: Words) -> str | None:
    """What to ask for before there can be a card."""
    if not data.get("file_id"):
        return words.ask_picture if data.get("prompt") else words.ask_both
    return None if data.get("prompt") else words.ask_prompt


def _refusal(message: Message, words: Words) -> str | None:
    """Why this file cannot be taken, as far as the update itself shows."""
    document = message.document
    if document is None:
        return None
    mime, name = (document.mime_type or "").lower(), (document.file_name or "").lower()
    if mime.startswith("video/"):
        return words.video_instead
    if mime in ("image/heic", "image/heif") or name.endswith((".heic", ".heif")):
        return words.heic_instead
    if mime and not mime.startswith("image/") and mime != "application/octet-stream":
        return words.not_a_picture
    if (document.file_size or 0) > DOWNLOAD_LIMIT:
        return words.too_large
    return None


async def _new_card(
    state: FSMContext, ordering: Ordering, words: Words, data: dict[str, Any]
) -> tuple[str, InlineKeyboardMarkup]:
    """A card of what was collected, its text and its buttons; the one before is old from here on."""
    card_id = secrets.token_urlsafe(9)
    on = await ordering.models_on() or ordering.models
    chosen = {"model": data.get("model"), "size": data.get("size", DEFAULT_SIZE)}
    if chosen["model"] not in on:
        chosen["model"] = on[0]
    data = await state.update_data(card=card_id, **chosen)
    await state.set_state(Photo.card)
    text, markup = _face(card_id, data, ordering, words)
    return (f"{words.album}\n\n{text}" if data.get("album") else text), markup


def _face(card_id: str, data: dict[str, Any], ordering: Ordering, words: Words) -> tuple[str, InlineKeyboardMarkup]:
    """What the card shows."""
    model, size = MODELS[data["model"]], data["size"]
    text = words.card(data["prompt"], model.title, size, model.qualities[0].price)
    return text, keyboards.card(words, card_id, ordering.models, model.key, size)


@router.callback_query(F.data == keyboards.RESUME)
async def resume(
    query: CallbackQuery, state: FSMContext, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Back to the card that credits were missing for, to what is still missing on it, or to a new order."""
    data = await state.get_data()
    missing = _missing(data, words)
    if missing is None:
        text, markup = await _new_card(state, ordering, words, data)
        await bot.send_message(query.from_user.id, text, reply_markup=markup)
    else:
        await state.set_state(Photo.collecting)
        await bot.send_message(query.from_user.id, missing)
    return query.answer()


@router.callback_query(CardPress.filter(F.act.in_({"size", "model"})))
async def choose(
    query: CallbackQuery, callback_data: CardPress, state: FSMContext, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Marks another size or model on the card."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering, words)
    known = ordering.models if callback_data.act == "model" else MODELS[data["model"]].sizes
    if callback_data.value not in known:
        return query.answer(words.button_unknown, show_alert=True)
    data = await state.update_data({callback_data.act: callback_data.value})
    if data["size"] not in MODELS[data["model"]].sizes:
        data = await state.update_data(size=DEFAULT_SIZE)
    text, markup = _face(callback_data.card, data, ordering, words)
    await _edit(bot, query, text, markup)
    return query.answer()


@router.callback_query(CardPress.filter(F.act == "cancel"))
async def cancel(
    query: CallbackQuery, callback_data: CardPress, state: FSMContext, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Gives the card up; nothing was debited."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering, words)
    await state.clear()
    await _edit(bot, query, words.card_cancelled, None)
    return query.answer()


@router.callback_query(CardPress.filter(F.act == "order"))
async def order(
    query: CallbackQuery,
    callback_data: CardPress,
    state: FSMContext,
    ordering: Ordering,
    cards: Cards,
    bot: Bot,
    words: Words,
) -> AnswerCallbackQuery:
    """«✅»: one order a card, however often and from wherever it is pressed."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering, words)
    card = Card(
        callback_data.card,
        data["model"],
        data["size"],
        data["prompt"],
        (data["file_id"],),
        query.message.message_id if query.message else None,
    )
    placement = await ordering.place(query.from_user.id, card)
    match placement.outcome:
        case Placed.ORDERED | Placed.ALREADY:
            await state.clear()
            if placement.outcome is Placed.ALREADY:
                return query.answer(words.card_used)
            if card.message_id is not None and placement.generation_id is not None:
                text = words.ordered(card.prompt, card.size, placement.price, placement.balance)
                await cards.waiting(words, query.from_user.id, card.message_id, placement.generation_id, text)
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


async def _old_card(
    query: CallbackQuery, callback_data: CardPress, ordering: Ordering, words: Words
) -> AnswerCallbackQuery:
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


def _is_link(text: str) -> bool:
    return len(text.split()) == 1
