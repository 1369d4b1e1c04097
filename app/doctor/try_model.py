"""`--try-model KEY`: one real order of the smallest kind, without the bot, its database or a public address."""

import asyncio
import time

from pydantic import ValidationError

from app.catalog import DEFAULT_SIZE, MODELS, Travel
from app.clients import genapi
from app.clients.genapi import GenApi, Outcome, Request
from app.doctor.checks import Check
from app.doctor.ill import Ill
from app.settings import Settings, faults, read_settings

_PROMPT = "A red apple on a white table."
_ASK_EVERY_S = 3.0
_PATIENCE_S = 300.0


async def try_model(key: str) -> list[Check]:
    """The report of one order; where the settings are incomplete, of their faults, and nothing is ordered."""
    try:
        settings = read_settings()
    except ValidationError as error:
        return [Check("settings", False, f"{name}: {text}" if name else text) for name, text in faults(error)]
    try:
        ok, text = True, await _order(settings, key)
    except Ill as error:
        ok, text = False, str(error)
    return [Check(f"model {key}", ok, " ".join(text.split()))]


async def _order(settings: Settings, key: str) -> str:
    """Orders a picture of the lowest quality from a description alone, and says what became of it. Raises Ill."""
    model = MODELS.get(key)
    if model is None:
        raise Ill(f"is not in the catalogue; there are {', '.join(MODELS)}")
    fields = {"prompt": _PROMPT, **model.request(DEFAULT_SIZE, model.qualities[0].key)}
    addresses = None if model.travel is Travel.FORM else ()
    client = GenApi(settings.gen_api_url, settings.gen_api_key.get_secret_value())
    began = time.monotonic()
    try:
        request_id = await client.create(Request(model.network, fields, model.source_field, addresses=addresses))
        outcome = await _outcome(client, request_id)
    except genapi.Refused as error:
        raise Ill(f"is refused ({error.status}): {error.detail}") from error
    except (genapi.NotAccepted, genapi.Unknown) as error:
        raise Ill(f"was not ordered for certain ({error}): look at gen-api.ru before you try again") from error
    finally:
        await client.close()
    if outcome is None:
        raise Ill(f"request {request_id} is not drawn after {_PATIENCE_S:.0f} s: look at gen-api.ru")
    price = "gen-api does not say what it cost" if outcome.cost is None else f"it cost {outcome.cost / 100:.2f} ₽"
    if outcome.url is None:
        raise Ill(f"request {request_id} failed ({outcome.reason}); {price}")
    quality = model.qualities[0]
    return (
        f"draws: {time.monotonic() - began:.0f} s, {price}; sold for {quality.price} credits in quality {quality.key}; "
        f"{outcome.url}"
    )


async def _outcome(client: GenApi, request_id: int) -> Outcome | None:
    """What became of the request, asked for until it is final; None where that takes too long."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_at:
        await asyncio.sleep(_ASK_EVERY_S)
        try:
            outcome = await client.ask(request_id)
        except (genapi.Unavailable, genapi.NotFound):
            continue
        if outcome.final:
            return outcome
    return None
