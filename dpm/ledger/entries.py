"""The equation ledger: every numbered equation of the paper, and how it is checked.

An entry holds an equation's number, its formula, the chapter where it stands, the
functions of `dpm` that implement it, and a check: code that computes both sides, one of
them by those functions, and raises AssertionError where they differ. The book's page
*Equation ledger* and ``tests/ledger/test_entries.py`` are both made from this list.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytensor

from dpm.blocks.backend import INTERPRETED, numbers

_ENTRIES: dict = {}


@dataclass(frozen=True)
class Entry:
    """One equation of the paper.

    Attributes
    ----------
    number : int
        As in the paper, 1..65.
    latex : str
        As in the chapter, without its tag.
    chapter : str
        Name of the page where it stands.
    functions : tuple of str
        What implements it: names below `dpm`, such as ``"diffusion.gaussian.kl"``.
    check : callable
        Raises AssertionError where the two sides differ.
    """

    number: int
    latex: str
    chapter: str
    functions: tuple
    check: Callable

    @property
    def compares(self) -> str:
        """What the check compares, in words."""
        return " ".join(self.check.__doc__.split())

    def run(self) -> None:
        """Run the check, with graphs interpreted: they are small and used once."""
        with pytensor.config.change_flags(mode=INTERPRETED):
            self.check()


def equation(number: int, latex: str, chapter: str, *functions: str):
    """Enter the decorated check into the ledger."""

    def enter(check):
        if number in _ENTRIES and _ENTRIES[number].check.__name__ != check.__name__:
            raise ValueError(f"Eq. {number} is in the ledger already")
        _ENTRIES[number] = Entry(number, latex.strip(), chapter, functions, check)
        return check

    return enter


def value(x) -> np.ndarray:
    """A symbolic expression, or a number, as an array."""
    return numbers(x)


def agree(left, right, tolerance: float = 1e-10) -> None:
    """Raise AssertionError unless both sides are equal, to `tolerance` absolutely."""
    left, right = value(left), value(right)
    gap = np.abs(left - right).max()
    if not gap <= tolerance:
        raise AssertionError(f"the two sides differ by {gap:.3g} > {tolerance:g}")


def holds(condition) -> None:
    """Raise AssertionError unless a statement, or each of an array of them, is true."""
    if not np.all(value(condition)):
        raise AssertionError("the statement does not hold")


def entered() -> dict[int, Entry]:
    """All entries by number, of the chapters that are loaded."""
    return dict(sorted(_ENTRIES.items()))
