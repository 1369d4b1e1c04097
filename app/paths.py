"""Where the bot is called from outside; `PUBLIC_URL` goes before."""

TELEGRAM_WEBHOOK = "/telegram/webhook"
GEN_CALLBACK = "/gen/callback"
GEN_SOURCE = "/gen/source"
YOOKASSA_WEBHOOK = "/yookassa/webhook"
