"""Mutants of `sql/`: each condition taken out of each statement, and each of what GREATEST and its like choose from.

What is taken out stays where it is and counts for nothing: `(condition OR true)`. So every parameter keeps its type.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant, numbered

_PART = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)
_TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\$?\w+|::|<>|<=|>=|\|\||\S")
_CHOICES = ("GREATEST", "LEAST", "COALESCE")
_ENDS = {
    "GROUP",
    "ORDER",
    "LIMIT",
    "RETURNING",
    "UNION",
    "HAVING",
    "WINDOW",
    "FOR",
    "THEN",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
}
_ENDS |= {"INNER", "CROSS", "WHERE", "ON", "WHEN", "ELSE", ";"}


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


def mutants(root: Path) -> list[Mutant]:
    """All of them, statement by statement."""
    found: list[Mutant] = []
    callers = _callers(root)
    for path in sorted((root / "sql").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        parts = list(_PART.finditer(text))
        for part, end in zip(parts, [*(each.start() for each in parts[1:]), len(text)], strict=True):
            if part[1] == "fragment":
                continue
            name = f"{path.stem}.{part[2]}"
            module, lines = callers[name]
            for start, stop, instead, what in _changes(text, part.end(), end):
                at, to = len(text[:start].encode()), len(text[:stop].encode())
                change = instead.encode()
                found.append(Mutant("sql", f"{name}: {what}", f"sql/{path.name}", at, to, change, module, lines))
    return numbered(found)


def statement(text: str, name: str) -> str:
    """The statement of that name in the text of a file, with its fragments."""
    parts = _PART.split(text)[1:]
    kinds = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    found = next(body for kind, verb, body in kinds if (kind, verb) == ("name", name))
    for kind, fragment, body in kinds:
        if kind == "fragment":
            found = found.replace(f"{{{fragment}}}", body.strip())
    return found.strip().rstrip(";")


def _callers(root: Path) -> dict[str, tuple[str, frozenset[int]]]:
    """By statement: the module that runs it, and the lines where."""
    found: dict[str, tuple[str, frozenset[int]]] = {}
    for path in sorted((root / "app" / "repo").glob("*.py")):
        tree = ast.parse(path.read_bytes())
        meanings: dict[str, set[str]] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names = {each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
                used = (meanings.get(each.id, set()) for each in ast.walk(node.value) if isinstance(each, ast.Name))
                asked = {str(name) for name in names if re.fullmatch(r"\w+\.\w+", str(name))}
                meanings[node.targets[0].id] = asked.union(*used)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for word in ast.walk(function):
                    if isinstance(word, ast.Name):
                        for name in meanings.get(word.id, ()):
                            _, lines = found.get(name, ("", frozenset()))
                            found[name] = (path.relative_to(root).as_posix(), lines | {word.lineno})
    return found


def _changes(text: str, start: int, end: int) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, instead, what) of each change of the statement that stands from `start` to `end`."""
    tokens = [
        _Token(match[0], start + match.start(), start + match.end())
        for match in _TOKEN.finditer(text[start:end])
        if not match[0].startswith("--")
    ]
    for index, token in enumerate(tokens):
        word, then = token.text.upper(), tokens[index + 1 : index + 3]
        if word in ("WHERE", "HAVING", "WHEN") or (word == "ON" and then[0].text.upper() != "CONFLICT"):
            condition = tokens[index + 1 : _extent(tokens, index + 1)]
            for operand, neutral in _operands(condition, "OR true" if word != "WHEN" else ""):
                yield _counted_for_nothing(text, operand, neutral)
            if word == "WHEN":
                for neutral in ("OR true", "AND false"):
                    yield _counted_for_nothing(text, condition, neutral)
        elif word in _CHOICES and then[0].text == "(":
            inside = tokens[index + 2 : _extent(tokens, index + 2)]
            for choice in _split(inside, ","):
                source = text[choice[0].start : choice[-1].end]
                what = f"{word} without {_short(source)}"
                yield choice[0].start, choice[-1].end, f"CASE WHEN false THEN {source} END", what


def _counted_for_nothing(text: str, operand: Sequence[_Token], neutral: str) -> tuple[int, int, str, str]:
    start, end = operand[0].start, operand[-1].end
    source = text[start:end]
    return start, end, f"(({source}) {neutral})", f"{_short(source)} {neutral}"


def _short(source: str) -> str:
    source = " ".join(source.split())
    return source if len(source) <= 70 else f"{source[:67]}…"


def _extent(tokens: Sequence[_Token], start: int) -> int:
    """Where the expression that begins at `start` is over: the index behind it."""
    depth = 0
    for index in range(start, len(tokens)):
        word = tokens[index].text.upper()
        if word in ("(", "[", "CASE"):
            depth += 1
        elif word in (")", "]", "END"):
            depth -= 1
        if depth < 0 or (depth == 0 and word in _ENDS):
            return index
    return len(tokens)


def _split(tokens: Sequence[_Token], by: str) -> list[Sequence[_Token]]:
    """The pieces between the words `by` that stand in no bracket."""
    pieces: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        word = token.text.upper()
        depth += (word in ("(", "[", "CASE")) - (word in (")", "]", "END"))
        if depth == 0 and word == by:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return list(pieces)


def _operands(condition: Sequence[_Token], neutral: str) -> Iterator[tuple[Sequence[_Token], str]]:
    """Each part of the condition with what makes it count for nothing; `neutral` is that of the whole, if any."""
    for word, inner in (("OR", "AND false"), ("AND", "OR true")):
        pieces = _split(condition, word)
        if len(pieces) > 1:
            for piece in pieces:
                yield from _operands(piece, inner)
            return
    if neutral:
        yield condition, neutral
    inside = condition[1:-1]
    if condition[0].text == "(" and _extent(condition, 1) == len(condition) - 1 and inside[0].text.upper() != "SELECT":
        yield from _operands(inside, "")
