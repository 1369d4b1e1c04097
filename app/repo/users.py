"""People."""

from dataclasses import dataclass

from app.catalog import WELCOME_CREDITS
from app.repo.queries import query
from app.repo.records import Connection

_VISIT = query("users.visit")
_LOCK = query("users.lock")
_FORGET = query("users.forget")
_LANGUAGE = query("users.language")
_EMAIL = query("users.email")
_SET_EMAIL = query("users.set_email")
_DROP_EMAIL = query("users.drop_email")
_SETTLE_FORGOTTEN = query("users.settle_forgotten")
_CHOOSE_LANGUAGE = query("users.choose_language")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who was met: whether just now for the first time, and how many parked messages became due.

    `language` is None for somebody of before there were two: Russian.
    """

    created: bool
    credits: int
    language: str | None
    banned: bool
    unparked: int


async def visit(conn: Connection, user_id: int, language: str = "ru") -> Visit:
    """Creates the person at the first contact, with that language, and wakes what was parked for them."""
    # Where somebody else is just creating the person, there is none for this statement, and one for the next
    while (row := await conn.fetchrow(_VISIT, user_id, WELCOME_CREDITS, language)) is None:
        pass
    return Visit(row["created"], row["credits"], row["language"], row["banned"], row["unparked"])


async def lock(conn: Connection, user_id: int) -> int | None:
    """Locks the person's row until the transaction ends; their credits, or None for nobody."""
    credits: int | None = await conn.fetchval(_LOCK, user_id)
    return credits


async def language(conn: Connection, user_id: int) -> str | None:
    """The person's language; None for nobody, and where it is not decided."""
    found: str | None = await conn.fetchval(_LANGUAGE, user_id)
    return found


async def email(conn: Connection, user_id: int) -> str | None:
    """Where the person wants receipts; None for nobody, and where they gave no address."""
    found: str | None = await conn.fetchval(_EMAIL, user_id)
    return found


async def set_email(conn: Connection, user_id: int, email: str | None) -> None:
    """Where the person wants receipts from now on."""
    await conn.execute(_SET_EMAIL, user_id, email)


async def drop_email(conn: Connection, user_id: int, email: str) -> bool:
    """Removes an address that turned out to be none; False where the person has named another meanwhile."""
    return await conn.fetchval(_DROP_EMAIL, user_id, email) is not None


async def forget(conn: Connection, user_id: int) -> None:
    """Notes that what the person ordered so far is to be wiped once it is finished."""
    await conn.execute(_FORGET, user_id)


async def settle_forgotten(conn: Connection) -> int:
    """Ends the wishes to be forgotten that nothing is left of; how many."""
    return len(await conn.fetch(_SETTLE_FORGOTTEN))


async def choose_language(conn: Connection, user_id: int, language: str) -> None:
    """What the person is told from here on, what is owed already included, is in this language."""
    await conn.execute(_CHOOSE_LANGUAGE, user_id, language)
