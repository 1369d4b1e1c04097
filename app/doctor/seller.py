"""Check of what people must be able to read: who sells, and whom to ask."""

from app.doctor.ill import Ill
from app.settings import Settings


async def seller_is_named(settings: Settings) -> str:
    """In production the texts of /terms and /paysupport name somebody."""
    named = {
        "SELLER_NAME": settings.seller_name,
        "SELLER_INN": settings.seller_inn,
        "SUPPORT_CONTACT": settings.support_contact,
    }
    missing = ", ".join(name for name, value in named.items() if not value)
    if not missing:
        return f"{settings.seller_name}, questions go to {settings.support_contact}"
    if settings.env != "production":
        return f"{missing} not set, which is well outside production only"
    raise Ill(f"{missing} not set: people must be able to read who sells and whom to ask (docs/legal.md)")
