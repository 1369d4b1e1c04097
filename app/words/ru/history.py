"""What a person has got, in Russian."""

from collections.abc import Sequence
from html import escape

from app.words.dates import day_text
from app.words.history import History, Moved, Shown
from app.words.ru.numbers import credits
from app.words.shorten import shortened

_REASONS = {
    "welcome": "подарок новичку",
    "order": "картинка",
    "order_refund": "возврат за картинку",
    "purchase": "покупка",
    "purchase_refund": "возврат денег за покупку",
}


class RussianHistory(History):
    again_button = "🔁 Ещё раз"
    change_button = "✏️ Изменить"
    original_button = "📎 Файл без сжатия"
    movements_button = "📒 Движение кредитов"
    newer_button = "← Новее"
    older_button = "→ Раньше"

    ask_change = "Что изменить в этой картинке? Опишите словами — и я покажу новую карточку с ценой."
    picture_unknown = "Этой картинки у меня больше нет. Нарисовать новую — /photo"
    picture_gone = "Эту картинку уже не достать. Пришлите её сюда сами и опишите, что изменить."
    original_coming = "Файл скоро придёт, это бесплатно"
    original_gone = "Файла без сжатия больше ни у кого нет. Картинка в чате остаётся; ничего не списано."
    original_perhaps = "Кажется, файл отправлен. Если его нет — нажмите «📎» ещё раз, это бесплатно."
    history_empty = "История пуста: картинок пока нет. Нарисовать — /photo"

    def history(self, pictures: Sequence[Shown]) -> str:
        lines = (
            f"<b>{number}.</b> {escape(shortened(one.prompt, 120))}\n"
            f"{day_text(one.day)} · {escape(one.model)} · {one.size}"
            for number, one in enumerate(pictures, 1)
        )
        return "<b>Ваши картинки</b>\nНажмите на картинку — пришлю её ещё раз, бесплатно.\n\n" + "\n\n".join(lines)

    def history_button(self, number: int, prompt: str) -> str:
        return f"{number}. {shortened(prompt, 40)}"

    def movements(self, entries: Sequence[Moved]) -> str:
        lines = (
            f"{day_text(one.day)} · <b>{one.delta:+d}</b> · {_REASONS.get(one.reason, 'изменение баланса')}, "
            f"стало {credits(one.balance)}"
            for one in entries
        )
        return "<b>Движение кредитов</b>\n\n" + "\n".join(lines)
