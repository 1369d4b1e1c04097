"""A deployment as a platform does it: what deploy/Dockerfile makes, an old and a new process, people chatting."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from sandbox.telegram import Person
from tests.deployment import PATIENCE_S, Image, deployment
from tests.world import photograph

_ROOT = Path(__file__).parents[1]
_BEFORE = "bb328f708798ab679aa5d42c3a9a1714a40b2a04"
"""The last version that knew one model, one language, one picture an order and owed messages without a class."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Made by the lines of deploy/Dockerfile, without Docker; where CI is not set, with the packages that we have."""
    dockerfile = (_ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    files = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.MULTILINE):
        if (_ROOT / source).is_dir():
            shutil.copytree(_ROOT / source, files / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(_ROOT / source, files / target)
    found = re.search(r'^CMD \["sh", "-c", "(.+)"\]$', dockerfile, re.MULTILINE)
    assert found
    # A platform and a container run the same.
    assert (_ROOT / "Procfile").read_text() == f"web: {found[1]}\n"
    programs = Path(sys.executable).parent
    if os.environ.get("CI"):
        programs = tmp_path_factory.mktemp("installed") / "bin"
        subprocess.run([sys.executable, "-m", "venv", str(programs.parent)], check=True)
        for install in re.findall(r"python (-m pip install .+?) &&", dockerfile):
            subprocess.run([str(programs / "python"), *install.split(), "--quiet"], cwd=files, check=True)
    return Image(files, programs, found[1])


@pytest.fixture(scope="module")
def image_before(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The version before out of the repository's history, run with the packages that we have."""
    files = tmp_path_factory.mktemp("before")
    found = subprocess.run(["git", "archive", _BEFORE], cwd=_ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip("this clone has no history that goes back to the version before")
    subprocess.run(["tar", "-x", "-C", str(files)], input=found.stdout, check=True)
    command = (files / "Procfile").read_text().removeprefix("web: ").strip()
    return Image(files, Path(sys.executable).parent, command)


async def test_a_new_version_takes_over_while_people_order(database_url: str, redis_url: str, image: Image) -> None:
    """Every picture arrives once for its price, nothing is refunded, and the webhook is never deleted."""
    db = await asyncpg.connect(database_url)
    async with deployment(database_url, redis_url) as around:
        telegram, gen_api, rolled = around.telegram, around.gen_api, asyncio.Event()
        old = await around.start(image)
        around.send_traffic_to(old)

        async def chat(person: Person) -> int:
            orders = 0
            while orders < 2 or (not rolled.is_set() and orders < 4):
                await around.order(person)
                orders += 1
            await rolled.wait()
            await around.order(person)
            return orders + 1

        people = [telegram.person(number) for number in range(31, 35)]
        chats = [asyncio.create_task(chat(person)) for person in people]
        # Everybody has begun before the new version comes.
        await gen_api.wait_for(lambda: len(gen_api.called("create")) >= len(people), PATIENCE_S)
        new = await around.start(image)
        around.send_traffic_to(old, new)
        during = [asyncio.create_task(around.order(telegram.person(40 + number))) for number in range(3)]
        served = around.edge.served
        await telegram.wait_for(lambda: all(served.get(one.port, 0) > 5 for one in (old, new)), PATIENCE_S)
        around.send_traffic_to(new)
        assert await old.retire() == 0
        rolled.set()
        ordered = dict(zip((person.id for person in people), await asyncio.gather(*chats), strict=True))
        await asyncio.gather(*during)
        ordered |= {40 + number: 1 for number in range(3)}
        await _all_delivered(db)
        assert await new.retire() == 0
    left = {row["id"]: row["credits"] for row in await db.fetch("SELECT id, credits FROM users")}
    assert left == {person_id: 10 - 2 * orders for person_id, orders in ordered.items()}
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE status <> 'sent'") == 0
    booked = await db.fetch("SELECT user_id, sum(delta) AS credits FROM ledger GROUP BY user_id")
    assert {row["user_id"]: row["credits"] for row in booked} == left
    assert len(gen_api.called("create")) == len(telegram.called("sendPhoto")) == sum(ordered.values())
    assert telegram.called("deleteWebhook") == []
    await db.close()


async def test_what_the_version_before_began_the_new_one_ends(
    empty_database_url: str, redis_url: str, image_before: Image, image: Image
) -> None:
    """Half-begun conversations, cards, links, owed and parked messages of the old; the two side by side meanwhile."""
    async with deployment(empty_database_url, redis_url) as around:
        telegram, yookassa = around.telegram, around.yookassa
        halfway, carded, away, buyer = (telegram.person(number) for number in range(51, 55))
        old = await around.start(image_before)
        around.send_traffic_to(old)
        await halfway.send_text("/photo")
        await halfway.send_photo(photograph())
        await carded.send_text("/photo")
        await carded.send_photo(photograph(), caption="Кот")
        await around.order(away)
        await away.send_text("/photo")
        await away.send_photo(photograph(), caption="Кот")
        await around.press(away)
        away.block()
        await buyer.send_text("/buy_subscription")
        offer = [message for message in buyer.messages if message.button("200 ₽")][-1]
        await buyer.press(offer.id, "200 ₽")
        await telegram.wait_for(lambda: any(message.button("Оплатить") for message in buyer.messages), PATIENCE_S)
        db = await asyncpg.connect(empty_database_url)
        async with asyncio.timeout(PATIENCE_S):
            while await db.fetchval("SELECT count(*) FROM outbox WHERE due_at = 'infinity'") < 1:  # noqa: ASYNC110 - nothing outside the database tells of a commit
                await asyncio.sleep(0.1)

        new = await around.start(image)
        around.send_traffic_to(old, new)
        mixed = [telegram.person(number) for number in range(61, 65)]
        await asyncio.gather(*(around.order(person) for person in mixed))
        around.send_traffic_to(new)
        assert await old.retire() == 0

        await halfway.send_text("Кот")
        await telegram.wait_for(lambda: any(message.button("✅") for message in halfway.messages), PATIENCE_S)
        await around.press(halfway)
        await around.press(carded)
        away.unblock()
        await away.send_text("/status")
        await yookassa.pay(next(iter(yookassa.payments)))
        for person, pictures in ((halfway, 1), (carded, 1), (away, 2), *((person, 1) for person in mixed)):
            await around.shown(person, pictures)
        await telegram.wait_for(lambda: any("добавлено" in (m.text or "") for m in buyer.messages), PATIENCE_S)
        await _all_delivered(db)
        left = {row["id"]: row["credits"] for row in await db.fetch("SELECT id, credits FROM users")}
        assert left == {51: 8, 52: 8, 53: 6, 54: 20, **{person.id: 8 for person in mixed}}
        assert await new.retire() == 0
        await db.close()


async def _all_delivered(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Waits until it is noted of every picture: it is in the chat before that."""
    open_ = "SELECT count(*) FROM generations WHERE status <> 'delivered'"
    owed = "SELECT count(*) FROM outbox WHERE status <> 'sent'"
    async with asyncio.timeout(PATIENCE_S):
        while await db.fetchval(open_) or await db.fetchval(owed):  # noqa: ASYNC110 - nothing outside the database tells of a commit
            await asyncio.sleep(0.1)
