"""Exercises of the chapter on multiplying distributions."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _states(rng):
    return rng.standard_normal(5), np.array(rng.uniform(0.1, 0.9)), np.array(0.7)


def _points(rng):
    X = 2 * rng.standard_normal((6, 2))
    X[0, 0] = -1000.0
    return X, np.array(rng.uniform(2.0, 9.0))


EXERCISES = {
    1: Number(
        2.0,
        "Write down what one step does to the mean, and ask where it stays as it is.",
        {
            "That is the mean of the true posterior. The walk multiplies by r at every "
            "step.": 1.0,
            "A step shrinks the mean by half of beta, not by all of it.": 0.5,
        },
    ),
    2: Graph(
        lambda x, b, a: a * np.sqrt(1 - b) * x + a**2 * b / 2,
        _states,
        "Given x^t, what are mean and variance of x^0, when the data are pi?",
        {
            "The mean of x^0 is x^t times the root of 1 - b.": (
                lambda x, b, a: a * (1 - b) * x + a**2 * b / 2
            ),
            "x^0 is not known exactly: its variance enters too.": (
                lambda x, b, a: a * np.sqrt(1 - b) * x
            ),
            "What is asked for is the logarithm.": (
                lambda x, b, a: np.exp(a * np.sqrt(1 - b) * x + a**2 * b / 2)
            ),
        },
    ),
    3: Choice(
        "c",
        {
            "a": "So it would be with the exact posterior. What does each step do to "
            "the odds of a stray 1?",
            "b": "How much does r now favour the stray 1 at each step?",
        },
    ),
    4: Graph(
        lambda X, k: -np.logaddexp(0, -k * X[:, 0]),
        _points,
        "One number for each sample, of the first coordinate alone; and finite.",
        {
            "Mind the sign: where x_1 is large r is one, and its logarithm zero.": (
                lambda X, k: -np.logaddexp(0, k * X[:, 0])
            ),
            "That is minus the logarithm.": (
                lambda X, k: np.logaddexp(0, -k * X[:, 0])
            ),
        },
    ),
}
