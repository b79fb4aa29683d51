"""The exercises of *Training and the bound*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _bit_kl(c, d):
    return c * np.log(c / d) + (1 - c) * np.log((1 - c) / (1 - d))


EXERCISES = {
    1: Number(
        1000 - 1,
        "How many terms has the sum, and how many of them does a batch see?",
        mistakes={
            "The sum begins at t = 2.": 1000,
            "A mean is not a sum.": 1,
        },
        rtol=0.0,
        atol=1e-6,
    ),
    2: Number(
        0.5,
        "When is log pi the same for all strings?",
        mistakes={"That is the one for these data. Any bits were asked for.": 0.3},
        rtol=0.0,
        atol=1e-6,
    ),
    3: Choice(
        "b",
        {
            "a": "Jensen costs something where the weights differ. Do they here?",
            "c": "That is the cost of a first step that is a forward step; not here.",
        },
    ),
    4: Graph(
        right=_bit_kl,
        inputs=lambda rng: tuple(rng.uniform(0.05, 0.95, (2, 6))),
        hint="Sum over the two values of the bit: its probability times the log ratio.",
        mistakes={
            "A bit may also be 0.": lambda c, d: c * np.log(c / d),
            "The first argument is the one to average over.": (
                lambda c, d: _bit_kl(d, c)
            ),
            "The sign is turned around.": lambda c, d: -_bit_kl(c, d),
        },
    ),
    5: Number(
        lambda: 3 * np.sqrt(1 - 0.5) * (1 / 0.5) / (1 / 0.5 + (1 - 0.5) / 0.5),
        "Two precisions add; the mean is the average of two means, weighted by them.",
        mistakes={
            "That is what the data say. The step says something too.": (
                3 * np.sqrt(0.5)
            ),
            "The step shrinks y, so that its precision is (1 - beta) / beta.": (
                3 * np.sqrt(0.5) / 2
            ),
            "The jump shrinks the data by a square root.": 3 * 0.5 * 2 / 3,
        },
        rtol=0.005,
    ),
}
