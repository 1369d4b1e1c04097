"""Everything a laptop needs to run the bot: PostgreSQL, Redis, the sandbox, the tests. Never deployed."""
