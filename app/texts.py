"""Every sentence a person sees, in Russian, as Telegram HTML. What people wrote themselves is escaped here."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

from app.catalog import MODELS, PLANS, PRICE, PROMPT_LIMIT, WELCOME_CREDITS, Plan

_FORMS = ("кредит", "кредита", "кредитов")
_ONE, _FEW, _MANY = range(3)


def credits_text(number: int) -> str:
    """A number with the right form of «кредит»: 1 кредит, 2 кредита, 5 кредитов."""
    tens, ones = abs(number) % 100, abs(number) % 10
    if ones == 1 and tens != 11:
        form = _ONE
    elif ones in (2, 3, 4) and tens not in (12, 13, 14):
        form = _FEW
    else:
        form = _MANY
    return f"{number} {_FORMS[form]}"


def roubles(kopecks: int) -> str:
    """An amount as people read it: 200 ₽, 199,50 ₽."""
    whole, rest = divmod(kopecks, 100)
    return f"{whole},{rest:02d} ₽" if rest else f"{whole} ₽"


_MOSCOW = timezone(timedelta(hours=3))


def day(instant: datetime) -> str:
    """The day of an instant in Moscow, as dd.mm.yyyy."""
    return instant.astimezone(_MOSCOW).strftime("%d.%m.%Y")


COMMANDS = {
    "start": "Начать",
    "photo": "Нарисовать картинку",
    "buy_subscription": "Купить кредиты",
    "status": "Баланс и подписка",
    "help": "Как это работает",
    "cancel": "Отменить начатое",
    "forget": "Удалить мои описания и фото",
}

_HOW = (
    "/photo — нарисовать новую картинку по вашему фото и описанию\n"
    "/buy_subscription — купить кредиты\n"
    "/status — баланс и подписка"
)


def greeting(balance: int) -> str:
    """The answer to /start."""
    return (
        "Привет! Я рисую картинки: пришлите фото и опишите, что из него сделать.\n\n"
        f"У вас {credits_text(balance)}. Одна картинка стоит {credits_text(PRICE)}.\n\n{_HOW}"
    )


HELP = (
    "Пришлите команду /photo, потом фото с подписью — или фото и описание двумя сообщениями. "
    "Выберите размер и нажмите «✅ Нарисовать»: картинка придёт сюда же, обычно за минуту.\n\n"
    f"Новым людям я даю {credits_text(WELCOME_CREDITS)}, картинка стоит {credits_text(PRICE)}. "
    "Если что-то не получится, кредиты снова окажутся на балансе.\n\n"
    f"{_HOW}\n/cancel — отменить начатое\n/forget — удалить мои описания и фото"
)

ASK_BOTH = (
    "Пришлите картинку (как фото или как файл) и описание того, что нарисовать, "
    "— одним сообщением с подписью или двумя, в любом порядке."
)
ASK_PICTURE = "Описание есть. Теперь пришлите картинку — как фото или как файл JPEG, PNG или WEBP."
ASK_PROMPT = "Картинка есть. Теперь опишите словами, что нарисовать."
CANCELLED = "Отменено. Чтобы начать снова — /photo"
NOTHING_TO_CANCEL = "Отменять нечего. Начать — /photo"
FORGOTTEN = (
    "Готово: описания, фото и имена файлов ваших заказов удалены. Если заказ ещё выполняется, его данные "
    "сотрутся сразу после. Баланс и платежи остаются."
)
UNKNOWN_COMMAND = "Такой команды я не знаю.\n\n" + _HOW
START_WITH_PHOTO = "Чтобы нарисовать картинку, начните с команды /photo"
NOT_A_PICTURE_MESSAGE = "Здесь нужна картинка: пришлите её как фото или как файл JPEG, PNG или WEBP."
VIDEO_INSTEAD = "Видео я не умею. Пришлите картинку — как фото или как файл JPEG, PNG или WEBP."
HEIC_INSTEAD = "Формат HEIC я не читаю. Пришлите картинку как фото — Telegram сам её преобразует — или файлом JPEG."
TOO_LARGE = "Картинка слишком большая: можно до 20 МБ и до 50 миллионов точек. Пришлите её как фото или файл поменьше."
ALBUM = "В альбоме несколько картинок — беру первую, остальные пропускаю."
EMPTY_PROMPT = "Описание пустое. Напишите словами, что нарисовать."
LONG_PROMPT = f"Описание слишком длинное: можно до {PROMPT_LIMIT} знаков. Сократите его, пожалуйста."
GROUP = 'Я рисую только в личном чате: <a href="https://t.me/{bot}">откройте его</a> и нажмите «Начать».'
APOLOGY = "Что-то сломалось у меня внутри. Мы уже знаем; попробуйте ещё раз чуть позже."
SLOW_DOWN = "Слишком быстро, я не успеваю. Подождите пару секунд и повторите."
BUTTON_UNKNOWN = "Эта кнопка больше не работает. Начните снова: /photo"


def card(prompt: str, model: str, size: str) -> str:
    """The order card; short enough for a message whatever the prompt."""
    title = MODELS[model].title
    return f"<b>Заказ</b>\n{escape(prompt)}\n\nМодель: {escape(title)}\nРазмер: {size}\nЦена: {credits_text(PRICE)}"


CARD_OLD = "Эта карточка устарела. Начните снова: /photo"
CARD_CANCELLED = "Заказ отменён, кредиты не списаны. Начать снова — /photo"
CARD_USED = "По этой карточке заказ уже сделан."


def ordered(prompt: str, size: str, balance: int) -> str:
    """The card after «✅»: work has begun."""
    return (
        f"⏳ Рисую… обычно это занимает около минуты.\n\n{escape(prompt)}\nРазмер: {size}\n"
        f"Списано: {credits_text(PRICE)}. Осталось: {credits_text(balance)}."
    )


DONE = "✅ Готово, картинка ниже."
ORDERED_TOAST = "Заказ принят"
DECLINED_BUSY = "Сейчас слишком много заказов. Попробуйте через несколько минут — ничего не списано."
DECLINED_PROVIDER = (
    "Рисование временно недоступно: сервис не принимает заказы. Мы уже разбираемся. "
    "Попробуйте через несколько минут — ничего не списано."
)


def too_few(balance: int) -> str:
    """«✅» with an empty purse."""
    return (
        f"Не хватает кредитов: у вас {credits_text(balance)}, а картинка стоит {credits_text(PRICE)}.\n"
        "Пополнить — /buy_subscription. Потом вернитесь к карточке и нажмите «✅» ещё раз."
    )


_FAILURES = {
    "not_a_picture": "Это не картинка или файл повреждён. Пришлите фото или файл JPEG, PNG или WEBP.",
    "too_large": TOO_LARGE,
    "file_gone": "Не удалось скачать вашу картинку из Telegram. Пришлите её ещё раз.",
    "refused": "Сервис рисования не принял заказ.",
    "provider": "Сервис рисования не смог нарисовать эту картинку. Попробуйте другое описание или фото.",
    "deadline": "Сервис рисования не ответил вовремя.",
    "no_picture": "Сервис рисования не отдал картинку.",
    "undeliverable": "Telegram не принял готовую картинку.",
}


def order_failed(payload: Mapping[str, Any]) -> str:
    """An order that came to nothing; the one message that speaks of credits coming back."""
    why = _FAILURES.get(str(payload["reason"]), _FAILURES["provider"])
    return (
        f"😔 {why}\n\nКредиты возвращены ({payload['price']}), на балансе {credits_text(payload['balance'])}. "
        "Попробовать снова — /photo"
    )


def status(balance: int, plan: str | None, until: str | None) -> str:
    """The answer to /status; `until` as dd.mm.yyyy."""
    lines = [f"На балансе {credits_text(balance)}."]
    if plan and until:
        lines.append(f"Подписка: {plan_title(PLANS.get(plan), plan)}, действует по {until}.")
    else:
        lines.append("Активной подписки нет. Купить — /buy_subscription")
    return "\n".join(lines)


def plan_title(plan: Plan | None, key: str) -> str:
    """A plan in words: 200 ₽ — 10 кредитов."""
    return f"{roubles(plan.amount)} — {credits_text(plan.credits)}" if plan else escape(key)


PLANS_OFFER = "Сколько кредитов купить? Вместе с ними — подписка на 30 дней."
PAY_LATER = (
    "ЮKassa пока не отвечает. Нажмите на тариф ещё раз через минуту — второго платежа не будет. Если ссылка будет "
    "готова раньше, она придёт сюда сама."
)
PAY_REFUSED = "Оплата сейчас недоступна, мы уже разбираемся. Деньги не списаны; попробуйте ещё раз через минуту."


def pay(plan: Plan) -> str:
    """The message that holds the link."""
    return f"{plan_title(plan, plan.key)}. Нажмите «Оплатить» — откроется страница ЮKassa. Ссылка живёт около часа."


def payment_state(status: str | None) -> str:
    """How the newest payment stands, for somebody back from YooKassa's page."""
    states = {
        None: "Платежей пока нет. Купить кредиты — /buy_subscription",
        "succeeded": "Оплата прошла, кредиты на балансе: /status",
        "refunded": "По этому платежу сделан возврат, кредиты списаны: /status",
        "canceled": "Платёж отменён, деньги не списаны. Попробовать снова — /buy_subscription",
        "review": "Платёж получен, но требует проверки. Мы уже смотрим.",
    }
    return states.get(status, "Платёж ещё не подтверждён. Как только ЮKassa подтвердит его, я напишу сюда.")


