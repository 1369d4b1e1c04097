"""A file on its way to Telegram that knows how far it came."""

from collections.abc import AsyncGenerator

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramNetworkError
from aiogram.types import BufferedInputFile

SEND_LEASE_S, SEND_S = 40.0, 35.0
"""The lease that begins with the sending, and what that may take."""


class Upload(BufferedInputFile):
    """`whole` once its last byte was handed over: before that Telegram cannot have taken it."""

    whole = False

    async def read(self, bot: Bot) -> AsyncGenerator[bytes, None]:
        """The bytes, as the HTTP client asks for them: there is a connection, then."""
        async for chunk in super().read(bot):
            yield chunk
        self.whole = True

    def may_have_arrived(self, error: BaseException) -> bool:
        """Whether a send that ended with `error` may have been carried out: all of it went out, and no answer came.

        A page that is not Telegram's is no answer; a refusal or a fault that Telegram itself tells of is one.
        """
        answered = isinstance(error, TelegramAPIError) and not isinstance(error, TelegramNetworkError)
        return self.whole and not answered
