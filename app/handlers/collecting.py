"""/photo: a picture and a description, in one message or in two, become a card."""

from dataclasses import replace

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.methods import SendMessage
from aiogram.types import Message

from app.catalog import PROMPT_LIMIT
from app.conversation import Conversation, Draft
from app.flows.orders.place import Ordering
from app.handlers import card
from app.handlers.filters import Begun, Holds, PlainText
from app.words import Words

DOWNLOAD_LIMIT = 20 * 1024 * 1024
"""A bot downloads no more (Bot API)."""


async def photo(
    message: Message, command: CommandObject, conversation: Conversation, ordering: Ordering, words: Words
) -> SendMessage:
    """Begins an order, or begins it anew; takes the picture and the description that came with the command."""
    await conversation.keep(Draft())
    if message.photo or message.document or command.args:
        return await _collect(message, Draft(), conversation, ordering, words, command.args)
    return message.answer(words.ask_both)


async def picture(message: Message, conversation: Conversation, ordering: Ordering, words: Words) -> SendMessage | None:
    """A picture, with its description or without; after a card it begins the next one.

    Of an album's later pictures only a caption is of use: under files it stands on the last one.
    """
    draft = conversation.draft or Draft()
    if message.media_group_id and message.media_group_id == draft.album:
        if draft.prompt or not message.caption:
            return None
        return await _describe(message, draft, conversation, ordering, words, message.caption)
    return await _collect(message, Draft() if draft.card else draft, conversation, ordering, words, message.caption)


async def description(message: Message, conversation: Conversation, ordering: Ordering, words: Words) -> SendMessage:
    """A description; on a card it replaces the one before."""
    if message.text and message.entities and message.entities[0].type == "url" and len(message.text.split()) == 1:
        return message.answer(words.not_a_picture)
    return await _collect(message, conversation.draft or Draft(), conversation, ordering, words, message.text)


async def video(message: Message, words: Words) -> SendMessage:
    """A video where a picture is due."""
    return message.answer(words.video_instead)


async def something_else(message: Message, words: Words) -> SendMessage:
    """A sticker, a voice, a place on the map."""
    return message.answer(words.not_a_picture)


async def _collect(
    message: Message, draft: Draft, conversation: Conversation, ordering: Ordering, words: Words, prompt: str | None
) -> SendMessage:
    """Adds what this message brings, a picture it can take and the description with it."""
    if refusal := _refusal(message, words):
        return message.answer(refusal)
    if file_id := _file_id(message):
        draft = replace(draft, sources=(file_id,), album=message.media_group_id)
    return await _describe(message, draft, conversation, ordering, words, prompt)


async def _describe(
    message: Message, draft: Draft, conversation: Conversation, ordering: Ordering, words: Words, prompt: str | None
) -> SendMessage:
    """Keeps the draft, with the description where there is one; the card or what is still missing."""
    text = (prompt or "").strip()
    if len(text) > PROMPT_LIMIT:
        await conversation.keep(draft)
        return message.answer(words.long_prompt)
    if prompt is not None and not text and not _file_id(message):
        return message.answer(words.empty_prompt)
    draft = replace(draft, prompt=text or draft.prompt)
    note = f"{words.album}\n\n" if message.media_group_id else ""
    if missing := card.missing(draft, words):
        await conversation.keep(draft)
        return message.answer(note + missing)
    face, markup = await card.new(draft, conversation, ordering, words)
    return message.answer(note + face, reply_markup=markup)


def _file_id(message: Message) -> str:
    """Telegram's name of the picture in a message, of a photo the largest; "" for none."""
    if message.document:
        return message.document.file_id
    return message.photo[-1].file_id if message.photo else ""


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


def router() -> Router:
    """After the commands: what is left of a person's messages once they have begun."""
    made = Router(name="collecting")
    made.message.register(photo, Command("photo"))
    made.message.register(picture, Begun(), Holds("photo", "document"))
    made.message.register(description, Begun(), PlainText())
    made.message.register(video, Begun(), Holds("video", "animation", "video_note"))
    made.message.register(something_else, Begun(), ~Holds("text"))
    return made
