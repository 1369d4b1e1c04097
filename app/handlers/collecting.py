"""A picture and a description, in one message or in several, become a card; /photo begins it, and so does a picture."""

from dataclasses import replace

from aiogram import Bot, Router
from aiogram.methods import SendMessage
from aiogram.types import Message, ReplyParameters

from app.catalog import PROMPT_LIMIT
from app.commands import Command
from app.conversation import Conversation, Draft
from app.flows.orders.place import Ordering
from app.handlers import face
from app.handlers.filters import Begun, Commanded, Holds, PlainText
from app.pictures import MAX_BYTES
from app.words import Words


async def photo(
    message: Message, command: Command, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> SendMessage | None:
    """Begins an order, or begins it anew; takes the picture and the description that came with the command."""
    if message.media_group_id in conversation.over:
        return message.answer(words.album_over)
    if not _is_gathered(message, conversation):
        await conversation.keep(Draft())
    if message.photo or message.document:
        return await _take(message, command.argument or None, conversation, ordering, bot, words)
    if command.argument:
        return await _describe(message, command.argument, conversation, ordering, bot, words)
    return message.answer(words.ask_both)


async def picture(
    message: Message, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> SendMessage | None:
    """A picture, with its description or without; after a card it begins the next one."""
    return await _take(message, message.caption, conversation, ordering, bot, words)


async def description(
    message: Message, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> SendMessage | None:
    """A description; on a card it replaces the one before."""
    if message.text and message.entities and message.entities[0].type == "url" and len(message.text.split()) == 1:
        return message.answer(words.not_a_picture)
    return await _describe(message, message.text or "", conversation, ordering, bot, words)


async def video(message: Message, words: Words) -> SendMessage:
    """A video where a picture is due."""
    return message.answer(words.video_instead)


async def something_else(message: Message, words: Words) -> SendMessage:
    """A sticker, a voice, a place on the map."""
    return message.answer(words.not_a_picture)


async def _take(
    message: Message, caption: str | None, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> SendMessage | None:
    """Puts a picture where it belongs: on the card of its album, on the one that asked for it, or on a new one."""
    album, number = message.media_group_id, message.message_id
    if album in conversation.over:
        return message.answer(words.album_over)
    if refusal := _refusal(message, words):
        return message.answer(refusal)
    before = conversation.draft or Draft()
    gathered = _is_gathered(message, conversation)
    added = before.adding and not gathered
    if not added and not gathered:
        before = Draft() if before.card else Draft(prompt=before.prompt)
    # What is late of the pictures before is not the one that «➕» waits for
    draft = replace(before.with_picture(number, _file_id(message), album), adding=before.adding and gathered)
    text, note = (caption or "").strip(), None
    if len(text) > PROMPT_LIMIT:
        note = words.long_prompt
    elif text and draft.takes_caption(number):
        draft = replace(draft, prompt=text, captioned=number if album else None)
    if not draft.left_out and not {*before.sent, number} <= {*draft.sent}:
        draft, note = replace(draft, left_out=True), note or words.album_full
    if album or added or draft.message is not None:
        await _gather(message.chat.id, before, draft, note, conversation, ordering, bot, words)
        if added and note is None:
            return _confirmed(message, conversation, words)
    elif note is None:
        return await _next(message, draft, conversation, ordering, words)
    else:
        await conversation.keep(draft)
    return message.answer(note) if note else None


async def _gather(
    chat_id: int,
    before: Draft,
    draft: Draft,
    note: str | None,
    conversation: Conversation,
    ordering: Ordering,
    bot: Bot,
    words: Words,
) -> None:
    """Shows one more picture on the card, or makes the card; more may come, so the message's id has to be known.

    Where the description is missing it is asked for once, in the message that becomes the card if it comes as a
    caption; not where the person is told in a `note` that theirs is too long.
    """
    if draft.prompt and not draft.card:
        draft = await face.new(draft, ordering)
    if draft.card:
        shown_already = before.message is not None and (
            (before.card, before.prompt, len(before.sources)) == (draft.card, draft.prompt, len(draft.sources))
        )
        if not shown_already:
            await face.show(chat_id, draft, conversation, ordering, bot, words)
            return
    elif draft.message is None and note is None:
        asked = await bot.send_message(chat_id, words.ask_prompt)
        draft = replace(draft, message=asked.message_id)
    await conversation.keep(draft)


def _confirmed(message: Message, conversation: Conversation, words: Words) -> SendMessage | None:
    """After «➕»: leads back to the card, which stands further up."""
    draft = conversation.draft
    if draft is None or draft.message is None:
        return None
    up = ReplyParameters(message_id=draft.message, allow_sending_without_reply=True)
    return message.answer(words.added(len(draft.sources)), reply_parameters=up)


async def _describe(
    message: Message, prompt: str, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> SendMessage | None:
    """Keeps the description; the card, below it, or what is still missing."""
    text, draft = prompt.strip(), conversation.draft or Draft()
    if len(text) > PROMPT_LIMIT:
        return message.answer(words.long_prompt)
    if not text:
        return message.answer(words.empty_prompt)
    captioned = 0 if draft.sources else None
    draft = replace(draft, prompt=text, captioned=captioned, adding=False, message=None)
    if draft.albums:
        # Its pictures may be on their way still
        draft = await face.new(draft, ordering)
        await face.show(message.chat.id, draft, conversation, ordering, bot, words)
        return None
    return await _next(message, draft, conversation, ordering, words)


async def _next(
    message: Message, draft: Draft, conversation: Conversation, ordering: Ordering, words: Words
) -> SendMessage:
    """The card, or what is still missing."""
    asked = face.missing(draft, words)
    if asked is None:
        draft = await face.new(draft, ordering)
        asked = face.of(draft, ordering, words)
    await conversation.keep(draft)
    return message.answer(asked.text, reply_markup=asked.markup)


def _is_gathered(message: Message, conversation: Conversation) -> bool:
    """Whether a message belongs to an album that the order under way is made of, or is one of it, brought twice."""
    draft = conversation.draft
    return draft is not None and (message.media_group_id in draft.albums or message.message_id in draft.sent)


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
    if (document.file_size or 0) > MAX_BYTES:
        return words.too_large
    return None


def register(router: Router) -> None:
    """After the commands: pictures, and what is left of a person's messages once they have begun."""
    router.message.register(photo, Commanded("photo"))
    router.message.register(picture, Holds("photo", "document"))
    router.message.register(description, Begun(), PlainText())
    router.message.register(video, Begun(), Holds("video", "animation", "video_note"))
    router.message.register(something_else, Begun(), ~Holds("text"))
