"""An order in Russian."""

from collections.abc import Sequence
from html import escape

from app.catalog import PRICE, PROMPT_LIMIT
from app.words.orders import Orders
from app.words.ru.numbers import about, credits, minutes

_TOO_LARGE = "Картинка слишком большая: можно до 20 МБ и до 50 миллионов точек. Пришлите её как фото или файл поменьше."

_FAILURES = {
    "not_a_picture": "Это не картинка или файл повреждён. Пришлите фото или файл JPEG, PNG или WEBP.",
    "too_large": _TOO_LARGE,
    "file_gone": "Не удалось скачать вашу картинку из Telegram. Пришлите её ещё раз.",
    "refused": "Сервис рисования не принял заказ. Измените описание или выберите другую модель.",
    "model_gone": "Эта модель больше не рисует.",
    "provider": "Сервис рисования не смог нарисовать эту картинку. Попробуйте другое описание или фото.",
    "deadline": "Сервис рисования не ответил вовремя. Закажите ещё раз чуть позже.",
    "no_picture": "Сервис рисования не отдал картинку. Закажите её ещё раз.",
    "undeliverable": "Telegram не принял готовую картинку. Выберите другой размер или модель.",
}


class RussianOrders(Orders):
    ask_both = (
        "Пришлите картинку (как фото или как файл) и описание того, что нарисовать, "
        "— одним сообщением с подписью или двумя, в любом порядке."
    )
    ask_picture = "Описание есть. Теперь пришлите картинку — как фото или как файл JPEG, PNG или WEBP."
    ask_prompt = "Картинка есть. Теперь опишите словами, что нарисовать."
    not_a_picture = "Здесь нужна картинка: пришлите её как фото или как файл JPEG, PNG или WEBP."
    video_instead = "Видео я не умею. Пришлите картинку — как фото или как файл JPEG, PNG или WEBP."
    heic_instead = "Формат HEIC я не читаю. Пришлите картинку как фото — Telegram сам её преобразует — или файлом JPEG."
    too_large = _TOO_LARGE
    empty_prompt = "Описание пустое. Напишите словами, что нарисовать."
    long_prompt = f"Описание слишком длинное: можно до {PROMPT_LIMIT} знаков. Сократите его, пожалуйста."
    card_old = "Эта карточка устарела. Начните снова: /photo"
    card_cancelled = "Заказ отменён, кредиты не списаны. Начать снова — /photo"
    card_used = "По этой карточке заказ уже сделан. Ещё картинка — /photo"
    order_accepted = "Заказ принят"
    order_done = "✅ Готово, картинка ниже."
    order_not_drawn = "😔 Картинка не получилась. Что случилось и что делать — в сообщении ниже."
    declined_busy = "Сейчас слишком много заказов. Попробуйте через несколько минут — ничего не списано."
    declined_provider = (
        "Рисование временно недоступно: сервис не принимает заказы. Мы уже разбираемся. "
        "Попробуйте через несколько минут — ничего не списано."
    )

    cancel_button = "❌ Отменить"
    resume_button = "Продолжить"

    def order_button(self, price: int) -> str:
        return f"✅ Нарисовать · {credits(price)}"

    def order_queued(self, place: int, usual_s: float | None, left_s: float | None) -> str:
        usual = f" Сама картинка сейчас рисуется {about(usual_s)}." if usual_s is not None else ""
        return f"⏳ В очереди, место {place}.{usual}{_or_else(left_s)}"

    def order_drawing(self, usual_s: float | None) -> str:
        if usual_s is None:
            return "⏳ Рисую… Как только картинка будет готова, она придёт сюда."
        return f"⏳ Рисую… Сейчас на такую картинку уходит {about(usual_s)}."

    def order_late(self, usual_s: float | None, left_s: float) -> str:
        usual = f" (обычно {about(usual_s)})" if usual_s is not None else ""
        return f"⏳ Всё ещё рисую — дольше обычного{usual}.{_or_else(left_s)}"

    def ordered(self, stands: str, prompt: str | None, size: str, price: int, balance: int) -> str:
        what = f"{escape(prompt)}\n" if prompt else ""
        return f"{stands}\n\n{what}Размер: {size}\nСписано: {credits(price)}. Осталось: {credits(balance)}."

    def too_few(self, balance: int, price: int) -> str:
        return (
            f"Не хватает кредитов: у вас {credits(balance)}, а картинка стоит {credits(price)}.\n"
            "Пополнить — /buy_subscription. Потом вернитесь к карточке и нажмите «✅» ещё раз."
        )

    def model_button(self, title: str, price: int, lowest: bool) -> str:
        if lowest:
            return f"🤖 {title} · от {price}"
        return f"🤖 {title}" if price == PRICE else f"🤖 {title} · {credits(price)}"

    def model_off(self, offer: Sequence[str]) -> str:
        if not offer:
            return "Сейчас не рисует ни одна модель, мы уже разбираемся. Попробуйте позже — ничего не списано."
        return f"Эта модель сейчас не рисует. Выберите на карточке другую: {_titles(offer)}. Ничего не списано."

    def order_failed(self, reason: str, price: int, balance: int, picture: int | None, offer: Sequence[str]) -> str:
        why = _FAILURES.get(reason, _FAILURES["provider"])
        if picture is not None:
            why = f"Картинка № {picture}: {why}"
        if offer:
            why = f"{why} Выберите другую: {_titles(offer)}."
        return f"😔 {why}\n\nКредиты возвращены ({price}), на балансе {credits(balance)}. Попробовать снова — /photo"


def _or_else(left_s: float | None) -> str:
    return (
        f" Если картинки не будет ещё {minutes(left_s)}, кредиты снова окажутся на балансе."
        if left_s is not None
        else ""
    )


def _titles(models: Sequence[str]) -> str:
    return ", ".join(map(escape, models))
