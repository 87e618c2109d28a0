"""How a mutant is applied and taken back.

A mutant edits the text of the real module: what it takes out must be there exactly once, so one that no longer fits says so.
"""

import importlib
import inspect
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` in the functions of `module` reads `new`."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Setting:
    """The module's constant has another value."""

    module: str
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    says: str
    caught_as: str
    """The finding that must be among those of a run: the right alarm, not just any."""
    changes: tuple[Edit | Setting, ...]
    seed: int = 1
    """Where the search begins: the first seed that caught it when it was written."""


class UnfitMutantError(Exception):
    def __init__(self, edit: Edit, found: int) -> None:
        super().__init__(
            f"{edit.module} has {found} places that read {edit.old!r}; a mutant needs exactly one"
        )


@contextmanager
def applied(mutant: Mutant) -> Generator[None]:
    edits: dict[str, list[Edit]] = {}
    with ExitStack() as stack:
        for change in mutant.changes:
            if isinstance(change, Edit):
                edits.setdefault(change.module, []).append(change)
            else:
                stack.enter_context(_set(change))
        for name, changes in edits.items():
            stack.enter_context(_edited(importlib.import_module(name), changes))
        yield


@contextmanager
def _set(setting: Setting) -> Generator[None]:
    module = importlib.import_module(setting.module)
    before = getattr(module, setting.name)
    setattr(module, setting.name, setting.value)
    try:
        yield
    finally:
        setattr(module, setting.name, before)


@contextmanager
def _edited(module: ModuleType, edits: Sequence[Edit]) -> Generator[None]:
    """Functions keep their identity and get another body, so it does not matter who imported them."""
    source = inspect.getsource(module)
    for edit in edits:
        if source.count(edit.old) != 1:
            raise UnfitMutantError(edit, source.count(edit.old))
        source = source.replace(edit.old, edit.new)
    code = compile(source, module.__file__ or module.__name__, "exec")
    codes = {each.co_qualname: each for each in _codes_in(code)}
    before = {function: function.__code__ for function in _functions_of(module)}
    for function, known in before.items():
        function.__code__ = codes[known.co_qualname]
    try:
        yield
    finally:
        for function, known in before.items():
            function.__code__ = known


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes_in(constant)


def _functions_of(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        members = (
            vars(value).values()
            if isinstance(value, type) and value.__module__ == module.__name__
            else [value]
        )
        for member in members:
            function = inspect.unwrap(member) if callable(member) else member
            if (
                isinstance(function, FunctionType)
                and function.__module__ == module.__name__
                and function.__code__.co_filename == module.__file__
            ):
                yield function
