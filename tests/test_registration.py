"""Who calls the bot is told where it is: Telegram and its menu, YooKassa by API where a partner's token is set."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from app import words
from app.gateways.port import Refused
from app.gateways.yookassa import EVENTS, YooKassa
from app.registration import bring_up_to_date
from sandbox.yookassa import FakeYooKassa
from tests.world import World, services, world

OLD = "https://old.example/yookassa/webhook"
OTHERS = "https://shop.example/hooks"
TOKEN = "an-oauth-token-of-the-tests"


@pytest.fixture
async def shop(database_url: str, redis_url: str) -> AsyncIterator[tuple[FakeYooKassa, YooKassa, str]]:
    """The fake, a client with the partner's token, and the bot's own address."""
    async with services(database_url, redis_url, yookassa_oauth_token=TOKEN) as around:
        around.yookassa.partner_token = TOKEN
        client = YooKassa(around.settings)
        yield around.yookassa, client, around.settings.yookassa_webhook_url
        await client.close()


def _there(fake: FakeYooKassa) -> set[tuple[str, str]]:
    return {(webhook["event"], webhook["url"]) for webhook in fake.webhooks.values()}


async def test_missing_events_are_added_and_only_our_own_old_ones_removed(
    shop: tuple[FakeYooKassa, YooKassa, str],
) -> None:
    """A right one keeps its id; another program's webhook stays; the address of yesterday's tunnel goes."""
    fake, client, url = shop
    for number, (event, address) in enumerate(
        ((EVENTS[0], url), (EVENTS[0], OLD), (EVENTS[1], OTHERS), ("payout.succeeded", url))
    ):
        fake.webhooks[f"before-{number}"] = {"id": f"before-{number}", "event": event, "url": address}
    await bring_up_to_date(client, url)
    assert _there(fake) == {(event, url) for event in EVENTS} | {(EVENTS[1], OTHERS)}
    assert {"before-0", "before-2"} <= set(fake.webhooks)
    calls = len(fake.called("webhooks.add")) + len(fake.called("webhooks.remove"))
    await bring_up_to_date(client, url)
    assert len(fake.called("webhooks.add")) + len(fake.called("webhooks.remove")) == calls


async def test_a_token_that_is_refused_says_so(shop: tuple[FakeYooKassa, YooKassa, str]) -> None:
    """401 is no fault that passes: nobody repeats it."""
    fake, client, url = shop
    fake.partner_token = "another"
    with pytest.raises(Refused):
        await bring_up_to_date(client, url)


async def test_the_bot_registers_at_start_and_tries_again_while_yookassa_is_away(
    database_url: str, redis_url: str
) -> None:
    """The first question fails; the second, a second later, leads to four webhooks."""
    async with services(database_url, redis_url) as around:
        around.yookassa.partner_token = TOKEN
        around.yookassa.fault("webhooks.list", status=500)
        changes = {"yookassa_oauth_token": TOKEN, "yookassa_api_url": around.yookassa.url}
        async with world(database_url, redis_url, **changes) as bot:
            url = bot.settings.yookassa_webhook_url
            await around.yookassa.wait_for(lambda: _there(around.yookassa) == {(event, url) for event in EVENTS})


async def test_the_menu_is_in_english_and_in_russian_for_everybody_who_reads_it(bot: World) -> None:
    """Telegram picks by the language of the person's app."""
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("setMyCommands")) == 1 + len(words.READ_RUSSIAN))
    for number, code in enumerate(("en", "de", "pt-br", *words.READ_RUSSIAN), 1):
        menu = {
            line["command"]: line["description"]
            for line in bot.telegram.commands(bot.telegram.person(number, code, code))
        }
        assert menu == words.of(words.language_of(code)).commands._asdict()


async def test_without_a_token_nobody_asks(bot: World) -> None:
    """A shop with an id and a key cannot register webhooks; the log says what to paste."""
    assert bot.yookassa.called("webhooks.*") == []
    assert bot.yookassa.called("GET /v3/webhooks") == []


@pytest.mark.parametrize(("url", "said"), [("https://thief.example/hook", "thief.example"), ("", "was removed")])
async def test_a_webhook_that_another_process_took_is_taken_back_and_the_operators_are_told(
    database_url: str, redis_url: str, url: str, said: str
) -> None:
    """Once an hour, however often it happens, and each time more slowly: two bots with one token do not fight."""
    async with world(database_url, redis_url, webhook_check_s=0.2, admin_ids=(900,)) as bot:
        operator = bot.telegram.person(900, "Op", "en")
        ours = bot.telegram.webhook

        async def take() -> float:
            calls = len(bot.telegram.called("setWebhook"))
            bot.telegram.webhook = {**ours, "url": url}
            async with aiohttp.ClientSession() as client:
                while True:
                    async with client.get(f"{bot.settings.public_url}/readyz") as answer:
                        if answer.status == 503:
                            assert not (await answer.json())["telegram_webhook"]
                            break
                await bot.telegram.wait_for(lambda: len(bot.telegram.called("setWebhook")) > calls)
                async with client.get(f"{bot.settings.public_url}/readyz") as answer:
                    assert answer.status == 200
            assert bot.telegram.webhook == ours
            looks: float = bot.telegram.called("setWebhook")[-1].at
            return looks

        moments = [await take() for _ in range(4)]
        await bot.told(operator, said if url else "снят")
        told = [message for message in operator.messages if message.outgoing]
        assert len(told) == 1
        assert moments[3] - moments[2] > 4 * 0.2
