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

from app import keyboards, texts
from app.catalog import DEFAULT_MODEL, DEFAULT_SIZE, MODELS, PROMPT_LIMIT, SIZES
from app.flows.ordering import Card, Ordering, Placed
from app.keyboards import CardPress

log = structlog.get_logger()
router = Router(name="photo")

DOWNLOAD_LIMIT = 20 * 1024 * 1024
"""A bot downloads no more (Bot API)."""


class Photo(StatesGroup):
    """`collecting` until picture and description are both there, then `card`."""

    collecting = State()
    card = State()


@router.message(Command("photo"))
async def photo(message: Message, command: CommandObject, state: FSMContext) -> SendMessage:
    """Begins an order, or begins it anew; takes the picture and the description that came with the command."""
    await state.set_data({})
    await state.set_state(Photo.collecting)
    if message.photo or message.document or command.args:
        return await _collect(message, state, command.args)
    return message.answer(texts.ASK_BOTH)


@router.message(StateFilter(Photo.collecting, Photo.card), F.photo | F.document)
async def picture(message: Message, state: FSMContext) -> SendMessage | None:
    """A picture, with its description or without; after a card it begins the next one.

    Of an album's later pictures only a caption is of use: under files it stands on the last one.
    """
    data = await state.get_data()
    if message.media_group_id and message.media_group_id == data.get("album"):
        if data.get("prompt") or not message.caption:
            return None
        return await _describe(message, state, {}, message.caption)
    if await state.get_state() == Photo.card.state:
        await state.set_data({})
        await state.set_state(Photo.collecting)
    return await _collect(message, state, message.caption)


@router.message(StateFilter(Photo.collecting, Photo.card), F.text, ~F.text.startswith("/"))
async def description(message: Message, state: FSMContext) -> SendMessage:
    """A description; on a card it replaces the one before."""
    if message.text and message.entities and message.entities[0].type == "url" and _is_link(message.text):
        return message.answer(texts.NOT_A_PICTURE_MESSAGE)
    return await _collect(message, state, message.text)


@router.message(StateFilter(Photo.collecting, Photo.card), F.video | F.animation | F.video_note)
async def video(message: Message) -> SendMessage:
    """A video where a picture is due."""
    return message.answer(texts.VIDEO_INSTEAD)


@router.message(StateFilter(Photo.collecting, Photo.card), ~F.text)
async def something_else(message: Message) -> SendMessage:
    """A sticker, a voice, a place on the map."""
    return message.answer(texts.NOT_A_PICTURE_MESSAGE)


async def _collect(message: Message, state: FSMContext, prompt: str | None) -> SendMessage:
    """Adds what this message brings, a picture it can take and the description with it."""
    found: dict[str, Any] = {}
    if message.photo or message.document:
        refusal = _refusal(message)
        if refusal:
            return message.answer(refusal)
        document, sizes = message.document, message.photo
        found["file_id"] = document.file_id if document else sizes[-1].file_id if sizes else ""
        found["album"] = message.media_group_id
    return await _describe(message, state, found, prompt)


async def _describe(message: Message, state: FSMContext, found: dict[str, Any], prompt: str | None) -> SendMessage:
    """Stores what was found, and the description where there is one; the card or what is still missing."""
    if prompt is not None:
        text = prompt.strip()
        if len(text) > PROMPT_LIMIT:
            await state.update_data(found)
            return message.answer(texts.LONG_PROMPT)
        if not text and not found:
            return message.answer(texts.EMPTY_PROMPT)
        if text:
            found["prompt"] = text
    data = await state.update_data(found)
    if missing := _missing(data):
        note = f"{texts.ALBUM}\n\n" if found.get("album") else ""
        return message.answer(note + missing)
    text, markup = await _new_card(state, data)
    return message.answer(text, reply_markup=markup)


def _missing(data: dict[str, Any]) -> str | None:
    """What to ask for before there can be a card."""
    if not data.get("file_id"):
        return texts.ASK_PICTURE if data.get("prompt") else texts.ASK_BOTH
    return None if data.get("prompt") else texts.ASK_PROMPT


def _refusal(message: Message) -> str | None:
    """Why this file cannot be taken, as far as the update itself shows."""
    document = message.document
    if document is None:
        return None
    mime, name = (document.mime_type or "").lower(), (document.file_name or "").lower()
    if mime.startswith("video/"):
        return texts.VIDEO_INSTEAD
    if mime in ("image/heic", "image/heif") or name.endswith((".heic", ".heif")):
        return texts.HEIC_INSTEAD
    if mime and not mime.startswith("image/") and mime != "application/octet-stream":
        return texts.NOT_A_PICTURE_MESSAGE
    if (document.file_size or 0) > DOWNLOAD_LIMIT:
        return texts.TOO_LARGE
    return None