def _payment_link(payload: Mapping[str, Any]) -> str:
    title = plan_title(PLANS.get(payload["plan"]), payload["plan"])
    return f"Ссылка для оплаты готова ({title}). Оплатить можно в течение часа."


def _payment_succeeded(payload: Mapping[str, Any]) -> str:
    return (
        f"✅ Оплата прошла: добавлено {credits_text(payload['credits'])}. "
        f"Теперь у вас {credits_text(payload['balance'])}. Подписка действует по {payload['until']}.\n"
        "Рисовать — /photo"
    )


def _payment_canceled(payload: Mapping[str, Any]) -> str:
    late = payload.get("reason") == "expired_on_confirmation"
    why = "Срок оплаты истёк" if late else "Платёж отменён"
    return f"{why} ({plan_title(PLANS.get(payload['plan']), payload['plan'])}). Деньги не списаны."


def _payment_refunded(payload: Mapping[str, Any]) -> str:
    end = " Подписка по этому платежу закончена." if payload["full"] else ""
    return (
        f"Возврат денег по платежу: списано {credits_text(payload['taken'])}, "
        f"на балансе {credits_text(payload['balance'])}.{end}"
    )


def _alert(payload: Mapping[str, Any]) -> str:
    return f"⚠️ {escape(str(payload['text']))}"


OWED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "order_failed": order_failed,
    "payment_link": _payment_link,
    "payment_succeeded": _payment_succeeded,
    "payment_canceled": _payment_canceled,
    "payment_refunded": _payment_refunded,
    "alert": _alert,
}
"""How a message of the outbox reads, by its kind (the picture itself aside)."""
