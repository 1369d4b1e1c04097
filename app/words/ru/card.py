"""The order card in Russian."""

from collections.abc import Mapping
from html import escape

from app.catalog import MOST_SOURCES
from app.words.card import Card
from app.words.ru.numbers import credits


class RussianCard(Card):
    styles: Mapping[str, str] = {
        "studio": "Фотостудия",
        "anime": "Аниме",
        "oil": "Масло",
        "watercolour": "Акварель",
        "figure": "3D-фигурка",
        "comic": "Комикс",
        "pencil": "Карандаш",
        "interior": "Интерьер",
    }
    qualities: Mapping[str, str] = {
        "low": "Простое",
        "medium": "Среднее",
        "high": "Высокое",
        "standard": "Обычное",
    }

    no_picture_button = "🖼 Без картинки"
    add_button = "➕ Ещё картинка"
    styles_button = "🎨 Стиль"
    no_style_button = "🚫 Без стиля"
    back_button = "← К карточке"

    ask_one_more = "Пришлите ещё одну картинку — как фото или как файл JPEG, PNG или WEBP."
    album_full = f"В одном заказе до {MOST_SOURCES} картинок: беру первые, остальные пропускаю."
    album_over = (
        "Карточка этого альбома уже закрыта, и эта картинка в неё не вошла. "
        "Чтобы начать с ней новый заказ, пришлите её отдельно."
    )

    def card(
        self,
        prompt: str,
        pictures: int,
        used: int,
        model: str,
        quality: str | None,
        size: str,
        style: str | None,
        price: int,
    ) -> str:
        lines = [f"<b>Заказ</b>\n{escape(prompt)}\n", _pictures(pictures, used), f"Модель: {escape(model)}"]
        if quality:
            lines.append(f"Качество: {self.qualities.get(quality, quality)}")
        lines.append(f"Размер: {size}")
        if style:
            lines.append(f"Стиль: {self.styles.get(style, style)}")
        return "\n".join([*lines, f"Цена: {credits(price)}"])

    def quality_button(self, quality: str, price: int) -> str:
        return f"{self.qualities.get(quality, quality)} · {price}"

    def added(self, pictures: int) -> str:
        return f"Картинка добавлена, теперь их {pictures}. Заказать можно на карточке."

    def price_changed(self, price: int) -> str:
        return f"Цена изменилась: теперь {credits(price)}. Ничего не списано. Если подходит, нажмите «✅» ещё раз."


def _pictures(pictures: int, used: int) -> str:
    if not pictures:
        return "Без картинки, только по описанию"
    if used == pictures:
        return f"Картинки: {pictures}"
    taken = {0: "рисует без них", 1: "берёт только первую"}.get(used, f"берёт первые {used}")
    return f"Картинки: {pictures}, эта модель {taken}"
