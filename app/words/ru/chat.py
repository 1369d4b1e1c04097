"""The ways in and out in Russian."""

from app.catalog import MOST_SOURCES, PRICE, WELCOME_CREDITS
from app.words.chat import Chat, Commands
from app.words.ru.numbers import credits, credits_from

_HOW = (
    "/photo — нарисовать новую картинку по вашему фото и описанию\n"
    "/buy_subscription — купить кредиты\n"
    "/status — баланс и подписка\n"
    "/history — ваши картинки"
)


class RussianChat(Chat):
    commands = Commands(
        start="Начать",
        photo="Нарисовать картинку",
        buy_subscription="Купить кредиты",
        status="Баланс и подписка",
        history="Мои картинки",
        language="Язык / Language",
        support="Спросить о чём угодно",
        help="Как это работает",
        cancel="Отменить начатое",
        forget="Удалить мои описания и фото",
    )
    help = (
        "Пришлите фото и напишите в подписи, что из него сделать. В одном заказе может быть до "
        f"{MOST_SOURCES} фото или ни одного: тогда пришлите /photo, описание и нажмите «🖼». "
        "На карточке выберите модель, размер и стиль и нажмите «✅ Нарисовать»: картинка придёт сюда же.\n\n"
        f"Новым людям я даю {credits(WELCOME_CREDITS)}, картинка стоит от {credits_from(PRICE)}, цена — на карточке. "
        "Если что-то не получится, кредиты снова окажутся на балансе.\n\n"
        f"{_HOW}\n/cancel — отменить начатое\n/forget — удалить мои описания и фото\n"
        "/language — язык, language\n/support — спросить, /paysupport — об оплате\n"
        "/terms — условия, /privacy — о ваших данных"
    )
    cancelled = "Отменено. Чтобы начать снова — /photo"
    nothing_to_cancel = "Отменять нечего. Начать — /photo"
    forgotten = (
        "Готово: описания, фото, ссылки и имена файлов ваших заказов и адрес для чеков удалены, /history теперь пуста. "
        "Если заказ ещё выполняется, его данные сотрутся сразу после. Баланс и платежи остаются. Рисовать — /photo"
    )
    unknown_command = "Такой команды я не знаю.\n\n" + _HOW
    start_with_photo = "Чтобы нарисовать картинку, пришлите фото с подписью или начните с команды /photo"
    apology = "Что-то сломалось у меня внутри. Мы уже знаем; попробуйте ещё раз чуть позже. Если повторится — /support"
    slow_down = "Слишком быстро, я не успеваю. Подождите пару секунд и повторите."
    button_unknown = "Эта кнопка больше не работает. Начните снова: /photo"
    ask_language = "Выберите язык. Choose your language."
    language_chosen = "Теперь я говорю по-русски. Рисовать — /photo"

    language_button = "🇷🇺 Русский"

    def greeting(self, balance: int) -> str:
        return (
            "Привет! Я рисую картинки: пришлите фото и опишите, что из него сделать.\n\n"
            f"У вас {credits(balance)}. Картинка стоит от {credits_from(PRICE)}.\n\n{_HOW}"
        )

    def group(self, bot: str) -> str:
        return f'Я рисую только в личном чате: <a href="https://t.me/{bot}">откройте его</a> и нажмите «Начать».'
