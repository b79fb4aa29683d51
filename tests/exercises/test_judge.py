"""Verdicts: right, wrong, a hint, and never the answer itself."""

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm.exercises import Choice, Graph, Number
from dpm.exercises.judge import EMPTY

NUMBER = Number(
    lambda: 0.75, "Think of pi.", mistakes={"That is b, not 1 - b.": 0.25}, rtol=0.01
)
CHOICE = Choice("b", {"a": "At t = 1 it would be infinite.", "c": "Count again."})
GRAPH = Graph(
    right=lambda x, beta: x * np.sqrt(1 - beta[:, None]),
    inputs=lambda rng: (rng.standard_normal((5, 2)), rng.uniform(0.1, 0.9, 5)),
    hint="What keeps the variance at one?",
    mistakes={"The root is missing.": lambda x, beta: x * (1 - beta[:, None])},
)


@pytest.mark.parametrize("kind", [NUMBER, CHOICE, GRAPH])
@pytest.mark.parametrize("empty", [..., None])
def test_an_answer_not_given_yet_is_no_mistake(kind, empty):
    verdict = kind.judge(empty)
    assert not verdict and repr(verdict) == EMPTY


@pytest.mark.parametrize(
    "answer, words",
    [
        (0.75, "Right."),
        (0.7574, "Right."),
        (0.76, "Not yet, too large. Think of pi."),
        (np.float32(0.1), "Not yet, too small. Think of pi."),
        (0.25, "Not yet. That is b, not 1 - b."),
        (np.nan, "Not yet. Think of pi."),
        ("many", "A number was asked for, not 'many'."),
        ([0.75, 0.75], "Asked for shape (); this has shape (2,)."),
        (
            pt.as_tensor(0.75),
            "That is a graph. Its number comes out of `numbers(graph)`.",
        ),
    ],
)
def test_number(answer, words):
    verdict = NUMBER.judge(answer)
    assert repr(verdict) == words and bool(verdict) == (words == "Right.")
    assert "0.75" not in words.replace(repr(answer), "")


def test_arrays_are_compared_in_every_number():
    kind = Number([1.0, 2.0], "Look again.", rtol=0, atol=0.1)
    assert kind.judge([1.05, 1.95])
    assert repr(kind.judge([1.05, 2.15])) == "Not yet. Look again."


@pytest.mark.parametrize(
    "answer, words",
    [
        ("b", "Right."),
        (" B", "Right."),
        ("a", "Not this one. At t = 1 it would be infinite."),
        ("c", "Not this one. Count again."),
        ("d", """One of "a", "b", "c" was asked for, not 'd'."""),
        (2, """One of "a", "b", "c" was asked for, not 2."""),
    ],
)
def test_choice(answer, words):
    verdict = CHOICE.judge(answer)
    assert repr(verdict) == words and bool(verdict) == (words == "Right.")


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x, beta: x * pt.sqrt(1 - beta[:, None]), "Right."),
        (lambda x, beta: x * (1 - beta[:, None]), "Not yet. The root is missing."),
        (lambda x, beta: x, "Not yet. What keeps the variance at one?"),
        (lambda x, beta: x * np.nan, "Not yet. What keeps the variance at one?"),
        (lambda x, beta: ..., EMPTY),
        (lambda x: x, "The function is called with 2 arguments here."),
        (lambda x, beta: x[:, 0], "Asked for shape (5, 2); this has shape (5,)."),
        (3.0, "A function was asked for: hand in its name, not 3.0."),
    ],
)
def test_graph(answer, words):
    verdict = GRAPH.judge(answer)
    assert repr(verdict) == words and bool(verdict) == (words == "Right.")


def test_an_array_is_no_graph():
    assert "gives no graph" in repr(GRAPH.judge(lambda x, beta: np.ones((5, 2))))


def test_every_number_of_every_set_counts():
    kind = Graph(np.abs, lambda rng: (rng.standard_normal(6),), "For every sign.")
    assert kind.judge(lambda x: pt.sqrt(x**2))
    assert not kind.judge(lambda x: x) and not kind.judge(lambda x: -x)


def test_a_hint_needs_the_mistake_in_all_sets():
    """In the first set the two mistakes agree; the second tells them apart."""
    sets = iter([np.ones(2), np.array([1.0, 2.0]), np.array([3.0, 2.0])])
    mistakes = {"Squared.": lambda x: x**2, "Cubed.": lambda x: x**3}
    kind = Graph(lambda x: x + 1, lambda rng: (next(sets),), "No.", mistakes)
    assert repr(kind.judge(lambda x: x**3)) == "Not yet. Cubed."
