"""The faults that the machine room can switch on, each with a sentence about what to expect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.bot_process import BotProcess
from sandbox.genapi import FakeGenApi
from sandbox.server import Fault, Misdelivery, Mishap, Server
from sandbox.stars import ANSWER_WITHIN_S
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

LATE_S = 25
RETRY_AFTER_S = 5


@dataclass(frozen=True)
class Switch:
    """One fault: `arm` makes the next occasion fail, once."""

    key: str
    group: str
    title: str
    hint: str
    arm: Callable[[str], Fault | Misdelivery]


def switches(telegram: FakeTelegram, gen_api: FakeGenApi, yookassa: FakeYooKassa, bot: BotProcess) -> list[Switch]:
    """All of them, group by group."""
    return [
        *_gen_api(gen_api),
        *_yookassa(yookassa),
        *_stars(telegram),
        *_telegram(telegram),
        *_bot(telegram, gen_api, yookassa, bot),
    ]


def _gen_api(gen_api: FakeGenApi) -> list[Switch]:
    async def refuse() -> None:
        gen_api.orders[max(gen_api.orders)].reason = "Запрос отклонён модерацией"

    callback, create = "gen-api: ответ о картинке", "gen-api: приём заказа"
    return [
        Switch(
            "callback-lost", callback, "Колбэк потерян",
            "Бот не дождётся ответа, через 10–15 секунд спросит сам и пришлёт картинку.",
            _misdelivery(gen_api, "lost"),
        ),
        Switch(
            "callback-late", callback, "Колбэк опоздал",
            f"Придёт через {LATE_S} секунд: бот спросит раньше, а опоздавший ничего не изменит.",
            _misdelivery(gen_api, "delayed"),
        ),
        Switch(
            "callback-doubled", callback, "Колбэк пришёл дважды",
            "Картинка и списание всё равно по одному разу.",
            _misdelivery(gen_api, "doubled"),
        ),
        Switch(
            "callback-forged", callback, "Колбэк подделан",
            "С чужой картинкой и неверной подписью: бот не поверит и спросит сам gen-api.",
            _misdelivery(gen_api, "forged"),
        ),
        Switch(
            "result-dead", callback, "Ссылка на картинку мертва",
            "Один раз — бот попросит свежую ссылку; два раза подряд — вернёт кредиты.",
            lambda name: gen_api.fault("result", status=404, name=name),
        ),
        Switch(
            "model-refuses", callback, "Модель отказала",
            "gen-api ответит ошибкой вместо картинки: кредиты вернутся, один раз.",
            lambda name: gen_api.fault("create", after=refuse, name=name),
        ),
        Switch(
            "create-hangs", create, "Заказ принят, а ответа нет",
            "Бот не знает номера и не посылает заказ снова: номер принесёт колбэк, с картинкой.",
            lambda name: gen_api.fault("create", hang=True, handled=True, name=name),
        ),
        Switch(
            "create-vanishes", create, "Заказ пропал, и ответа нет",
            "Принят ли он, узнать нельзя: второй раз бот не пошлёт, а через минуту вернёт кредиты.",
            lambda name: gen_api.fault("create", hang=True, name=name),
        ),
        Switch(
            "create-402", create, "402: у gen-api кончились деньги",
            "Точно не принят: кредиты вернутся сразу. После трёх подряд новые заказы не берутся 30 секунд.",
            lambda name: gen_api.fault("create", status=402, body={"message": "Payment Required"}, name=name),
        ),
        Switch(
            "create-429", create, "429: слишком часто",
            "Точно не принят: бот подождёт несколько секунд и пошлёт снова.",
            lambda name: gen_api.fault("create", status=429, body={"message": "Too Many Attempts."}, name=name),
        ),
    ]  # fmt: skip


def _yookassa(yookassa: FakeYooKassa) -> list[Switch]:
    group = "ЮKassa"
    return [
        Switch(
            "payment-lost", group, "Уведомление потеряно",
            "После оплаты бот сам спросит ЮKassa, самое позднее через 10–20 секунд, и зачислит.",
            _misdelivery(yookassa, "lost"),
        ),
        Switch(
            "payment-late", group, "Уведомление опоздало",
            f"Придёт через {LATE_S} секунд: к тому времени уже зачислено, второй раз не будет.",
            _misdelivery(yookassa, "delayed"),
        ),
        Switch(
            "payment-doubled", group, "Уведомление пришло дважды",
            "Кредиты добавятся один раз.",
            _misdelivery(yookassa, "doubled"),
        ),
        Switch(
            "payment-forged", group, "Уведомление подделано",
            "О платеже, которого нет: ничего не появится, а настоящий бот найдёт сам.",
            _misdelivery(yookassa, "forged"),
        ),
        Switch(
            "payment-create-hangs", group, "Платёж создан, а ответа нет",
            "Бот повторит тот же запрос с тем же ключом: второго платежа не появится, ссылка придёт.",
            lambda name: yookassa.fault("payments.create", hang=True, handled=True, name=name),
        ),
        Switch(
            "payment-unverifiable", group, "Проверить платёж нельзя (500)",
            "Бот ответит на уведомление 503, не зачислив, и ЮKassa пришлёт его снова.",
            lambda name: yookassa.fault("payments.get", status=500, name=name),
        ),
    ]  # fmt: skip


def _stars(telegram: FakeTelegram) -> list[Switch]:
    async def think() -> None:
        await asyncio.sleep(ANSWER_WITHIN_S + 1)

    group = "Звёзды"
    return [
        Switch(
            "stars-lost", group, "Сообщение об оплате потеряно",
            "Звёзды списаны, а бот не знает: найдёт сам в списке операций, самое позднее через минуту с лишним.",
            _misdelivery(telegram, "lost"),
        ),
        Switch(
            "stars-late", group, "Сообщение об оплате опоздало",
            f"Придёт через {LATE_S} секунд: зачислится один раз, кто бы ни успел раньше.",
            _misdelivery(telegram, "delayed"),
        ),
        Switch(
            "stars-doubled", group, "Сообщение об оплате пришло дважды",
            "Кредиты добавятся один раз.",
            _misdelivery(telegram, "doubled"),
        ),
        Switch(
            "stars-slow", group, "Вопрос перед оплатой тянется",
            f"Ответ бота дойдёт позже {ANSWER_WITHIN_S} секунд: Telegram не спишет ничего.",
            lambda name: telegram.fault("answerPreCheckoutQuery", before=think, name=name),
        ),
    ]  # fmt: skip


def _telegram(telegram: FakeTelegram) -> list[Switch]:
    group = "Telegram"
    too_many = {
        "ok": False,
        "error_code": 429,
        "description": f"Too Many Requests: retry after {RETRY_AFTER_S}",
        "parameters": {"retry_after": RETRY_AFTER_S},
    }
    bad_gateway = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
    return [
        Switch(
            "telegram-429", group, "429 на отправку картинки",
            f"В этот чат бот ничего не шлёт {RETRY_AFTER_S} секунд, как велено, потом отправит.",
            lambda name: telegram.fault("sendPhoto", status=429, body=too_many, name=name),
        ),
        Switch(
            "telegram-502", group, "502 на отправку картинки",
            "Бот попробует снова через несколько секунд.",
            lambda name: telegram.fault("sendPhoto", status=502, body=bad_gateway, name=name),
        ),
        Switch(
            "telegram-unanswered", group, "Картинка дошла, а ответа нет",
            "Бот пошлёт ещё раз, и не больше: картинка придёт дважды, кредиты спишутся один раз.",
            lambda name: telegram.fault("sendPhoto", drop=True, handled=True, name=name),
        ),
    ]  # fmt: skip


def _bot(telegram: FakeTelegram, gen_api: FakeGenApi, yookassa: FakeYooKassa, bot: BotProcess) -> list[Switch]:
    group = "Смерть бота в неудачный миг"
    return [
        Switch(
            "kill-on-order", group, "Убит, когда gen-api принял заказ",
            "Номер не сохранён, и снова бот не пошлёт: выручит колбэк, а пропал и он — через минуту вернутся кредиты.",
            lambda name: gen_api.fault("create", after=_killing(bot), name=name),
        ),
        Switch(
            "kill-on-photo", group, "Убит перед отправкой картинки",
            "Картинка придёт после запуска, когда истечёт его аренда, до минуты.",
            lambda name: telegram.fault("sendPhoto", before=_killing(bot), drop=True, name=name),
        ),
        Switch(
            "kill-after-photo", group, "Убит сразу после отправки картинки",
            "Отметить отправку не успел: картинка может прийти дважды, кредиты спишутся один раз.",
            lambda name: telegram.fault("sendPhoto", after=_killing(bot), name=name),
        ),
        Switch(
            "kill-on-payment", group, "Убит, пока проверял оплату",
            "Уведомление осталось без ответа: ЮKassa пришлёт его снова, зачислится один раз.",
            lambda name: yookassa.fault("payments.get", before=_killing(bot), drop=True, name=name),
        ),
    ]  # fmt: skip


def _misdelivery(server: Server, kind: Mishap) -> Callable[[str], Misdelivery]:
    return lambda name: server.misdeliver(kind, delay=LATE_S, name=name)


def _killing(bot: BotProcess) -> Callable[[], Awaitable[object]]:
    return bot.kill
