"""Changes that a program thinks of, one at a time, and whether a test notices."""
