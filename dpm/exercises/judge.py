"""What an answer to an exercise is measured by: a number, a choice, or a graph.

Each kind knows the right answer, or computes it without the code that the reader is
asked to write, and knows mistakes that are often made. It never tells the answer.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph import Variable

from dpm.blocks.backend import INTERPRETED

EMPTY = "Put your answer in place of the three dots and run this cell again."


@dataclass(frozen=True)
class Verdict:
    """What `check` says to an answer; shown as its words, true where it is right."""

    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.words


def _is_empty(answer) -> bool:
    return answer is None or answer is Ellipsis


@dataclass(frozen=True)
class Number:
    """An exercise whose answer is a number, or an array of them.

    Parameters
    ----------
    right : float, array_like, or callable without arguments
        A callable computes it when it is first asked for.
    hint : str
        What to say to a wrong answer that is no known mistake.
    mistakes : dict of str to float, array_like or callable, optional
        Hints, and the wrong answers that they belong to.
    rtol, atol : float, optional
        How far an answer may be off: an answer within ``atol + rtol * |right|`` is
        right. Wide for a guess, narrow for a result.
    """

    right: Any
    hint: str
    mistakes: dict = field(default_factory=dict)
    rtol: float = 0.01
    atol: float = 0.0

    def judge(self, answer) -> Verdict:
        """Say whether `answer` is right, or what to look at."""
        if _is_empty(answer):
            return Verdict(False, EMPTY)
        if isinstance(answer, Variable):
            return Verdict(
                False, "That is a graph. Its number comes out of `numbers(graph)`."
            )
        try:
            answer = np.asarray(answer, dtype=float)
        except (TypeError, ValueError):
            return Verdict(False, f"A number was asked for, not {answer!r}.")
        right = self._value(self.right)
        if answer.shape != right.shape:
            return Verdict(
                False, f"Asked for shape {right.shape}; this has shape {answer.shape}."
            )
        if self._close(answer, right):
            return Verdict(True, "Right.")
        for words, wrong in self.mistakes.items():
            if self._close(answer, self._value(wrong)):
                return Verdict(False, f"Not yet. {words}")
        size = ""
        if right.ndim == 0 and np.isfinite(answer):
            size = "too large" if answer > right else "too small"
        return Verdict(False, f"Not yet{f', {size}' * bool(size)}. {self.hint}")

    @staticmethod
    def _value(x) -> np.ndarray:
        return np.asarray(x() if callable(x) else x, dtype=float)

    def _close(self, answer, other) -> bool:
        return np.allclose(answer, other, rtol=self.rtol, atol=self.atol)


@dataclass(frozen=True)
class Choice:
    """An exercise whose answer is one of the letters that the page offers.

    Parameters
    ----------
    right : str
    why_not : dict of str to str
        For each other letter, what speaks against it, without naming the right one.
    """

    right: str
    why_not: dict

    def judge(self, answer) -> Verdict:
        """Say whether `answer` is right, or what speaks against it."""
        if _is_empty(answer):
            return Verdict(False, EMPTY)
        letter = str(answer).strip().lower()
        if letter == self.right:
            return Verdict(True, "Right.")
        if letter in self.why_not:
            return Verdict(False, f"Not this one. {self.why_not[letter]}")
        letters = ", ".join(f'"{c}"' for c in sorted({self.right, *self.why_not}))
        return Verdict(False, f"One of {letters} was asked for, not {answer!r}.")


@dataclass(frozen=True)
class Graph:
    """An exercise whose answer is a function that builds a PyTensor graph.

    Parameters
    ----------
    right : callable
        The same function of arrays, in NumPy.
    inputs : callable
        Takes a `numpy.random.Generator` and gives the arrays to try, a tuple.
    hint : str
        What to say to a wrong answer that is no known mistake.
    mistakes : dict of str to callable, optional
        Hints, and the wrong functions of arrays that they belong to.
    rtol : float, optional
        How far the answer may be off, as a part of the largest right number.
    """

    right: Callable
    inputs: Callable
    hint: str
    mistakes: dict = field(default_factory=dict)
    rtol: float = 1e-6

    def judge(self, answer) -> Verdict:
        """Build the graph, compute it for three sets of arrays, and compare."""
        if _is_empty(answer):
            return Verdict(False, EMPTY)
        if not callable(answer):
            return Verdict(
                False, f"A function was asked for: hand in its name, not {answer!r}."
            )
        rng = np.random.default_rng(2015)
        tries = [tuple(map(np.asarray, self.inputs(rng))) for _ in range(3)]
        symbols = [pt.tensor(dtype=x.dtype, shape=(None,) * x.ndim) for x in tries[0]]
        try:
            inspect.signature(answer).bind(*symbols)
        except TypeError:
            n = len(symbols)
            return Verdict(False, f"The function is called with {n} arguments here.")
        graph = answer(*symbols)
        if _is_empty(graph):
            return Verdict(False, EMPTY)
        if not isinstance(graph, Variable):
            return Verdict(
                False,
                "The function gives no graph. Use `pt` in place of `np`: a graph can "
                "be differentiated and compiled, an array cannot.",
            )
        step = pytensor.function(
            symbols, graph, mode=INTERPRETED, on_unused_input="ignore"
        )
        for arrays in tries:
            found, right = step(*arrays), np.asarray(self.right(*arrays))
            if found.shape != right.shape:
                return Verdict(
                    False,
                    f"Asked for shape {right.shape}; this has shape {found.shape}.",
                )
            if not self._close(found, right):
                return Verdict(False, f"Not yet. {self._advice(step, tries)}")
        return Verdict(True, "Right.")

    def _advice(self, step, tries) -> str:
        for words, wrong in self.mistakes.items():
            if all(self._close(step(*arrays), wrong(*arrays)) for arrays in tries):
                return words
        return self.hint

    def _close(self, found, other) -> bool:
        found, other = np.asarray(found, float), np.asarray(other, float)
        scale = np.max(np.abs(other), initial=1e-300)
        near = found.shape == other.shape and np.isfinite(found).all()
        return bool(
            near and np.max(np.abs(found - other), initial=0) <= self.rtol * scale
        )
