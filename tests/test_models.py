"""Several models: each one's request, its price, and a model whose network is gone."""

import io
from typing import Any

import asyncpg
import pytest
from PIL import Image

from app.catalog import DEFAULT_SIZE, MODELS, STYLES
from app.db import open_pool
from app.flows.orders.place import Card, Ordering, Placed, Placement
from app.metrics import Metrics
from sandbox.networks import NETWORKS
from sandbox.people import Person
from tests.crafted import drawn
from tests.world import World, photograph

ADMIN = 900
EVERY = ",".join(MODELS)

pytestmark = pytest.mark.settings(admin_ids=(ADMIN,), models=EVERY)


async def place(bot: World, key: str, model: str, sources: int = 1, **chosen: Any) -> Placement:
    """An order of any shape, placed as the card's handler does; the bot's workers do the rest."""
    person = bot.person()
    if await bot.credits(person) is None:
        await person.send_text("/start")
        await bot.told(person, "10 кредитов")
    files = tuple(bot.telegram.files.photo_sizes(photograph())[-1]["file_id"] for _ in range(sources))
    pool = await open_pool(bot.settings)
    try:
        card = Card(key, model, chosen.pop("size", DEFAULT_SIZE), "Кот", files, None, **chosen)
        return await Ordering(pool, bot.settings, Metrics(), lambda: None).place(person.id, card)
    finally:
        await pool.close()


async def refused(bot: World, person: Person, times: int) -> None:
    """So many orders whose network gen-api does not know, each refunded."""
    for number in range(times):
        card = await bot.order(person, f"Отказ {number}")
        await bot.refunded(person, after=card.id)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sources", [0, 1, 4])
async def test_every_model_draws_from_none_to_four_pictures(bot: World, model: str, sources: int) -> None:
    """gen-api gets the description with the style, the size in the model's own way, and every picture."""
    placement = await place(bot, "card", model, sources, size="1024x1536", style="anime")
    assert placement.outcome is Placed.ORDERED
    await bot.shown(bot.person())
    [order] = bot.gen_api.orders.values()
    assert order.network.name == MODELS[model].network
    assert len(order.images) == sources
    assert order.size[1] > order.size[0]
    assert order.fields["prompt"] == f"Кот\n\n{STYLES['anime']}"
    await bot.until("SELECT status = 'delivered' FROM generations")
    row = await bot.db.fetchrow("SELECT * FROM generations")
    assert row is not None
    assert (row["model"], row["style"], len(row["sources"])) == (model, "anime", sources)
    assert row["cost"] == NETWORKS[model].cost * 100
    assert row["price"] == placement.price == MODELS[model].qualities[0].price
    assert await bot.credits(bot.person()) == 10 - placement.price


@pytest.mark.parametrize(
    ("shape", "hidden"),
    [
        ({}, False),
        ({"size": "512x512"}, False),
        ({"size": "1536x1024"}, True),
        ({"model": "gpt-image-2"}, True),
        ({"sources": 0}, True),
        ({"sources": 2}, True),
        ({"style": "oil"}, True),
    ],
    ids=str,
)
async def test_what_the_version_before_could_not_build_is_hidden_from_it(
    bot: World, shape: dict[str, Any], hidden: bool
) -> None:
    """It looks at `claimable_at`, and knows one model, two sizes and one picture."""
    await place(bot, "card", **({"model": "gpt-image-1"} | shape))
    assert await bot.value("SELECT claimable_at = 'infinity' FROM generations") is hidden
    await bot.shown(bot.person())


@pytest.mark.parametrize(("model", "size"), [("gpt-image-2", "512x512"), ("gpt-image-1", "1024x1536")])
async def test_the_version_before_is_refused_an_order_that_it_could_not_build(
    bot: World, model: str, size: str
) -> None:
    """Of a card that was begun here: its insert fails, and with it the debit."""
    await bot.card(bot.person())
    with pytest.raises(asyncpg.CheckViolationError):
        await bot.db.execute(
            "INSERT INTO generations (user_id, order_key, model, size, price, prompt, source_file_id, deadline_at) "
            "VALUES ($1, 'card', $2, $3, 2, 'Кот', 'file', now() + interval '15 minutes')",
            bot.person().id,
            model,
            size,
        )


