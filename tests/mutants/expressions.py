"""Mutants of Python: conditions answered beforehand, comparisons turned, bounds moved, parts of a sum left out."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.mutant import Mutant, numbered

PACKAGES = ("flows", "repo", "gateways", "clients", "words")
_TURNED = {ast.Eq: "!=", ast.NotEq: "==", ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"}
_MOVED = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
type _Change = tuple[ast.expr, str, str]
"""What is replaced, by what, and what is said of it."""


def mutants(root: Path) -> list[Mutant]:
    """All of them, file by file."""
    found: list[Mutant] = []
    for package in PACKAGES:
        for path in sorted((root / "app" / package).rglob("*.py")):
            found += _Reading(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")).mutants()
    return numbered(found)


class _Reading:
    """One file, read from top to bottom."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._source = source
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line.encode()))

    def mutants(self) -> Iterator[Mutant]:
        done = set[tuple[int, int, str]]()
        for place, (node, instead, what) in self._in_order("", self._tree):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            start = self._starts[node.lineno - 1] + node.col_offset
            end = self._starts[node.end_lineno - 1] + node.end_col_offset
            if (start, end, instead) in done:
                continue
            done.add((start, end, instead))
            # What stands in no function is run once, when the module is imported: whoever comes by here may notice
            lines = frozenset(range(node.lineno, node.end_lineno + 1)) if place else frozenset[int]()
            name = f"{self._path} {place or 'module'}: {what}"
            # As many lines as before: a function below is known by the line that it begins at
            fewer = node.end_lineno - node.lineno - instead.count("\n")
            change = f"({instead}{'\n' * fewer})" if fewer else instead
            yield Mutant("python", name, self._path, start, end, change.encode(), self._path, lines)

    def _in_order(self, place: str, node: ast.AST) -> Iterator[tuple[str, _Change]]:
        """(function, change) of everything inside; what a function's line `def` says is made where that stands."""
        for child in ast.iter_child_nodes(node):
            here = place
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and child in node.body:
                here = f"{place}.{node.name}".lstrip(".")
            for change in self._changes(child):
                yield here, change
            yield from self._in_order(here, child)

    def _changes(self, node: ast.AST) -> Iterator[_Change]:
        match node:
            case ast.If(test=test) | ast.IfExp(test=test):
                yield from self._answered(test, "True", "False")
            case ast.While(test=test) if not isinstance(test, ast.Constant):
                yield from self._answered(test, "False")
            case ast.match_case(guard=ast.expr() as test):
                yield from self._answered(test, "True", "False")
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield from self._answered(test, "True")
            case ast.BoolOp(op=operator, values=operands):
                for operand in operands:
                    yield from self._answered(operand, "True" if isinstance(operator, ast.And) else "False")
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                yield from self._compared(node, left, operator, right)
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as choices):
                for choice in choices:
                    rest = [self._text(each) for each in choices if each is not choice]
                    instead = rest[0] if len(rest) == 1 else f"{name}({', '.join(rest)})"
                    yield node, instead, f"{self._short(node)} without {self._short(choice)}"
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub()):
                yield node, self._text(left), f"{self._short(node)} → {self._short(left)}"

    def _compared(self, node: ast.Compare, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Iterator[_Change]:
        if moved := _MOVED.get(type(operator)):
            yield node, f"({self._text(left)} {moved} {self._text(right)})", f"{self._short(node)} → {moved}"
            yield from self._answered(node, "True", "False")
            return
        turned = _TURNED[type(operator)]
        yield node, f"({self._text(left)} {turned} {self._text(right)})", f"{self._short(node)} → {turned}"
        if isinstance(right, ast.Tuple | ast.Set | ast.List) and isinstance(operator, ast.In | ast.NotIn):
            for element in right.elts:
                rest = "".join(f"{self._text(each)}, " for each in right.elts if each is not element)
                yield right, f"({rest})", f"{self._short(node)} without {self._short(element)}"

    def _answered(self, test: ast.expr, *answers: str) -> Iterator[_Change]:
        if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
            return
        for answer in answers:
            yield test, answer, f"{self._short(test)} → {answer}"

    def _text(self, node: ast.expr) -> str:
        return f"({ast.get_source_segment(self._source, node)})"

    def _short(self, node: ast.expr) -> str:
        text = " ".join((ast.get_source_segment(self._source, node) or "").split())
        return text if len(text) <= 70 else f"{text[:67]}…"
