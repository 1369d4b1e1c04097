"""Long texts where there is little room."""


def shortened(text: str, most: int) -> str:
    """The text on one line, of at most so many characters; an ellipsis stands for what was left out."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
