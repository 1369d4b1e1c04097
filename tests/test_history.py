"""What people have got: the buttons under a picture, the list of pictures, the movements of credits."""

import json
from typing import Any

import pytest

from app import words
from app.flows.history import MOVEMENTS, PICTURES
from app.notices import OriginalMissing
from app.repo import generations, history, queries
from app.words import Words
from sandbox.people import ChatMessage
from sandbox.telegram import Person
from tests.world import World

RUSSIAN, ENGLISH = words.of("ru"), words.of("en")

both = pytest.mark.parametrize("said", [RUSSIAN, ENGLISH], ids=["ru", "en"])


def somebody(bot: World, said: Words, person_id: int = 77) -> Person:
    return bot.telegram.person(person_id, "Аня", "ru" if said is RUSSIAN else "en")


async def drawn(bot: World, person: Person, prompt: str = "Кот в космосе") -> ChatMessage:
    """An order of theirs, delivered; the picture."""
    before = len(pictures(person))
    await bot.order(person, prompt)
    message = await bot.says(person, lambda message: message.photo and len(pictures(person)) > before)
    await bot.until("SELECT bool_and(status = 'delivered') FROM generations")
    return message


def pictures(person: Person) -> list[ChatMessage]:
    return [message for message in person.messages if message.outgoing and message.photo]


def files(person: Person) -> list[ChatMessage]:
    return [message for message in person.messages if message.outgoing and message.document]


def answer(bot: World, query: str) -> str:
    """What the bot said to that press."""
    return next(str(press.answer["text"]) for press in bot.telegram.presses if press.id == query and press.answer)


def signs(message: ChatMessage) -> list[str]:
    """What the message's buttons begin with."""
    return [str(button["text"]).split()[0] for button in message.buttons]


async def past(bot: World, person: Person, count: int) -> None:
    """So many pictures that they got, one a minute, number 1 first; in no ledger, and nobody has the files any more."""
    await bot.db.execute(
        "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, sources, deadline_at, "
        "created_at, ready_at, finished_at) SELECT $1, $1::bigint || '-' || n, 'delivered', 'gpt-image-1', "
        "'1024x1024', 2, 'Картинка ' || n, '{x}', now(), now() - interval '400 days', now(), "
        "now() - interval '300 days' + n * interval '1 minute' FROM generate_series(1, $2) AS n",
        person.id,
        count,
    )


# Under the picture


@both
async def test_under_a_picture_stand_three_buttons(bot: World, said: Words) -> None:
    picture = await drawn(bot, somebody(bot, said))
    buttons = [button["text"] for button in picture.buttons]
    assert buttons == [said.again_button, said.change_button, said.original_button]
    assert signs(picture) == ["🔁", "✏️", "📎"]


@pytest.mark.settings(generation_deadline_s=60)
async def test_a_picture_that_goes_as_a_document_has_them_too(bot: World) -> None:
    person = bot.person()
    bot.telegram.fault("sendPhoto", status=400, body={"ok": False, "error_code": 400, "description": "no"})
    await bot.order(person)
    message = await bot.says(person, lambda message: message.document)
    assert signs(message) == ["🔁", "✏️", "📎"]


@both
async def test_again_makes_a_card_of_the_same_order_and_debits_nothing_before_it_is_confirmed(
    bot: World, said: Words
) -> None:
    """Same pictures, description, model, size; pressed twice there are two cards, and one order a card."""
    person = somebody(bot, said)
    await bot.card(person)
    card = await bot.offered(person, "✅")
    await person.press(card.id, "512x512")
    await person.press(card.id, "✅")
    picture = await bot.shown(person)
    await bot.told(person, said.order_done)
    await person.press(picture.id, "🔁")
    await person.press(picture.id, "🔁")
    card = await bot.says(person, lambda message: message.id > picture.id and message.button("✅"))
    assert "Кот в космосе" in (card.text or "")
    assert "512x512" in (card.text or "")
    assert await bot.credits(person) == 8
    await person.press(card.id, "✅")
    await person.press(card.id, "✅")
    await bot.until("SELECT count(*) = 2 AND bool_and(status = 'delivered') FROM generations")
    assert await bot.credits(person) == 6
    assert await bot.value("SELECT count(DISTINCT (prompt, sources, model, size, quality)) FROM generations") == 1
    first, second = bot.gen_api.orders.values()
    assert first.images == second.images


