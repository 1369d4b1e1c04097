"""Telegram, gen-api and YooKassa as small real servers: for trying the bot out, and for its tests."""
