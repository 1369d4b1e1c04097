"""The card: what is chosen on it, and «✅».

It is the last thing that lives in the conversation; the order lives in PostgreSQL.
"""

from dataclasses import replace

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import AiogramError
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import CallbackQuery, InlineKeyboardMarkup

from app import keyboards
from app.catalog import MODELS, PRICE
from app.conversation import Conversation, Draft
from app.flows.cards import Cards
from app.flows.orders.place import Card, Ordering, Placed
from app.flows.orders.waiting import Waiting, first_text
from app.handlers import face
from app.handlers.filters import CurrentCard, Pressed
from app.keyboards import CARD_ACTS, CardPress
from app.words import Words

log = structlog.get_logger()


async def resume(
    query: CallbackQuery, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Back to the card that credits were missing for, to what is still missing on it, or to a new order."""
    draft = replace(conversation.draft or Draft(), message=None)
    if asked := face.missing(draft, words):
        await conversation.keep(draft)
        await bot.send_message(query.from_user.id, asked.text, reply_markup=asked.markup)
    else:
        await face.show(query.from_user.id, await face.new(draft, ordering), conversation, ordering, bot, words)
    return query.answer()


async def without_picture(
    query: CallbackQuery, conversation: Conversation, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """The card of a description alone."""
    draft = conversation.draft
    if draft is None or draft.sources or not draft.prompt:
        return query.answer(words.card_old, show_alert=True)
    draft = await face.new(replace(draft, message=None), ordering)
    await face.show(query.from_user.id, draft, conversation, ordering, bot, words)
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
    """Marks another size, model, quality or style on the card."""
    chosen = face.chosen(draft, press.act, press.value, ordering)
    if chosen is None:
        return query.answer(words.button_unknown, show_alert=True)
    await conversation.keep(chosen)
    await _edit(bot, query, *face.of(chosen, ordering, words))
    return query.answer()


async def styles(
    query: CallbackQuery, press: CardPress, draft: Draft, ordering: Ordering, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """Opens the list of styles on the card, or closes it."""
    text, markup = face.of(draft, ordering, words)
    opened = keyboards.styles(words, face.known(draft, ordering)) if press.act == "styles" else markup
    await _edit(bot, query, text, opened)
    return query.answer()


async def add(
    query: CallbackQuery, draft: Draft, conversation: Conversation, bot: Bot, words: Words
) -> AnswerCallbackQuery:
    """«➕»: the next picture is one more on this card, with its caption for a description if it has one."""
    if not draft.has_room:
        return query.answer(words.album_full, show_alert=True)
    shown = query.message.message_id if query.message else draft.message
    await conversation.keep(replace(draft, adding=True, captioned=None, message=shown))
    await bot.send_message(query.from_user.id, words.ask_one_more)
    return query.answer()


async def cancel(query: CallbackQuery, conversation: Conversation, bot: Bot, words: Words) -> AnswerCallbackQuery:
    """Gives the card up; nothing was debited."""
    await conversation.leave()
    await _edit(bot, query, words.card_cancelled, None)
    return query.answer()


async def order(
    query: CallbackQuery,
    press: CardPress,
    draft: Draft,
    conversation: Conversation,
    ordering: Ordering,
    waiting: Waiting,
    cards: Cards,
    bot: Bot,
    words: Words,
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
        _price_shown(press),
    )
    usual_s = await waiting.usual_s(card.model, card.quality)
    placement = await ordering.place(query.from_user.id, card, usual_s)
    match placement.outcome:
        case Placed.ORDERED | Placed.ALREADY:
            await conversation.leave()
            if placement.outcome is Placed.ALREADY:
                return query.answer(words.card_used)
            if placement.generation_id and card.message_id:
                stands = first_text(words, placement.ahead, usual_s)
                text = words.ordered(stands, card.prompt, card.size, placement.price, placement.balance)
                await cards.waiting(words, query.from_user.id, card.message_id, placement.generation_id, text)
            return query.answer(words.order_accepted)
        case Placed.TOO_FEW:
            text = words.too_few(placement.balance, placement.price)
            await bot.send_message(query.from_user.id, text, reply_markup=keyboards.buy(words))
            return query.answer()
        case Placed.PRICE_CHANGED:
            await _edit(bot, query, *face.of(draft, ordering, words))
            return query.answer(words.price_changed(placement.price), show_alert=True)
        case Placed.BUSY:
            return query.answer(words.declined_busy, show_alert=True)
        case Placed.PROVIDER_DOWN:
            await bot.send_message(query.from_user.id, words.declined_provider)
            return query.answer()
        case Placed.MODEL_OFF:
            offer = [MODELS[key].title for key in placement.offer]
            await bot.send_message(query.from_user.id, words.model_off(offer))
            return query.answer()


def _price_shown(press: CardPress) -> int:
    """The price that stood on the button. The version before sold everything for the same, and did not say it here."""
    return int(press.value[:9]) if press.value.isascii() and press.value.isdigit() else PRICE


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


def register(router: Router) -> None:
    """Presses on cards; those on a card that is not the conversation's come last."""
    router.callback_query.register(resume, Pressed(keyboards.RESUME))
    router.callback_query.register(without_picture, Pressed(keyboards.NO_PICTURE))
    router.callback_query.register(choose, CurrentCard("size", "model", "quality", "style"))
    router.callback_query.register(styles, CurrentCard("styles", "back"))
    router.callback_query.register(add, CurrentCard("add"))
    router.callback_query.register(cancel, CurrentCard("cancel"))
    router.callback_query.register(order, CurrentCard("order"))
    router.callback_query.register(old, CardPress.filter(F.act.in_(CARD_ACTS)))