@both
async def test_a_change_is_asked_for_and_made_from_the_picture_itself(bot: World, said: Words) -> None:
    """Its source is what was delivered, and the description is the new one."""
    person = somebody(bot, said)
    picture = await drawn(bot, person)
    await person.press(picture.id, "✏️")
    await bot.told(person, said.ask_change)
    await person.send_text("Теперь в шляпе")
    card = await bot.says(person, lambda message: message.id > picture.id and message.button("✅"))
    assert "Теперь в шляпе" in (card.text or "")
    assert "Кот в космосе" not in (card.text or "")
    assert await bot.credits(person) == 8
    await person.press(card.id, "✅")
    await bot.until("SELECT count(*) = 2 AND bool_and(status = 'delivered') FROM generations")
    changed = list(bot.gen_api.orders.values())[-1]
    assert changed.images == [picture.photo]
    assert changed.fields["prompt"] == "Теперь в шляпе"
    assert await bot.credits(person) == 6


@both
async def test_the_untouched_file_comes_free_of_charge(bot: World, said: Words) -> None:
    """Byte for byte what the model made, though a smaller size was ordered; its name says what it is."""
    person = somebody(bot, said)
    await bot.card(person)
    card = await bot.offered(person, "✅")
    await person.press(card.id, "512x512")
    await person.press(card.id, "✅")
    picture = await bot.shown(person)
    await bot.told(person, said.order_done)
    query = await person.press(picture.id, "📎")
    assert answer(bot, query) == said.original_coming
    file = await bot.says(person, lambda message: message.document)
    [order] = bot.gen_api.orders.values()
    assert file.document == order.picture
    assert file.file_name == "picture.png"
    assert signs(file) == ["🔁", "✏️", "📎"]
    assert await bot.credits(person) == 8
    await bot.until("SELECT NOT EXISTS (SELECT FROM outbox WHERE status = 'pending')")


async def test_pressing_for_a_file_that_is_on_its_way_brings_it_once(bot: World) -> None:
    """Another press while the file is on its way; one after that brings another."""
    person = bot.person()
    picture = await drawn(bot, person)
    bot.gen_api.result_delay = 1
    await person.press(picture.id, "📎")
    await person.press(picture.id, "📎")
    await bot.says(person, lambda message: message.document)
    await bot.until("SELECT NOT EXISTS (SELECT FROM outbox WHERE status = 'pending')")
    assert len(files(person)) == 1
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'original_file'") == 1
    bot.gen_api.result_delay = 0
    await person.press(picture.id, "📎")
    await bot.says(person, lambda message: message.document and len(files(person)) == 2)


async def test_a_press_for_a_file_that_telegram_brings_twice_brings_it_once(bot: World) -> None:
    """The same update a second time, after the file has come."""
    person = bot.person()
    picture = await drawn(bot, person)
    await person.press(picture.id, "📎")
    await bot.says(person, lambda message: message.document)
    await bot.until("SELECT NOT EXISTS (SELECT FROM outbox WHERE status = 'pending')")
    assert await bot.telegram.post_update(bot.telegram.updates[-1]) == 200
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'original_file'") == 1
    assert len(files(person)) == 1


async def test_a_dead_link_is_asked_for_afresh_however_often_it_was_before(bot: World) -> None:
    """The one fresh link that a delivery may ask for was asked for already; a file's has nothing to do with it."""
    person = bot.person()
    bot.gen_api.fault("result", times=1, status=404)
    picture = await drawn(bot, person)
    assert await bot.value("SELECT result_refreshed FROM generations")
    bot.gen_api.fault("result", times=1, status=404)
    await person.press(picture.id, "📎")
    await bot.says(person, lambda message: message.document)
    assert len(bot.gen_api.called("get")) == 2


@both
async def test_a_file_that_nobody_has_any_more_is_told_of_and_costs_nothing(bot: World, said: Words) -> None:
    person = somebody(bot, said)
    picture = await drawn(bot, person)
    bot.gen_api.fault("result", times=2, status=404)
    await person.press(picture.id, "📎")
    await bot.told(person, said.original_gone)
    assert files(person) == []
    assert await bot.orders() == ["delivered"]
    assert await bot.credits(person) == 8


