"""The exercises of *The reverse trajectory*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _inputs(rng):
    mu, x = rng.standard_normal((2, 5))
    return mu, x, *rng.uniform(0.1, 0.9, 2)


EXERCISES = {
    1: Choice(
        "b",
        {
            "a": "Walk it from pi: its variance would grow beyond one.",
            "c": "That is where no trace of x is left, as with beta = 1.",
        },
    ),
    2: Choice(
        "c",
        {
            "a": "There the noise is too faint to carry a state to the other bump.",
            "b": "By then the bumps have merged into one; large steps cost little.",
        },
    ),
    3: Number(
        lambda: 1 / (1 / 0.25 + (1 - 0.1) / 0.1),
        "Two things are known about y: where data are, and what the step did.",
        mistakes={
            "That is the step alone. The data know something too.": 0.1 / 0.9,
            "Without the factor by which the step shrinks y.": 1 / (4 + 10),
            "That is the forward step. Is it the same here?": 0.1,
        },
        rtol=0.005,
    ),
    4: Graph(
        right=lambda mu, x, beta, b: (x - mu * np.sqrt(1 - beta)) * np.sqrt(b) / beta,
        inputs=_inputs,
        hint="Solve the last formula of the box for the guess of the noise.",
        mistakes={
            "That is the score. The noise is its other sign, and scaled.": (
                lambda mu, x, beta, b: (mu * np.sqrt(1 - beta) - x) / beta
            ),
            "The sign is turned around.": (
                lambda mu, x, beta, b: (mu * np.sqrt(1 - beta) - x) * np.sqrt(b) / beta
            ),
        },
    ),
}
