"""Who handles what: the first of these that an update fits. Made anew for each application."""

from aiogram import Dispatcher

from app.conversation import Conversing
from app.handlers import (
    card,
    collecting,
    errors,
    examples,
    groups,
    history,
    language,
    receipts,
    result,
    shop,
    stars,
    start,
    status,
    texts,
)
from app.handlers.visitor import Visits
from app.turns import Turns

_TOPICS = (
    stars,
    groups,
    # What is pressed and asked most; the order of the rest matters to nobody but where it is said
    card,
    status,
    shop,
    receipts,
    start,
    examples,
    texts,
    language,
    history,
    result,
    collecting,
    # The last: whatever is left
    errors,
)


def dispatcher(turns: Turns, visits: Visits) -> Dispatcher:
    """aiogram's dispatcher: the person's turn, what they have begun, who they are, and then the handler."""
    made = Dispatcher(storage=turns, events_isolation=turns)
    made.update.outer_middleware(Conversing())
    made.update.outer_middleware(visits)
    # On the dispatcher itself: an update passes by every router that is asked before its own
    for topic in _TOPICS:
        topic.register(made)
    return made
