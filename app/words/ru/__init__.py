"""Russian."""

from app.words.ru.alerts import RussianAlerts
from app.words.ru.card import RussianCard
from app.words.ru.chat import RussianChat
from app.words.ru.examples import RussianExamples
from app.words.ru.history import RussianHistory
from app.words.ru.legal import RussianLegal
from app.words.ru.orders import RussianOrders
from app.words.ru.purchases import RussianPurchases
from app.words.ru.receipts import RussianReceipts
from app.words.ru.stars import RussianStars


class Russian(
    RussianChat,
    RussianExamples,
    RussianCard,
    RussianOrders,
    RussianHistory,
    RussianPurchases,
    RussianStars,
    RussianReceipts,
    RussianLegal,
    RussianAlerts,
):
    """All words in Russian."""
