"""What a failed check says."""


class Ill(Exception):
    """A check that fails; the text says what was found and what to do."""