async def test_a_quality_costs_its_own_price_and_is_what_gen_api_is_asked_for(bot: World) -> None:
    placement = await place(bot, "card", "gpt-image-2", quality="high")
    assert placement.price == 8
    await bot.shown(bot.person())
    assert bot.gen_api.orders[min(bot.gen_api.orders)].fields["quality"] == "high"
    assert await bot.credits(bot.person()) == 2
    assert (await place(bot, "another", "gpt-image-2", quality="medium")).outcome is Placed.TOO_FEW


async def test_a_model_is_chosen_on_the_card_and_its_price_is_the_one_that_is_debited(bot: World) -> None:
    """The button shows what differs from two credits; the picture is made by that network."""
    person = bot.person()
    card = await bot.card(person)
    await person.press(card.id, "🤖 Nano Banana")
    chosen = await bot.says(person, lambda m: m.id == card.id and "Nano Banana" in (m.text or ""))
    assert "3 кредита" in (chosen.text or "")
    await person.press(card.id, "✅")
    await bot.shown(person)
    assert bot.gen_api.orders[min(bot.gen_api.orders)].network.name == "nano-banana"
    assert await bot.credits(person) == 7


async def test_a_portrait_comes_as_a_portrait(bot: World) -> None:
    person = bot.person()
    card = await bot.card(person)
    await person.press(card.id, "1024x1536")
    await person.press(card.id, "✅")
    shown = await bot.shown(person)
    assert shown.photo is not None
    with Image.open(io.BytesIO(shown.photo)) as picture:
        assert picture.height * 2 == picture.width * 3


async def test_the_source_of_an_order_is_at_its_own_address_until_the_order_is_over(bot: World) -> None:
    """Its bytes under their true type; nothing for a wrong proof, another number, or once the picture is there."""
    bot.gen_api.auto = False
    await place(bot, "card", "gpt-image-2")
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    [order] = bot.gen_api.orders.values()
    [address] = order.addresses
    assert address.startswith(f"{bot.settings.public_url}/gen/source/")
    async with bot.gen_api.http.get(address) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
        assert Image.open(io.BytesIO(await answer.read())).format == "JPEG"
    for wrong in (address[:-1] + "x", address.replace("/1.", "/2."), address.partition("?")[0], address + "%ff"):
        async with bot.gen_api.http.get(wrong) as answer:
            assert answer.status == 404
    await bot.gen_api.finish(order.id)
    await bot.until("SELECT status IN ('ready', 'delivered') FROM generations")
    async with bot.gen_api.http.get(address) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(("model", "kind"), [("nano-banana", "PNG"), ("gpt-image-2", "WEBP")])
async def test_a_webp_is_made_png_for_a_model_that_takes_none(bot: World, model: str, kind: str) -> None:
    """In what gen-api fetches; the address ends as it is. Of one file, whichever model had it first."""
    person = bot.person()
    await person.send_text("/start")
    await bot.told(person, "10 кредитов")
    file = bot.telegram.files.document(drawn("WEBP"), "a.webp", "image/webp")["file_id"]
    pool = await open_pool(bot.settings)
    ordering = Ordering(pool, bot.settings, Metrics(), lambda: None)
    for number, key in enumerate(("gpt-image-2", model), 1):
        await ordering.place(person.id, Card(str(number), key, DEFAULT_SIZE, "Кот", (file,), None))
        await bot.until("SELECT count(*) = $1 AND bool_and(status = 'delivered') FROM generations", number)
    await pool.close()
    order = bot.gen_api.orders[max(bot.gen_api.orders)]
    assert order.network.name == model
    assert [Image.open(io.BytesIO(image)).format for image in order.images] == [kind]
    assert [address.partition("?")[0].rpartition(".")[2] for address in order.addresses] == [kind.lower()]


async def test_a_bad_picture_among_several_is_named(bot: World) -> None:
    person = bot.person()
    await person.send_text("/start")
    await bot.told(person, "10 кредитов")
    good = bot.telegram.files.photo_sizes(photograph())[-1]["file_id"]
    bad = bot.telegram.files.document(b"no picture", "a.jpg", "image/jpeg")["file_id"]
    pool = await open_pool(bot.settings)
    card = Card("card", "gpt-image-1", DEFAULT_SIZE, "Кот", (good, bad), None)
    await Ordering(pool, bot.settings, Metrics(), lambda: None).place(person.id, card)
    await pool.close()
    await bot.told(person, "Картинка № 2: Это не картинка")
    await bot.refunded(person)
    assert bot.gen_api.called("create") == []


