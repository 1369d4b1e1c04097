"""The usual stack: FastAPI, SQLAlchemy's sessions, aiogram with its filters, states and Redis, as tutorials write it.

It answers by calls of the Bot API, debits under a lock of the person's row, and takes the same things as the bot does.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import uvicorn
from aiogram import BaseMiddleware, Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    TelegramObject,
    Update,
)
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.bench.usual_models import Generation, LedgerEntry, OutboxMessage, Payment, Subscription, User

PRICE = 2

router = Router()


class Photo(StatesGroup):
    """How far an order has come."""

    collecting = State()
    card = State()


class Sessions(BaseMiddleware):
    """A session of SQLAlchemy for every update."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def __call__(
        self, handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]], event: TelegramObject, data: Any
    ) -> Any:
        async with self._sessions() as session:
            data["session"] = session
            person = data["event_from_user"]
            user = await session.get(User, person.id)
            if user is None:
                user = User(id=person.id, credits=10, language=person.language_code)
                session.add_all(
                    [user, LedgerEntry(user_id=user.id, delta=10, balance=10, reason="welcome", ref=str(user.id))]
                )
                await session.commit()
            data["user"] = user
            return await handler(event, data)


@router.message(CommandStart())
async def start(message: Message, state: FSMContext, user: User) -> None:
    """Greets."""
    await state.clear()
    await message.answer(f"Привет! У вас {user.credits} кредитов. /photo, /buy_subscription, /status")


@router.message(Command("photo"))
async def photo(message: Message, state: FSMContext) -> None:
    """Begins an order."""
    await state.set_state(Photo.collecting)
    await message.answer("Пришлите фото с описанием")


@router.message(Photo.collecting, F.photo, F.caption)
async def picture(message: Message, state: FSMContext) -> None:
    """Shows the card."""
    assert message.photo is not None
    await state.update_data(file_id=message.photo[-1].file_id, prompt=message.caption, size="1024x1024")
    await state.set_state(Photo.card)
    rows = [[InlineKeyboardButton(text=text, callback_data=data)] for text, data in (("✅", "order"), ("❌", "cancel"))]
    await message.answer("Карточка", reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))


@router.message(Photo.collecting, F.text)
async def words(message: Message) -> None:
    """A description without a picture."""
    await message.answer("Пришлите фото")


@router.message(Command("buy_subscription"))
async def plans(message: Message) -> None:
    """What can be bought."""
    await message.answer("200 ₽ — 10, 500 ₽ — 25, 1000 ₽ — 50")


@router.message(Command("status"))
async def status(message: Message, user: User, session: AsyncSession) -> None:
    """The balance and the subscription."""
    running = await session.scalar(
        select(Subscription)
        .where(Subscription.user_id == user.id, Subscription.ends_at > func.now(), Subscription.revoked_at.is_(None))
        .order_by(Subscription.ends_at.desc())
        .limit(1)
    )
    until = f"подписка до {running.ends_at:%d.%m.%Y}" if running else "подписки нет"
    await message.answer(f"У вас {user.credits} кредитов, {until}")


@router.callback_query(F.data == "cancel")
async def cancel(query: CallbackQuery, state: FSMContext) -> None:
    """Gives the card up."""
    await state.clear()
    await query.answer()


@router.callback_query(F.data == "order", Photo.card)
async def order(query: CallbackQuery, state: FSMContext, user: User, session: AsyncSession) -> None:
    """Debits and queues."""
    data = await state.get_data()
    payer = await session.scalar(select(User).where(User.id == user.id).with_for_update())
    assert payer is not None
    if payer.credits < PRICE:
        await query.answer("Не хватает кредитов", show_alert=True)
        return
    waiting = await session.scalar(select(func.count()).where(Generation.status == "queued"))
    if (waiting or 0) > 10**6:
        await query.answer("Слишком много заказов", show_alert=True)
        return
    generation = Generation(
        user_id=payer.id,
        order_key=f"{payer.id}:{query.id}",
        model="gpt-image-1",
        size=data["size"],
        price=PRICE,
        prompt=data["prompt"],
        sources=[data["file_id"]],
        source_file_id=data["file_id"],
        request={"size": data["size"]},
        deadline_at=datetime.now(UTC) + timedelta(minutes=15),
    )
    session.add(generation)
    await session.flush()
    payer.credits -= PRICE
    entry = LedgerEntry(user_id=payer.id, delta=-PRICE, balance=payer.credits, reason="order", ref=str(generation.id))
    session.add(entry)
    await session.commit()
    await state.clear()
    if isinstance(query.message, Message):
        await query.message.edit_text(f"Заказ принят, осталось {payer.credits} кредитов")
    await query.answer("Принято")


