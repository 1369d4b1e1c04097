"""Where nobody knows for sure how a service speaks: the ways to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.genapi import FakeGenApi
from sandbox.networks import NETWORKS
from sandbox.yookassa import FakeYooKassa


@dataclass(frozen=True)
class Manner:
    """One open question about a service; `options` are values and how they are called, the usual one first."""

    key: str
    service: str
    title: str
    options: Mapping[str, str]


MANNERS = (
    Manner("create_status", "gen-api", "Заказ принят с кодом", {"200": "200", "201": "201"}),
    Manner("id_name", "gen-api", "Номер заказа называется", {"request_id": "request_id", "id": "id"}),
    Manner("id_type", "gen-api", "Номер заказа", {"number": "число", "string": "строка"}),
    Manner(
        "result",
        "gen-api",
        "Картинка лежит в",
        {
            "strings": "result: [ссылка]",
            "objects": "result: [{url}]",
            "string": "result: ссылка",
            "full_response": "full_response, без result",
        },
    ),
    Manner("success", "gen-api", "Успех приходит", {"picture": "с картинкой", "empty": "без картинки"}),
    Manner(
        "failure_word",
        "gen-api",
        "Неудача называется",
        {word: word for word in ("error", "failed", "cancelled", "canceled")},
    ),
    Manner(
        "missed_callback", "gen-api", "Колбэк, не принятый ботом", {"dropped": "пропадает", "repeated": "повторяется"}
    ),
    Manner("unknown_id", "gen-api", "О неизвестном номере", {"404": "404", "400": "400"}),
    *(
        Manner(f"network-{name}", "gen-api", f"Сеть {name}", {"draws": "рисует", "gone": "снята (404)"})
        for name in NETWORKS
    ),
    Manner("recipient", "ЮKassa", "recipient в платеже", {"present": "есть", "missing": "нет"}),
)


def shown(gen_api: FakeGenApi, yookassa: FakeYooKassa) -> list[dict[str, Any]]:
    """Each with the value it has now."""
    return [
        {
            "key": manner.key,
            "service": manner.service,
            "title": manner.title,
            "options": dict(manner.options),
            "value": _value(gen_api, yookassa, manner),
        }
        for manner in MANNERS
    ]


def choose(gen_api: FakeGenApi, yookassa: FakeYooKassa, key: str, value: str) -> None:
    """Make a service speak so from now on; KeyError for what there is not."""
    manner = {manner.key: manner for manner in MANNERS}[key]
    if value not in manner.options:
        raise KeyError(value)
    if manner.key == "recipient":
        yookassa.recipient = value == "present"
    elif network := _network(manner):
        (gen_api.gone.add if value == "gone" else gen_api.gone.discard)(network)
    else:
        setattr(gen_api.manner, key, value)


def _value(gen_api: FakeGenApi, yookassa: FakeYooKassa, manner: Manner) -> str:
    if manner.key == "recipient":
        return "present" if yookassa.recipient else "missing"
    if network := _network(manner):
        return "gone" if network in gen_api.gone else "draws"
    value: str = getattr(gen_api.manner, manner.key)
    return value


def _network(manner: Manner) -> str:
    """The network that is switched off by this one; "" for the other manners."""
    return manner.key.removeprefix("network-") if manner.key.startswith("network-") else ""
