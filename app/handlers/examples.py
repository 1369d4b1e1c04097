"""«Примеры»: two pictures with the descriptions that they go by."""

from pathlib import Path

from aiogram import Bot, Router
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import CallbackQuery, FSInputFile

from app import keyboards
from app.handlers.filters import Pressed
from app.words import Words

PICTURES = Path(__file__).parents[1] / "examples"


class Examples:
    """Shows them. Each is uploaded once in the life of a process, and shown by Telegram's name for it after that."""

    def __init__(self) -> None:
        self._file_ids: dict[str, str] = {}

    async def show(self, query: CallbackQuery, bot: Bot, words: Words) -> AnswerCallbackQuery:
        """Both, each with its description."""
        await self._send(bot, query.from_user.id, "cat.jpg", words.example_of_a_photo)
        await self._send(bot, query.from_user.id, "lighthouse.jpg", words.example_without_a_photo)
        return query.answer()

    async def _send(self, bot: Bot, chat_id: int, name: str, caption: str) -> None:
        known = self._file_ids.get(name)
        sent = await bot.send_photo(chat_id, known or FSInputFile(PICTURES / name), caption=caption)
        if sent.photo:
            self._file_ids[name] = sent.photo[-1].file_id


def register(router: Router) -> None:
    """The button under /start."""
    router.callback_query.register(Examples().show, Pressed(keyboards.EXAMPLES))
