"""The operator's self-check, `python -m app.doctor`."""