async def test_a_page_in_place_of_the_file_is_not_sent_as_a_picture(bot: World) -> None:
    person = bot.person()
    picture = await drawn(bot, person)
    bot.gen_api.fault("result", status=200, body={"error": "expired"})
    await person.press(picture.id, "📎")
    await bot.told(person, RUSSIAN.original_gone)
    assert files(person) == []


async def test_a_file_whose_sending_nobody_knows_the_outcome_of_is_not_sent_again(bot: World) -> None:
    """It is free: whoever has not got it presses once more."""
    person = bot.person()
    picture = await drawn(bot, person)
    bot.telegram.fault("sendDocument", handled=True, status=502)
    await person.press(picture.id, "📎")
    await bot.told(person, OriginalMissing("", perhaps=True))
    assert len(files(person)) == 1


@both
async def test_somebody_else_s_picture_and_a_forgotten_one_are_told_of(bot: World, said: Words) -> None:
    """Each of the three buttons, and the entry of the list; nothing is ordered, sent or debited."""
    person, other = somebody(bot, said), somebody(bot, said, 78)
    picture = await drawn(bot, person)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    buttons = [*((picture, button) for button in picture.buttons), (page, page.buttons[0])]
    for message, button in buttons:
        query = await other.press(message.id, button["callback_data"])
        assert answer(bot, query) == said.picture_unknown
    await person.send_text("/forget")
    await bot.told(person, said.forgotten)
    for message, button in buttons:
        query = await person.press(message.id, button["callback_data"])
        assert answer(bot, query) == said.picture_unknown
    assert len(bot.gen_api.orders) == 1
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'original_file'") == 0
    assert await bot.credits(person) == 8


# /history


@both
async def test_a_history_without_pictures_leads_on(bot: World, said: Words) -> None:
    person = somebody(bot, said)
    await person.send_text("/history")
    await bot.told(person, said.history_empty)
    assert "/photo" in said.history_empty


@pytest.mark.unaudited
async def test_the_history_is_newest_first_five_a_page_and_turns_in_place(bot: World) -> None:
    """Twelve pictures: two pages of five and one of two, there and back; each entry once."""
    person = bot.person()
    await person.send_text("/start")
    await past(bot, person, 12)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")

    def numbers() -> list[int]:
        return [int(str(button["text"]).rsplit(" ", 1)[1]) for button in page.buttons if button["text"][0] in "12345"]

    def turns() -> list[str]:
        return [sign for sign in signs(page) if sign in "←→"]

    assert (numbers(), turns()) == ([12, 11, 10, 9, 8], ["→"])
    assert "Картинка 12" in (page.text or "")
    await person.press(page.id, page.buttons[-1]["callback_data"])
    assert (numbers(), turns()) == ([7, 6, 5, 4, 3], ["←", "→"])
    await person.press(page.id, page.buttons[-1]["callback_data"])
    assert (numbers(), turns()) == ([2, 1], ["←"])
    await person.press(page.id, page.buttons[-1]["callback_data"])
    assert (numbers(), turns()) == ([7, 6, 5, 4, 3], ["←", "→"])
    await person.press(page.id, page.buttons[-2]["callback_data"])
    assert (numbers(), turns()) == ([12, 11, 10, 9, 8], ["→"])
    assert len([message for message in person.messages if message.outgoing]) == 2


@both
async def test_a_picture_of_the_history_is_sent_again_free_with_its_buttons(bot: World, said: Words) -> None:
    """By Telegram's own name of it: nothing is fetched. And it can be changed from there."""
    person = somebody(bot, said)
    picture = await drawn(bot, person)
    fetched = len(bot.gen_api.called("result"))
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    await person.press(page.id, "1.")
    again = await bot.says(person, lambda message: message.photo and message.id > page.id)
    assert again.photo is not None
    assert signs(again) == signs(picture)
    assert len(bot.gen_api.called("result")) == fetched
    assert await bot.credits(person) == 8
    await person.press(again.id, "✏️")
    await bot.told(person, said.ask_change)
    await person.send_text("Теперь в шляпе")
    await bot.says(person, lambda message: message.id > again.id and message.button("✅"))


