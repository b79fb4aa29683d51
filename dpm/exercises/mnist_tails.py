"""Exercises of the chapter on a guess with tails."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _charge(d, nu):
    return (nu + 1) / 2 * np.log2(1 + d**2 / nu)


def _draws(rng):
    return rng.uniform(0.0, 8.0, 5), np.array(rng.uniform(1.0, 9.0))


EXERCISES = {
    1: Number(
        0.8,
        "Put d = 0 into the formula for e'.",
        {"That is the other way round: being right does not add doubt.": 1.25},
        rtol=0.02,
    ),
    2: Number(
        1.0,
        "Set (nu + d^2) / (nu + 1) to 1.",
        {"d itself, not the whole of nu: try nu = 4 and d = 2.": 2.0},
        rtol=0.02,
    ),
    3: Graph(
        _charge,
        _draws,
        "Minus the logarithm of the density of t, without its constant.",
        {
            "That is in nats: which logarithm gives bits?": (
                lambda d, nu: (nu + 1) / 2 * np.log(1 + d**2 / nu)
            ),
            "That is the Gaussian's.": lambda d, nu: d**2 / 2 / np.log(2) + 0 * nu,
            "The power is (nu + 1) / 2.": lambda d, nu: nu / 2 * np.log2(1 + d**2 / nu),
        },
    ),
    4: Choice(
        "b",
        {
            "a": "The bound of a given model is a sum without those weights.",
            "c": "The walk starts at pi, whatever the weights are.",
        },
    ),
}
