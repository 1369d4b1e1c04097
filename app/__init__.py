"""The bot. `app.main.create_app` puts it together; `python bot.py` runs it."""