async def test_a_picture_that_went_as_a_document_is_sent_again_as_one(bot: World) -> None:
    person = bot.person()
    bot.telegram.fault("sendPhoto", status=400, body={"ok": False, "error_code": 400, "description": "no"})
    await bot.order(person)
    await bot.told(person, RUSSIAN.order_done)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    await person.press(page.id, "1.")
    assert len(files(person)) == 2


@pytest.mark.parametrize("file_id", [None, "nothing that Telegram knows"])
async def test_a_picture_that_telegram_does_not_know_is_fetched_again(bot: World, file_id: str | None) -> None:
    """Delivered without anybody learning its name: after that it has one."""
    person = bot.person()
    await drawn(bot, person)
    await bot.db.execute("UPDATE generations SET result_file_id = $1", file_id)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    await person.press(page.id, "1.")
    file = await bot.says(person, lambda message: message.document)
    assert signs(file) == ["🔁", "✏️", "📎"]
    if file_id is None:
        await bot.until("SELECT result_file_id IS NOT NULL FROM generations")
        await person.press(page.id, "1.")
        assert len(files(person)) == 2
        assert len(bot.gen_api.called("result")) == 2


@pytest.mark.unaudited
async def test_a_picture_that_nobody_has_is_told_of(bot: World) -> None:
    person = bot.person()
    await person.send_text("/start")
    await past(bot, person, 1)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    query = await person.press(page.id, "1.")
    assert answer(bot, query) == RUSSIAN.original_gone


@both
async def test_forgetting_empties_the_history_and_says_so(bot: World, said: Words) -> None:
    """Descriptions, pictures, links and file ids are gone."""
    person = somebody(bot, said)
    await drawn(bot, person)
    await person.send_text("/history")
    page = await bot.offered(person, "1.")
    await person.send_text("/forget")
    await bot.told(person, said.forgotten)
    assert "/history" in said.forgotten
    await person.send_text("/history")
    await bot.told(person, said.history_empty)
    kept = await bot.db.fetchrow("SELECT prompt, source_file_id, sources, result_url, result_file_id FROM generations")
    assert kept is not None
    assert not any(kept.values())
    query = await person.press(page.id, "1.")
    assert answer(bot, query) == said.picture_unknown


async def test_a_picture_that_came_after_a_wish_to_be_forgotten_is_in_no_history(bot: World) -> None:
    """It was being drawn then: it is shown, and nothing of it is kept."""
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    await person.send_text("/forget")
    await bot.told(person, RUSSIAN.forgotten)
    await bot.gen_api.finish(next(iter(bot.gen_api.orders)))
    await bot.shown(person)
    await bot.until("SELECT bool_and(status = 'delivered') FROM generations")
    kept = "num_nonnulls(prompt, sources, source_file_id, result_url, result_file_id)"
    assert await bot.value(f"SELECT {kept} FROM generations") == 0
    await person.send_text("/history")
    await bot.told(person, RUSSIAN.history_empty)


async def test_retention_empties_the_history(bot: World) -> None:
    person = bot.person()
    await drawn(bot, person)
    await bot.db.execute("UPDATE generations SET finished_at = now() - interval '91 days'")
    await generations.wipe(bot.db, 90, 10)
    await person.send_text("/history")
    await bot.told(person, RUSSIAN.history_empty)


# The movements of credits


@both
async def test_the_movements_are_told_in_words_newest_first(bot: World, said: Words) -> None:
    """The welcome, an order, its refund, a purchase and its refund."""
    person = somebody(bot, said)
    await drawn(bot, person)
    bot.gen_api.failure = "policy"
    await bot.order(person)
    await bot.until("SELECT count(*) = 1 FROM generations WHERE status = 'failed'")
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    await bot.yookassa.wait_for(lambda: bot.yookassa.payments)
    [payment] = bot.yookassa.payments
    await bot.yookassa.pay(payment)
    await bot.until("SELECT EXISTS (SELECT FROM payments WHERE status = 'succeeded')")
    await bot.yookassa.refund(payment)
    await bot.until("SELECT EXISTS (SELECT FROM payments WHERE status = 'refunded')")
    await person.send_text("/status")
    status = await bot.offered(person, "📒")
    await person.press(status.id, "📒")
    told = await bot.says(person, lambda message: message.id > status.id and "10" in (message.text or ""))
    lines = (told.text or "").split("\n\n")[1].split("\n")
    deltas = [line.split(" · ")[1] for line in lines]
    assert deltas == ["-10", "+10", "+2", "-2", "-2", "+10"]
    back = "возврат" if said is RUSSIAN else "refund"
    assert [back in line for line in lines] == [True, False, True, False, False, False]
    assert told.buttons == []


