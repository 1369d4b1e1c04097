"""What proves a call from outside to be genuine, all of it derived from WEBHOOK_SECRET."""

import hmac
from urllib.parse import urlencode
from uuid import UUID

from app import paths


def telegram_secret(secret: str) -> str:
    """The `secret_token` of the Telegram webhook: 64 hex digits, within the alphabet Telegram takes."""
    return _hmac(secret, "telegram")


def callback_url(public_url: str, secret: str, generation_id: UUID) -> str:
    """Where gen-api reports on one generation; the address carries its own proof."""
    query = urlencode({"generation": str(generation_id), "proof": callback_proof(secret, generation_id)})
    return f"{public_url}{paths.GEN_CALLBACK}?{query}"


def callback_proof(secret: str, generation_id: UUID) -> str:
    """The proof that a callback is about this generation: 64 hex digits."""
    return _hmac(secret, f"callback:{generation_id}")


def proof_holds(secret: str, generation_id_text: str, proof: str) -> UUID | None:
    """The generation a callback is proven to be about, else None; takes any text without raising."""
    try:
        generation_id = UUID(generation_id_text)
    except ValueError:
        return None
    expected = callback_proof(secret, generation_id).encode()
    # compare_digest refuses non-ASCII text, and a query may hold any: bytes it is
    return generation_id if hmac.compare_digest(expected, proof.encode("utf-8", "surrogatepass")) else None


def source_url(public_url: str, secret: str, generation_id: UUID, number: int, filename: str) -> str:
    """Where gen-api fetches one of an order's pictures; the first is number 1, and the ending is that of `filename`."""
    suffix = filename.rpartition(".")[2]
    query = urlencode({"proof": source_proof(secret, generation_id, number)})
    return f"{public_url}{paths.GEN_SOURCE}/{generation_id}/{number}.{suffix}?{query}"


def source_proof(secret: str, generation_id: UUID, number: int) -> str:
    """The proof that whoever asks for this picture was given its address: 64 hex digits."""
    return _hmac(secret, f"source:{generation_id}:{number}")


def source_proof_holds(secret: str, generation_id: UUID, number: int, proof: str) -> bool:
    """Whether the proof is this picture's; takes any text without raising."""
    expected = source_proof(secret, generation_id, number).encode()
    return hmac.compare_digest(expected, proof.encode("utf-8", "surrogatepass"))


def _hmac(secret: str, label: str) -> str:
    return hmac.digest(secret.encode(), label.encode(), "sha256").hex()
