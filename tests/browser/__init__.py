"""The sandbox page in a real browser: orders, purchases and faults by clicks."""
