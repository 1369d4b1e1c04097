"""English."""

from app.words.en.alerts import EnglishAlerts
from app.words.en.card import EnglishCard
from app.words.en.chat import EnglishChat
from app.words.en.examples import EnglishExamples
from app.words.en.history import EnglishHistory
from app.words.en.legal import EnglishLegal
from app.words.en.orders import EnglishOrders
from app.words.en.purchases import EnglishPurchases
from app.words.en.receipts import EnglishReceipts
from app.words.en.stars import EnglishStars


class English(
    EnglishChat,
    EnglishExamples,
    EnglishCard,
    EnglishOrders,
    EnglishHistory,
    EnglishPurchases,
    EnglishStars,
    EnglishReceipts,
    EnglishLegal,
    EnglishAlerts,
):
    """All words in English."""
