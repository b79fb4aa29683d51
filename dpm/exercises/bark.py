"""The exercises of *Bark*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _correlation(left, right):
    left, right = (x.reshape(len(x), -1) for x in (left, right))
    left, right = (x - x.mean(axis=1, keepdims=True) for x in (left, right))
    square = (left**2).mean(axis=1) * (right**2).mean(axis=1)
    return (left * right).mean(axis=1) / np.sqrt(square)


def _product(X):
    return (X[:, :, :-1] * X[:, :, 1:]).mean(axis=(1, 2))


EXERCISES = {
    1: Choice(
        "b",
        {
            "a": "The filters do not care. Which shape have the biases?",
            "c": "Who would have chosen zero for them?",
        },
    ),
    2: Number(
        0.1,
        "There are twenty numbers in all. Which of them may be the least, and which "
        "the greatest?",
        mistakes={
            "That is one end of the range. There are two.": 1 / 20,
            "The one more is one of the numbers too.": 2 / 19,
        },
        rtol=0.0,
        atol=1e-3,
    ),
    3: Graph(
        right=lambda X: _correlation(X[:, :, :-1], X[:, :, 1:]),
        inputs=lambda rng: (
            np.cumsum(rng.standard_normal((3, 5, 6)), axis=2) + rng.uniform(1, 2),
        ),
        hint="Two parts of each picture, each less its own mean; then the mean "
        "product, divided by the two deviations.",
        mistakes={
            "That is the neighbour below.": (
                lambda X: _correlation(X[:, :-1], X[:, 1:])
            ),
            "Subtract the means first.": lambda X: (
                _product(X)
                / np.sqrt(
                    (X[:, :, :-1] ** 2).mean(axis=(1, 2))
                    * (X[:, :, 1:] ** 2).mean(axis=(1, 2))
                )
            ),
            "That is the covariance: divide it by both deviations.": lambda X: (
                _product(X)
                - X[:, :, :-1].mean(axis=(1, 2)) * X[:, :, 1:].mean(axis=(1, 2))
            ),
        },
    ),
    4: Number(
        2.25,
        "Each pixel costs the same. How many more are there?",
        mistakes={"It is wider and higher.": 1.5},
    ),
    5: Number(
        2.0,
        "Look for a place where the grain stops, or is too soft.",
        rtol=0.0,
        atol=0.1,
    ),
}
