"""Where the bot is called from outside; `PUBLIC_URL` goes before."""

TELEGRAM_WEBHOOK = "/telegram/webhook"
GEN_CALLBACK = "/gen/callback"
YOOKASSA_WEBHOOK = "/yookassa/webhook"
