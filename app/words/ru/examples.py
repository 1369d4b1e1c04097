"""Examples in Russian."""

from app.words.examples import Examples


class RussianExamples(Examples):
    examples_button = "Примеры"
    example_of_a_photo = (
        "📷 Фото кота и описание:\n"
        "<i>Портрет моего кота акварелью: тёплые пятна краски, рваный край, бумага с зерном</i>"
    )
    example_without_a_photo = (
        "✍️ Без фото, только описание:\n"
        "<i>Маяк на скале, закат над морем, плоский плакат в лиловых и красных тонах</i>\n\n"
        "Эти две картинки подобраны для примера, модель нарисует по-своему. "
        "Пришлите фото с подписью — или начните с /photo"
    )
