"""The exercises of *The forward trajectory*."""

import numpy as np

from dpm.diffusion import schedule
from dpm.exercises.judge import Graph, Number

EXERCISES = {
    1: Number(
        lambda: 1 / (2 - 0.1),
        "Write down the variance after a step, and ask when it is the one before.",
        mistakes={
            "That is what the square root leaves unchanged.": 1.0,
        },
    ),
    2: Number(
        lambda: float(np.ceil(np.log(0.01) / np.log1p(-0.02))),
        "Each step keeps the fraction 1 - beta of what the step before has left.",
        mistakes={
            "The steps do not add up to one, they multiply.": 50.0,
        },
        rtol=0.0,
        atol=1.5,
    ),
    3: Number(
        lambda: float(np.prod(1 - schedule.binomial(10)[:4])) * 0.8 + 0.2,
        "It is 1 if it escaped every toss, or if its last toss came out 1.",
        mistakes={
            "A bit that was tossed may come out as it was.": 0.6,
            "With rho = 0.2, not one half.": 0.8,
        },
        rtol=1e-3,
    ),
    4: Graph(
        right=lambda beta: np.log(np.cumprod(1 - beta) / (1 - np.cumprod(1 - beta))),
        inputs=lambda rng: (rng.uniform(0.05, 0.5, 6),),
        hint="First the running product of 1 - beta: it is what is left of the signal.",
        mistakes={
            "That is one step. Multiply the steps so far.": (
                lambda beta: np.log((1 - beta) / beta)
            ),
            "That is the ratio. Its logarithm was asked for.": (
                lambda beta: np.cumprod(1 - beta) / (1 - np.cumprod(1 - beta))
            ),
            "That is noise over signal.": (
                lambda beta: -np.log(np.cumprod(1 - beta) / (1 - np.cumprod(1 - beta)))
            ),
        },
    ),
}
