"""Every setting and every outside URL, read once at start and validated as a whole."""

import os
import sys
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sentry_sdk.utils import Dsn

from app import paths
from app.addresses import address
from app.catalog import MODELS
from app.words.legal import Seller

_ODD = "cannot be read as an address (percent-encode an odd password)"
WAYS_TO_PAY = ("yookassa", "stars")
_YOOKASSA_KEYS = ("yookassa_shop_id", "yookassa_secret_key")
_KEYS = Annotated[tuple[str, ...], NoDecode]
_TELEGRAM_IDS = Annotated[tuple[int, ...], NoDecode]


def _railway_url() -> str:
    domain = os.environ.get("RAILWAY_PUBLIC_DOMAIN")
    return f"https://{domain}" if domain else ""


class Settings(BaseSettings):
    """The settings table of README.md; the environment wins over a `.env` beside `bot.py`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    # Before the addresses, whose validators look at it
    env: Literal["production", "local", "sandbox"] = "production"
    bot_token: SecretStr
    public_url: str = Field(default_factory=_railway_url, validate_default=True)
    webhook_secret: SecretStr
    database_url: str
    redis_url: str = Field(default="", validate_default=True)

    gen_api_key: SecretStr
    gen_api_url: str = "https://api.gen-api.ru/api/v1"
    models: _KEYS = ("gpt-image-1", "gpt-image-2")
    default_model: str = Field(default="", validate_default=True)
    # Before the keys, whose validators look at it
    payments: _KEYS = ("yookassa",)
    yookassa_shop_id: str = Field(default="", validate_default=True)
    yookassa_secret_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    yookassa_api_url: str = "https://api.yookassa.ru/v3"
    yookassa_oauth_token: SecretStr = SecretStr("")
    yookassa_receipt_email: str = ""
    yookassa_vat_code: int = Field(default=1, ge=1, le=12)
    yookassa_tax_system_code: int | None = Field(default=None, ge=1, le=6)
    telegram_api_url: str = "https://api.telegram.org"
    admin_ids: _TELEGRAM_IDS = ()

    seller_name: str = ""
    seller_inn: str = ""
    support_contact: str = ""
    terms_url: str = ""
    privacy_url: str = ""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside
    port: int = Field(default=8080, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    metrics_token: SecretStr = SecretStr("")
    sentry_dsn: str = ""

    generation_poll_after_s: float = Field(default=60, gt=0)
    generation_deadline_s: float = Field(default=900, gt=0)
    payment_poll_after_s: float = Field(default=60, gt=0)
    worker_tick_s: float = Field(default=1, gt=0)
    retention_days: int = Field(default=90, ge=1)
    db_pool_size: int = Field(default=10, ge=2)
    db_statement_cache: int = Field(default=100, ge=0)
    max_updates: int = Field(default=64, ge=1)
    webhook_check_s: float = Field(default=600, gt=0)
    max_waiting_orders: int = Field(default=500, ge=1)
    flood_burst: int = Field(default=60, ge=1)
    flood_per_s: float = Field(default=5, gt=0)

    @cached_property
    def yookassa_test(self) -> bool:
        """Whether the keys are a test shop's: only then is a test payment credited, and only such a one."""
        return self.yookassa_secret_key.get_secret_value().startswith("test_")

    @cached_property
    def sends_receipts(self) -> bool:
        """Whether what is sold by a link comes with a receipt by e-mail."""
        return "yookassa" in self.payments and self.yookassa_receipt_email != ""

    @cached_property
    def seller(self) -> Seller:
        """Who sells, for the texts that say so."""
        named = self.seller_name, self.seller_inn, self.support_contact, self.terms_url, self.privacy_url
        return Seller(*named, self.payments)

    @cached_property
    def telegram_webhook_url(self) -> str:
        """What Telegram is told to send updates to."""
        return f"{self.public_url}{paths.TELEGRAM_WEBHOOK}"

    @cached_property
    def yookassa_webhook_url(self) -> str:
        """What YooKassa is to send notifications to."""
        return f"{self.public_url}{paths.YOOKASSA_WEBHOOK}"

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every secret's value, for the log to blot out."""
        named = (
            self.bot_token,
            self.webhook_secret,
            self.gen_api_key,
            self.yookassa_secret_key,
            self.yookassa_oauth_token,
            self.metrics_token,
        )
        password = urlsplit(self.database_url).password, urlsplit(self.redis_url).password
        values = [secret.get_secret_value() for secret in named] + [word or "" for word in password]
        return tuple(value for value in values if len(value) >= 8)

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        """What is pasted brings a line break along."""
        return value.strip() if isinstance(value, str) else value

    @field_validator("gen_api_key", "yookassa_shop_id", "yookassa_secret_key", "yookassa_oauth_token")
    @classmethod
    def _fits_into_a_header[T: (str, SecretStr)](cls, value: T, info: ValidationInfo) -> T:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        # Where PAYMENTS is at fault, its own line says so
        through_yookassa = "yookassa" in info.data.get("payments", ())
        if not text and (info.field_name == "gen_api_key" or (through_yookassa and info.field_name in _YOOKASSA_KEYS)):
            raise ValueError("is required")
        if not text.isascii() or any(letter.isspace() or not letter.isprintable() for letter in text):
            raise ValueError("holds a space or a letter that no key has: copy it again")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _not_guessed(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value) < 16:
            raise ValueError("must have at least 16 characters, or be empty")
        return value

    @field_validator("admin_ids", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("payments")
    @classmethod
    def _ways_to_pay(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(way not in WAYS_TO_PAY for way in value):
            raise ValueError(f"must name ways to pay: {', '.join(WAYS_TO_PAY)}")
        return value

    @field_validator("models", "payments", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        return value

    @field_validator("models")
    @classmethod
    def _in_the_catalogue(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(key not in MODELS for key in value):
            raise ValueError(f"must name models of the catalogue: {', '.join(MODELS)}")
        return value

    @field_validator("default_model")
    @classmethod
    def _is_sold(cls, value: str, info: ValidationInfo) -> str:
        models: tuple[str, ...] = info.data.get("models", ())
        # Where MODELS is at fault, its own line says so
        if value and models and value not in models:
            raise ValueError("must be one of MODELS")
        return value or (models[0] if models else "")

    @field_validator("database_url")
    @classmethod
    def _postgres_url(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if scheme not in ("postgres", "postgresql") or not separator:
            raise ValueError("must start with postgresql://")
        url = f"postgresql://{rest}"
        # Several hosts may be named, each with a port of its own
        hosts = _split(url).netloc.rpartition("@")[2].split(",")
        ports = [host.rpartition("]")[2].rpartition(":")[2] for host in hosts if ":" in host.rpartition("]")[2]]
        if not all(port.isascii() and port.isdigit() for port in ports):
            raise ValueError(_ODD)
        return url

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("env") == "production":
            raise ValueError("is required when ENV=production")
        if value and _split(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must start with redis:// or rediss://")
        return value

    @field_validator("public_url", "gen_api_url", "yookassa_api_url", "telegram_api_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if not value:
            raise ValueError("is required")
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a http(s) URL")
        return value.rstrip("/")

    @field_validator("yookassa_receipt_email")
    @classmethod
    def _takes_letters(cls, value: str) -> str:
        if value and address(value) is None:
            raise ValueError("is no address of e-mail")
        return value

    @field_validator("terms_url", "privacy_url")
    @classmethod
    def _page(cls, value: str) -> str:
        if value and (_split(value).scheme not in ("http", "https") or not _split(value).hostname):
            raise ValueError("must be a http(s) URL")
        return value

    @field_validator("public_url")
    @classmethod
    def _secure(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("env") == "production" and not value.startswith("https://"):
            raise ValueError("must be https when ENV=production")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _sentry_dsn(cls, value: str) -> str:
        try:
            if value:
                Dsn(value)
        except ValueError:
            raise ValueError("is no DSN of Sentry") from None
        return value

    @field_validator("gen_api_url")
    @classmethod
    def _without_network(cls, value: str) -> str:
        return f"{value}/".partition("/networks/")[0].rstrip("/")

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, value: SecretStr) -> SecretStr:
        number, separator, rest = value.get_secret_value().partition(":")
        if not (number.isascii() and number.isdigit() and separator and rest) or " " in rest:
            raise ValueError("is not a bot token (123456:ABC…, from @BotFather)")
        return value


def _split(url: str) -> SplitResult:
    """The address in parts; what urllib says of one that it cannot read may quote the password."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, "," in parts.netloc or parts.port
    except ValueError:
        raise ValueError(_ODD) from None
    return parts


def load_settings() -> Settings:
    """Reads the settings, or says on stderr what is wrong, a line a fault, and exits with 2.

    No line holds a value, so none can show a secret.
    """
    try:
        return read_settings()
    except ValidationError as error:
        for name, message in faults(error):
            sys.stderr.write(f"{name}: {message}\n" if name else f"{message}\n")
        raise SystemExit(2) from None


def read_settings() -> Settings:
    """Reads the settings; raises pydantic's ValidationError. The sandbox must not pick real keys up from `.env`."""
    overrides: dict[str, Any] = {"_env_file": None} if os.environ.get("ENV") == "sandbox" else {}
    return Settings(**overrides)


def faults(error: ValidationError) -> list[tuple[str, str]]:
    """What is wrong, as (variable, message); the variable is empty where the message names it. No value is in it."""
    return [
        (
            "_".join(str(part) for part in fault["loc"][:1]).upper(),
            "is required" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