async def test_a_model_whose_network_is_gone_is_refunded_with_the_others_offered(bot: World) -> None:
    """404 is final for its order; two of them leave the model on."""
    bot.gen_api.gone.add("gpt-image-1")
    person = bot.person()
    await refused(bot, person, 2)
    told = await bot.told(person, "больше не рисует")
    assert "GPT Image 2" in (told.text or "")
    assert "GPT Image 1" not in (told.text or "")
    assert len(bot.gen_api.called("create")) == 2
    card = await bot.card(person)
    assert any(button["text"] == "🤖 GPT Image 1 ✓" for button in card.buttons)


async def test_the_third_404_in_a_row_switches_the_model_off_and_tells_the_operators_once(bot: World) -> None:
    """A card made before says so and debits nothing; a new one starts with the next model, which draws."""
    first, second = bot.person(1), bot.person(2)
    early = await bot.card(second)
    bot.gen_api.gone.add("gpt-image-1")
    await refused(bot, first, 3)
    await second.press(early.id, "✅")
    told = await bot.told(second, "сейчас не рисует")
    assert "GPT Image 2" in (told.text or "")
    assert "возвращ" not in (told.text or "")
    assert await bot.credits(second) == 10
    assert len(bot.gen_api.called("create")) == 3
    card = await bot.card(second)
    assert any(button["text"] == "🤖 GPT Image 2 · от 2 ✓" for button in card.buttons)
    await second.press(card.id, "✅")
    await bot.shown(second)
    await bot.told(bot.person(ADMIN), "gpt-image-1")
    assert len([m for m in bot.person(ADMIN).messages if "модель выключена" in (m.text or "")]) == 1


async def test_an_order_that_the_network_took_ends_the_row_of_404s(bot: World) -> None:
    person = bot.person()
    bot.gen_api.gone.add("gpt-image-1")
    await refused(bot, person, 2)
    bot.gen_api.gone.clear()
    await bot.order(person)
    await bot.delivered(person)
    bot.gen_api.gone.add("gpt-image-1")
    for number in range(2):
        card = await bot.order(person, f"Снова {number}")
        await bot.refunded(person, 8, after=card.id)
    assert await bot.value("SELECT opened_at IS NULL FROM breakers WHERE provider = 'gen-api/gpt-image-1'")


async def test_one_order_an_hour_tries_a_model_that_is_off_and_its_acceptance_switches_it_on(bot: World) -> None:
    """Refused again, the next trial is an hour away; accepted, everybody may order."""
    person = bot.person()
    bot.gen_api.gone.add("gpt-image-1")
    await refused(bot, person, 3)
    await bot.db.execute("UPDATE breakers SET trial_at = now() WHERE provider = 'gen-api/gpt-image-1'")
    await refused(bot, person, 1)
    assert await bot.value("SELECT trial_at > now() + interval '50 minutes' FROM breakers WHERE opened_at IS NOT NULL")
    assert (await place(bot, "off", "gpt-image-1")).outcome is Placed.MODEL_OFF
    await bot.db.execute("UPDATE breakers SET trial_at = now() WHERE provider = 'gen-api/gpt-image-1'")
    bot.gen_api.gone.clear()
    assert (await place(bot, "trial", "gpt-image-1")).outcome is Placed.ORDERED
    await bot.shown(person)
    assert (await place(bot, "after", "gpt-image-1")).outcome is Placed.ORDERED
    assert await bot.credits(person) == 6


async def test_a_model_s_trial_is_not_used_up_while_the_provider_takes_no_orders(bot: World) -> None:
    await place(bot, "first", "gpt-image-2")
    await bot.shown(bot.person())
    await bot.db.execute(
        "UPDATE breakers SET opened_at = now(), trial_at = now() + interval '30 seconds' WHERE provider = 'gen-api'"
    )
    await bot.db.execute(
        "INSERT INTO breakers (provider, refusals, opened_at, trial_at) VALUES ('gen-api/gpt-image-1', 3, now(), now())"
    )
    assert (await place(bot, "second", "gpt-image-1")).outcome is Placed.PROVIDER_DOWN
    assert await bot.value("SELECT trial_at <= now() FROM breakers WHERE provider = 'gen-api/gpt-image-1'")


@pytest.mark.settings(models="gpt-image-1")
async def test_with_no_model_left_an_order_is_declined_with_a_sentence(bot: World) -> None:
    person = bot.person()
    bot.gen_api.gone.add("gpt-image-1")
    await refused(bot, person, 3)
    await bot.order(person)
    await bot.told(person, "не рисует ни одна модель")
    assert await bot.credits(person) == 10
    assert len(bot.gen_api.called("create")) == 3
