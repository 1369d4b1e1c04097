"""Whom an update is from: asked of the database once, for every handler."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import Chat, TelegramObject, Update, User

from app import words
from app.catalog import WELCOME_CREDITS
from app.commands import Command
from app.db import connection
from app.repo import users
from app.repo.records import Pool
from app.words import Words

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person in their private chat, as they were when the update came.

    `created`: met for the first time just now. `credits`: the balance. `language`: as it is stored. `banned`: nothing
    is to be done for them. `operator`: one of ADMIN_IDS. `start`: what came with /start, "" for nothing.
    """

    id: int
    created: bool
    credits: int
    language: str | None
    banned: bool
    operator: bool
    start: str = ""

    @property
    def words(self) -> Words:
        """What is said to them."""
        return words.of(self.language)


class Visits(BaseMiddleware):
    """Meets the person: creates them at any first contact, and wakes what was parked while they had blocked the bot.

    Talk in a group is no contact, and whoever has blocked the bot may talk there all day; neither is the word that they
    have blocked it.
    """

    def __init__(self, pool: Pool, admin_ids: tuple[int, ...], wake_delivery: Callable[[], None]) -> None:
        self._pool = pool
        self._admin_ids = frozenset(admin_ids)
        self._wake_delivery = wake_delivery

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        person: User | None = data.get("event_from_user")
        language = words.language_of(person.language_code if person else None)
        data["words"] = words.of(language)
        if person is not None and isinstance(event, Update) and _is_contact(event, person, data.get("event_chat")):
            visitor = await self._visit(person, language, data["command"])
            data["visitor"], data["words"] = visitor, visitor.words
        return await handler(event, data)

    async def _visit(self, person: User, language: str, command: Command | None) -> Visitor:
        async with connection(self._pool) as conn:
            visit = await users.visit(conn, person.id, language)
        if visit.created:
            log.info("person.welcomed", user_id=person.id, credits=WELCOME_CREDITS)
        if visit.unparked:
            self._wake_delivery()
        operator = person.id in self._admin_ids
        start = command.argument if command is not None and command.name == "start" else ""
        return Visitor(person.id, visit.created, visit.credits, visit.language, visit.banned, operator, start)


def _is_contact(update: Update, person: User, chat: Chat | None) -> bool:
    if person.is_bot or (chat is not None and chat.type != ChatType.PRIVATE):
        return False
    if update.pre_checkout_query is not None:
        # Whoever has an invoice is known, and the question waits for nothing that others write
        return False
    change = update.my_chat_member
    return change is None or change.new_chat_member.status == ChatMemberStatus.MEMBER
