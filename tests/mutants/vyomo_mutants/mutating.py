"""A statement with one thing wrong, and the scenario that must see it.

A mutant replaces one text in the constant that production runs; the text must be there exactly once, so a mutant that no longer
fits says so. What is wrong is what somebody might write: a lock left out, a clause that looks useless, a clock that is handier.
"""

import importlib
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from vyomo_simulation.mutating import Mutant, Setting, applied

from vyomo_ledger.writing import statements

from .stage import Stage

Scenario = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SqlMutant:
    name: str
    says: str
    constant: str
    """Dotted: the module and the constant in it."""
    old: str
    new: str
    scenario: Scenario
    fails_with: type[Exception] = AssertionError
    """The server's own refusal, where the scenario does not come as far as looking."""


class UnfitTextError(Exception):
    def __init__(self, mutant: SqlMutant, found: int) -> None:
        super().__init__(f"{mutant.constant} has {found} places that read {mutant.old!r}; a mutant needs one")


@contextmanager
def in_place(mutant: SqlMutant) -> Generator[None]:
    """The code runs the mutant's statement instead of its own."""
    module, _, name = mutant.constant.rpartition(".")
    text: str = getattr(importlib.import_module(module), name)
    if text.count(mutant.old) != 1:
        raise UnfitTextError(mutant, text.count(mutant.old))
    changed = Setting(module, name, text.replace(mutant.old, mutant.new))
    # Statements of the portfolio are put together from constants once.
    statements.write_orders_and_portfolio.cache_clear()
    try:
        with applied(Mutant(mutant.name, mutant.says, "", (changed,))):
            yield
    finally:
        statements.write_orders_and_portfolio.cache_clear()
