"""Terms and privacy in Russian."""

from html import escape

from app.catalog import PLANS, PRICE, SUBSCRIPTION_DAYS, Plan
from app.words.legal import Legal, Seller
from app.words.ru.numbers import credits, credits_from, money, plural

_DAYS = ("день", "дня", "дней")

_MONEY_BACK = (
    "Вернуть можно весь платёж или его часть. Деньги приходят тем же путём, каким вы платили. Вместе с ними с баланса "
    "списываются кредиты этого платежа — той же долей, с округлением в вашу пользу и насколько их хватает; недостающие "
    "спишутся с тех, что придут позже. Полный возврат заканчивает подписку по этому платежу."
)


_PAYING = {
    "yookassa": "Картой и другими способами ЮKassa, на её странице: данных вашей карты бот не видит. "
    "Кредиты появляются, когда ЮKassa подтвердит платёж.",
    "stars": "Звёздами Telegram, счётом в этом чате: кредиты появляются сразу.",
}
_YOOKASSA_SEES = "ЮKassa — сумму, назначение, ваш номер в Telegram и адрес для чеков, если он назван; "


class RussianLegal(Legal):
    def terms(self, seller: Seller) -> str:
        prices = "\n".join(f"• {_price(plan, seller)} — {credits(plan.credits)}" for plan in PLANS.values())
        days = f"{SUBSCRIPTION_DAYS} {plural(SUBSCRIPTION_DAYS, *_DAYS)}"
        return "\n\n".join(
            (
                f"<b>Условия</b>\n{_seller(seller)}",
                f"<b>Что продаётся.</b> Кредиты, которыми здесь оплачиваются картинки, и подписка на {days}:\n{prices}"
                f"\nКартинка стоит от {credits_from(PRICE)}, точная цена — на карточке до заказа. Кредиты не сгорают.",
                "<b>Заказ.</b> Цена списывается один раз, когда вы нажимаете «✅». Рисует программа, поэтому результат "
                "нельзя предсказать до мелочей. Если картинки не получилось, кредиты возвращаются на баланс сами.",
                f"<b>Оплата.</b> {' '.join(_PAYING[way] for way in seller.ways)}",
                f"<b>Возврат денег.</b> {_MONEY_BACK} Куда обратиться — /paysupport",
                "<b>Что присылать.</b> Только то, на что у вас есть право и что не нарушает закон.",
                f"Ваши данные — /privacy{_whole(seller.terms_url)}",
            )
        )

    def privacy(self, seller: Seller, retention_days: int) -> str:
        days = f"{retention_days} {plural(retention_days, *_DAYS)}"
        return "\n\n".join(
            (
                f"<b>Ваши данные</b>\n{_seller(seller)}",
                "<b>Что хранится.</b> Ваш номер в Telegram и язык; описания ваших заказов, номера файлов с вашими и "
                "готовыми картинками, ссылки на готовые; движения кредитов; платежи: когда, сколько, за что; адрес "
                "для чеков, если вы его назвали (/email). В журнале "
                "работы — ваш номер, без описаний. Имени, телефона и данных карты у бота нет. Сами картинки лежат в "
                "Telegram и у сервиса рисования, а не здесь.",
                "<b>Откуда и зачем.</b> Это приходит от Telegram с вашими сообщениями и нужно, чтобы нарисовать заказ "
                "и вести баланс и платежи.",
                f"<b>Сколько.</b> Описания, номера файлов и ссылки — {days} после окончания заказа. Начатый и не "
                "сделанный заказ — 7 дней. Движения кредитов и платежи — сколько требует учёт: по ним проверяется "
                "баланс.",
                "<b>Кто ещё видит.</b> Сервис рисования gen-api.ru получает описание и картинки заказа; "
                f"{_YOOKASSA_SEES if 'yookassa' in seller.ways else ''}Telegram — всё, что в этом чате.",
                "<b>Как удалить.</b> /forget сразу стирает описания, номера файлов, ссылки и адрес для чеков; у "
                "заказа, который ещё "
                "выполняется, — как только он закончится. Баланс, движения и платежи остаются. Сообщения этого чата "
                "удаляются в самом Telegram.",
                f"Вопросы — /support{_whole(seller.privacy_url)}",
            )
        )

    def support(self, seller: Seller) -> str:
        return (
            f"{_contact(seller)}\n\n"
            "Сначала загляните в /help — там рассказано, как сделать заказ, и в /status — там баланс и подписка. "
            "О платежах — /paysupport"
        )

    def paysupport(self, seller: Seller) -> str:
        return (
            f"<b>Вопросы об оплате</b>\n{_contact(seller)}\nНапишите день и сумму платежа и чем он оплачен.\n\n"
            f"<b>Возврат денег.</b> {_MONEY_BACK}\n\n"
            "Поддержка Telegram с покупками в этом боте не поможет. Условия — /terms"
        )


def _price(plan: Plan, seller: Seller) -> str:
    amounts = {"yookassa": money(plan.amount, "RUB"), "stars": money(plan.stars, "XTR")}
    return " / ".join(amounts[way] for way in seller.ways)


def _seller(seller: Seller) -> str:
    inn = f", ИНН {escape(seller.inn)}" if seller.inn else ""
    return f"Продавец: {escape(seller.name) or 'не назван'}{inn}"


def _contact(seller: Seller) -> str:
    where = f"Напишите нам: {escape(seller.contact)}" if seller.contact else "Адрес для вопросов пока не назван."
    return f"{where}\n{_seller(seller)}"


def _whole(url: str) -> str:
    return f"\n\nПолный текст, он важнее этого краткого: {escape(url)}" if url else ""
