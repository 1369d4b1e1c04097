"""Every sentence a person sees, in Russian, as Telegram HTML. What people wrote themselves is escaped here."""

from datetime import date, datetime
from html import escape

from app.catalog import MODELS, MOSCOW, PLANS, PRICE, PROMPT_LIMIT, WELCOME_CREDITS, Plan
from app.notices import Difference

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


def day(instant: datetime) -> str:
    """The day of an instant in Moscow, as dd.mm.yyyy."""
    return date_text(instant.astimezone(MOSCOW).date())


def date_text(day: date) -> str:
    """A day of the calendar, as dd.mm.yyyy."""
    return day.strftime("%d.%m.%Y")


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


def order_failed(reason: str, price: int, balance: int) -> str:
    """An order that came to nothing; the one message that speaks of credits coming back."""
    why = _FAILURES.get(reason, _FAILURES["provider"])
    return f"😔 {why}\n\nКредиты возвращены ({price}), на балансе {credits_text(balance)}. Попробовать снова — /photo"


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


def payment_link(plan: str) -> str:
    """A link that nobody waited for any more."""
    return f"Ссылка для оплаты готова ({plan_title(PLANS.get(plan), plan)}). Оплатить можно в течение часа."


def payment_succeeded(credits: int, balance: int, until: date) -> str:
    """Credits that were bought; `until` is the last day of the subscription."""
    return (
        f"✅ Оплата прошла: добавлено {credits_text(credits)}. "
        f"Теперь у вас {credits_text(balance)}. Подписка действует по {date_text(until)}.\n"
        "Рисовать — /photo"
    )


def payment_canceled(plan: str, reason: str) -> str:
    """A payment that nothing came of; `reason` is YooKassa's word."""
    why = "Срок оплаты истёк" if reason == "expired_on_confirmation" else "Платёж отменён"
    return f"{why} ({plan_title(PLANS.get(plan), plan)}). Деньги не списаны."


def payment_refunded(taken: int, balance: int, full: bool) -> str:
    """Credits that a refund took back."""
    end = " Подписка по этому платежу закончена." if full else ""
    return f"Возврат денег по платежу: списано {credits_text(taken)}, на балансе {credits_text(balance)}.{end}"


def alert(text: str) -> str:
    """What the operators are told."""
    return f"⚠️ {escape(text)}"


def alert_checkout_refused(status: int) -> str:
    """YooKassa makes no payment."""
    return alert(f"ЮKassa отвечает {status} на создание платежа: проверьте ключи и настройки чеков.")


def alert_payment_in_review(payment: str, difference: Difference, kopecks: int, currency: str) -> str:
    """A paid payment that is not the one that was ordered."""
    what = {
        Difference.AMOUNT: f"сумма {roubles(kopecks)} {currency}",
        Difference.SHOP: "другой магазин",
        Difference.TEST: "тестовый платёж",
        Difference.NOT_TEST: "не тестовый платёж",
    }[difference]
    return alert(f"Платёж {payment} оплачен, но отличается: {what}. Ничего не начислено.")


def alert_payment_late(payment: str, status: str) -> str:
    """A payment that was paid after it had ended."""
    return alert(f"Платёж {payment} оплачен, хотя уже закрыт ({status}). Ничего не начислено.")


def alert_provider_refuses(status: int) -> str:
    """gen-api refuses us as customers."""
    return alert(f"gen-api отвечает {status}: заказы остановлены, проба раз в 30 с. Проверьте ключ и баланс.")


def alert_picture_refused(order: str) -> str:
    """A result that Telegram takes in no form."""
    return alert(f"Telegram не принял картинку заказа {order}, кредиты отданы назад.")
