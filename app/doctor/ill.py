"""What a check says that is not simply well."""


class Ill(Exception):
    """A check that fails; the text says what was found and what to do."""


class Doubtful(Exception):
    """A check that does not fail, but an operator should know what the text says."""