@pytest.mark.unaudited
async def test_the_movements_turn_in_place(bot: World) -> None:
    """Twenty-five of them: the first page, the second, the third and back."""
    person = bot.person()
    await person.send_text("/start")
    await bot.until("SELECT EXISTS (SELECT FROM users)")
    await bot.db.execute(
        "INSERT INTO ledger (user_id, delta, balance, reason, ref) SELECT $1, 1, 10 + n, 'purchase', n::text "
        "FROM generate_series(1, 24) AS n",
        person.id,
    )
    await person.send_text("/status")
    status = await bot.offered(person, "📒")
    await person.press(status.id, "📒")
    page = await bot.says(person, lambda message: message.id > status.id and message.buttons)
    counted = []
    for _ in range(2):
        counted.append(((page.text or "").count("\n") - 1, signs(page)))
        await person.press(page.id, page.buttons[-1]["callback_data"])
    counted.append(((page.text or "").count("\n") - 1, signs(page)))
    assert counted == [(MOVEMENTS, ["→"]), (MOVEMENTS, ["←", "→"]), (5, ["←"])]
    assert "подарок" in (page.text or "")
    await person.press(page.id, page.buttons[0]["callback_data"])
    assert signs(page) == ["←", "→"]


@both
@pytest.mark.parametrize("than", ["9223372036854775808", "-9223372036854775809", "9" * 40])
async def test_a_place_among_the_movements_that_there_cannot_be_means_nothing(
    bot: World, said: Words, than: str
) -> None:
    """Button data that the bot never made is answered with a sentence, and is no fault of the bot's."""
    person = somebody(bot, said)
    await person.send_text("/status")
    status = await bot.offered(person, "📒")
    for turn in ("older", "newer"):
        query = await person.press(status.id, f"moves:{turn}:{than}")
        assert answer(bot, query) == said.button_unknown


# Ten thousand


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan] + [node for inner in plan.get("Plans", ()) for node in _nodes(inner)]


@pytest.mark.unaudited
async def test_ten_thousand_pictures_page_as_fast_as_ten(bot: World) -> None:
    """Each page reads its own entries by an index, sorts nothing, and skips nothing; wherever it is."""
    few, many = bot.person(1), bot.person(2)
    for person, count in ((few, 10), (many, 10_000)):
        await person.send_text("/start")
        await bot.until("SELECT EXISTS (SELECT FROM users WHERE id = $1)", person.id)
        await past(bot, person, count)
    await bot.db.execute("VACUUM ANALYZE generations")
    touched: dict[tuple[str, int], int] = {}
    for person in (few, many):
        middle = (await history.newest(bot.db, person.id, 6_000))[-1].id
        for verb, arguments in (("newest", ()), ("older", (middle,)), ("newer", (middle,))):
            statement = queries.query(f"history.{verb}")
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            (found,) = json.loads(await bot.db.fetchval(explained, person.id, PICTURES + 1, *arguments))
            nodes = _nodes(found["Plan"])
            assert not {"Sort", "Seq Scan"} & {node["Node Type"] for node in nodes}, verb
            assert max(node["Actual Rows"] for node in nodes) <= PICTURES + 1
            assert not any(node.get("Rows Removed by Filter") for node in nodes)
            touched[verb, person.id] = found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
    assert all(touched[verb, 2] <= touched[verb, 1] + 10 for verb in ("newest", "older", "newer")), touched


@pytest.mark.unaudited
async def test_nobody_else_s_entry_leads_anywhere(bot: World) -> None:
    """Whatever data a press brings."""
    person, other = bot.person(1), bot.person(2)
    for one in (person, other):
        await one.send_text("/start")
        await bot.until("SELECT EXISTS (SELECT FROM users WHERE id = $1)", one.id)
    await past(bot, person, 3)
    (foreign, *_) = await history.newest(bot.db, person.id, 1)
    assert await history.older(bot.db, other.id, 5, foreign.id) == []
    assert await history.newer(bot.db, other.id, 5, foreign.id) == []