class Callback(BaseModel):
    """What gen-api says."""

    request_id: int
    status: str
    result: list[str] = []


class Notification(BaseModel):
    """What YooKassa says."""

    event: str
    object: dict[str, Any]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["TELEGRAM_API_URL"]))
    app.state.bot = Bot(os.environ["BOT_TOKEN"], session=session)
    app.state.sessions = sessions
    app.state.kassa = aiohttp.ClientSession(headers={"Authorization": aiohttp.encode_basic_auth("100500", "test_key")})
    app.state.dispatcher = Dispatcher(storage=RedisStorage.from_url(os.environ["REDIS_URL"]))
    app.state.dispatcher.update.outer_middleware(Sessions(sessions))
    app.state.dispatcher.include_router(router)
    yield
    await app.state.kassa.close()
    await app.state.dispatcher.storage.close()
    await app.state.bot.session.close()
    await engine.dispose()


app = FastAPI(lifespan=_lifespan)


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


_Session = Annotated[AsyncSession, Depends(_session)]


@app.get("/readyz")
async def readyz() -> dict[str, bool]:
    """Whether it serves."""
    return {"ok": True}


@app.post("/telegram/webhook")
async def telegram(
    request: Request, update: dict[str, Any], x_telegram_bot_api_secret_token: Annotated[str, Header()]
) -> dict[str, bool]:
    """An update."""
    if x_telegram_bot_api_secret_token != os.environ["TELEGRAM_SECRET"]:
        raise HTTPException(401)
    bot = request.app.state.bot
    await request.app.state.dispatcher.feed_update(bot, Update.model_validate(update, context={"bot": bot}))
    return {"ok": True}


@app.post("/gen/callback")
async def gen_callback(body: Callback, session: _Session) -> dict[str, bool]:
    """A picture is there."""
    query = select(Generation).where(Generation.request_id == body.request_id).with_for_update()
    generation = await session.scalar(query)
    if generation is None or generation.status not in ("submitting", "processing"):
        return {"ok": False}
    generation.status, generation.result_url = "ready", body.result[0]
    generation.ready_at, generation.poll_at = datetime.now(UTC), None
    session.add(OutboxMessage(chat_id=generation.user_id, kind="picture", ref=str(generation.id), payload={}))
    await session.commit()
    return {"ok": True}


@app.post("/yookassa/webhook")
async def yookassa(request: Request, body: Notification, session: _Session) -> dict[str, bool]:
    """A payment has news."""
    url = f"{os.environ['YOOKASSA_API_URL']}/payments/{body.object['id']}"
    async with request.app.state.kassa.get(url) as answer:
        charge = await answer.json()
    payment_id = UUID(charge["metadata"]["payment_id"])
    payment = await session.scalar(select(Payment).where(Payment.id == payment_id).with_for_update())
    if payment is None or payment.status != "pending" or charge["status"] != "succeeded":
        return {"ok": False}
    user = await session.scalar(select(User).where(User.id == payment.user_id).with_for_update())
    assert user is not None
    now = datetime.now(UTC)
    payment.status, payment.paid_at, payment.poll_at = "succeeded", now, None
    user.credits += payment.credits
    last = await session.scalar(select(func.max(Subscription.ends_at)).where(Subscription.user_id == user.id))
    starts_at = max(last or now, now)
    ref = str(payment.id)
    session.add_all(
        [
            LedgerEntry(user_id=user.id, delta=payment.credits, balance=user.credits, reason="purchase", ref=ref),
            Subscription(
                payment_id=payment.id,
                user_id=user.id,
                plan=payment.plan,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(days=30),
            ),
            OutboxMessage(chat_id=user.id, kind="payment_succeeded", ref=ref, payload={"credits": payment.credits}),
        ]
    )
    await session.commit()
    return {"ok": True}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
