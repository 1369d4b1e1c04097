"""Check of the receipts that the shop's buyers get."""

from app.doctor.ill import Doubtful
from app.settings import Settings

_OF_THE_PAST = {4: 11, 6: 12}
"""VAT of 20 % and 20/120: from 2026 new sales carry 22 % (11) and 22/122 (12) in their place."""


async def receipts_are_of_today(settings: Settings) -> str:
    """The code of VAT is one that new sales can have."""
    if not settings.sends_receipts:
        return "none are sent (YOOKASSA_RECEIPT_EMAIL is not set)"
    code = settings.yookassa_vat_code
    if code in _OF_THE_PAST:
        raise Doubtful(
            f"YOOKASSA_VAT_CODE={code} is for sales of before 2026: new ones carry 22 % where they carried 20 %, "
            f"which is {_OF_THE_PAST[code]}"
        )
    return f"sent with vat_code {code}; without an address of the buyer's to {settings.yookassa_receipt_email}"
