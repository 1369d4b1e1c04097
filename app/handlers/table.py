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


def dispatcher(turns: Turns, visits: Visits) -> Dispatcher:
    """aiogram's dispatcher: the person's turn, what they have begun, who they are, and then the handler."""
    made = Dispatcher(storage=turns, events_isolation=turns)
    made.update.outer_middleware(Conversing())
    made.update.outer_middleware(visits)
    made.include_routers(
        stars.router(),
        groups.router(),
        shop.router(),
        receipts.router(),
        start.router(),
        examples.router(),
        status.router(),
        texts.router(),
        language.router(),
        history.router(),
        result.router(),
        collecting.router(),
        card.router(),
        # The last: whatever is left
        errors.router(),
    )
    return made