async def _new_card(state: FSMContext, data: dict[str, Any]) -> tuple[str, InlineKeyboardMarkup]:
    """A card of what was collected, its text and its buttons; the one before is old from here on."""
    card_id = secrets.token_urlsafe(9)
    chosen = {"model": data.get("model", DEFAULT_MODEL), "size": data.get("size", DEFAULT_SIZE)}
    await state.update_data(card=card_id, **chosen)
    await state.set_state(Photo.card)
    text = texts.card(data["prompt"], chosen["model"], chosen["size"])
    if data.get("album"):
        text = f"{texts.ALBUM}\n\n{text}"
    return text, keyboards.card(card_id, chosen["model"], chosen["size"])


@router.callback_query(F.data == keyboards.RESUME)
async def resume(query: CallbackQuery, state: FSMContext, bot: Bot) -> AnswerCallbackQuery:
    """Back to the card that credits were missing for, to what is still missing on it, or to a new order."""
    data = await state.get_data()
    missing = _missing(data)
    if missing is None:
        text, markup = await _new_card(state, data)
        await bot.send_message(query.from_user.id, text, reply_markup=markup)
    else:
        await state.set_state(Photo.collecting)
        await bot.send_message(query.from_user.id, missing)
    return query.answer()


@router.callback_query(CardPress.filter(F.act.in_({"size", "model"})))
async def choose(
    query: CallbackQuery, callback_data: CardPress, state: FSMContext, ordering: Ordering, bot: Bot
) -> AnswerCallbackQuery:
    """Marks another size or model on the card."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering)
    known = SIZES if callback_data.act == "size" else MODELS
    if callback_data.value not in known:
        return query.answer(texts.BUTTON_UNKNOWN, show_alert=True)
    data = await state.update_data({callback_data.act: callback_data.value})
    text = texts.card(data["prompt"], data["model"], data["size"])
    markup = keyboards.card(callback_data.card, data["model"], data["size"])
    await _edit(bot, query, text, markup)
    return query.answer()


@router.callback_query(CardPress.filter(F.act == "cancel"))
async def cancel(
    query: CallbackQuery, callback_data: CardPress, state: FSMContext, ordering: Ordering, bot: Bot
) -> AnswerCallbackQuery:
    """Gives the card up; nothing was debited."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering)
    await state.clear()
    await _edit(bot, query, texts.CARD_CANCELLED, None)
    return query.answer()


@router.callback_query(CardPress.filter(F.act == "order"))
async def order(
    query: CallbackQuery, callback_data: CardPress, state: FSMContext, ordering: Ordering, bot: Bot
) -> AnswerCallbackQuery:
    """«✅»: one order a card, however often and from wherever it is pressed."""
    data = await state.get_data()
    if data.get("card") != callback_data.card:
        return await _old_card(query, callback_data, ordering)
    card = Card(
        callback_data.card,
        data["model"],
        data["size"],
        data["prompt"],
        data["file_id"],
        query.message.message_id if query.message else None,
    )
    placement = await ordering.place(query.from_user.id, card)
    match placement.outcome:
        case Placed.ORDERED | Placed.ALREADY:
            await state.clear()
            if placement.outcome is Placed.ALREADY:
                return query.answer(texts.CARD_USED)
            await _edit(bot, query, texts.ordered(card.prompt, card.size, placement.balance), None)
            return query.answer(texts.ORDERED_TOAST)
        case Placed.TOO_FEW:
            await bot.send_message(query.from_user.id, texts.too_few(placement.balance), reply_markup=keyboards.buy())
            return query.answer()
        case Placed.BUSY:
            return query.answer(texts.DECLINED_BUSY, show_alert=True)
        case Placed.PROVIDER_DOWN:
            await bot.send_message(query.from_user.id, texts.DECLINED_PROVIDER)
            return query.answer()


async def _old_card(query: CallbackQuery, callback_data: CardPress, ordering: Ordering) -> AnswerCallbackQuery:
    """A card that is no longer the conversation's: used, or of some other time."""
    used = await ordering.placed(query.from_user.id, callback_data.card)
    return query.answer(texts.CARD_USED if used else texts.CARD_OLD, show_alert=not used)


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
