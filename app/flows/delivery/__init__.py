"""Delivery: what the outbox owes reaches the person. Nobody waits for somebody else's trouble."""
