"""Puts a mutant into modules that are imported already: a fork of them is its tree.

The code of a function is replaced where it lives, so that whoever holds the function has the mutant. What is made once,
at import (a statement's text, a constant), is made anew aside and replaced by name.
"""

import gc
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutants.mutant import Mutant

type Living = dict[str, list[FunctionType]]
"""The functions of the bot by file."""


class NotGraftedError(Exception):
    """Nothing that lives is changed by it."""


def living(root: Path) -> Living:
    """All functions of the bot that are there now."""
    found: Living = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(f"{root}/app/"):
            found.setdefault(thing.__code__.co_filename.removeprefix(f"{root}/"), []).append(thing)
    return found


def codes(functions: Living) -> Iterator[CodeType]:
    """Theirs, and that of the functions inside them."""
    for each in functions.values():
        for function in each:
            yield function.__code__
            yield from _inside(function.__code__)


def graft(root: Path, mutant: Mutant, functions: Living) -> None:
    """Makes this process the mutant; raises NotGraftedError."""
    whole = (root / mutant.path).read_bytes()
    text = mutant.text_of(whole)
    if mutant.kind == "sql":
        _statement(mutant.name.split(":")[0], mutant.path, text.decode(), root)
    elif mutant.lines:
        _function(root / mutant.path, text, functions[mutant.path])
    else:
        named = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not _values(sys.modules[named], text):
            raise NotGraftedError


def _function(path: Path, text: bytes, functions: list[FunctionType]) -> None:
    by_place = {(code.co_qualname, code.co_firstlineno): code for code in _inside(compile(text, path, "exec"))}
    grafted = False
    for function in functions:
        here = function.__code__
        there = by_place[here.co_qualname, here.co_firstlineno]
        if here != there:
            if here.co_freevars != there.co_freevars:
                raise NotGraftedError
            function.__code__ = there
            grafted = True
    if not grafted:
        raise NotGraftedError


def _inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inside(constant)


def _statement(name: str, path: str, text: str, root: Path) -> None:
    # What the loader has read is what every module asks for
    queries = sys.modules["app.repo.queries"]
    stem, _, verb = name.partition(".")
    aside = root.parent / "aside"
    aside.mkdir(exist_ok=True)
    (aside / Path(path).name).write_text(text, encoding="utf-8")
    kept, queries._FOLDER = queries._FOLDER, aside  # type: ignore[attr-defined]  # there is no other way in
    queries.statements.cache_clear()
    changed = queries.statements(stem)[verb]
    queries._FOLDER = kept  # type: ignore[attr-defined]  # as above
    queries.statements.cache_clear()
    queries.statements(stem)[verb] = changed
    repo = [module for named, module in sys.modules.items() if named.startswith("app.repo.")]
    grafted = [_values(module, Path(str(module.__file__)).read_bytes()) for module in repo if module is not queries]
    if not any(grafted):
        raise NotGraftedError


def _values(module: ModuleType, text: bytes) -> bool:
    """Runs the text aside, and gives the module and its classes the plain values that come out otherwise; if any do."""
    aside: dict[str, object] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(text, str(module.__file__), "exec"), aside)
    grafted = _taken_over(module, vars(module), aside)
    for name, thing in aside.items():
        mine = vars(module).get(name)
        if isinstance(thing, type) and isinstance(mine, type) and thing.__module__ == module.__name__:
            grafted |= _taken_over(mine, vars(mine), vars(thing))
    return grafted


def _taken_over(by: object, here: Mapping[str, object], there: Mapping[str, object]) -> bool:
    new = {
        name: value
        for name, value in there.items()
        if not name.startswith("__") and _plain(value) and name in here and here[name] != value
    }
    for name, value in new.items():
        _everywhere(here[name], value)
        setattr(by, name, value)
    return bool(new)


def _everywhere(old: object, new: object) -> None:
    """Those who imported the value by name have it, too."""
    for named, module in list(sys.modules.items()):
        if named.startswith("app."):
            for name, value in list(vars(module).items()):
                if value is old:
                    setattr(module, name, new)


def _plain(value: object) -> bool:
    match value:
        case str() | int() | float() | bytes():
            return True
        case tuple() | list() | set() | frozenset():
            return all(_plain(each) for each in value)
        case dict():
            return all(_plain(each) for each in (*value, *value.values()))
        case _:
            return False
