"""The exercises of *The diffusion rate*."""

import numpy as np

from dpm.diffusion import schedule
from dpm.exercises.judge import Choice, Graph, Number


def _rates(b):
    return 1 - (1 - b) / np.concatenate([[1.0], 1 - b[:-1]])


EXERCISES = {
    1: Number(
        lambda: np.log2(1 + 3) / 2,
        "The edge is an entropy after the step, less that before. What is the "
        "variance after the step?",
        mistakes={
            "The entropy of a Gaussian is half the logarithm of its variance.": 2.0,
            "After the step the data's own variance is still there.": np.log2(3) / 2,
            "That is in nats.": np.log(4) / 2,
        },
        rtol=0.02,
    ),
    2: Choice(
        "c",
        {
            "a": "The step back from x^2 may use Bayes' rule; the one from x^1 is "
            "imposed.",
            "b": "How large is the edge with 1/5? Look at the first table.",
        },
    ),
    3: Graph(
        right=_rates,
        inputs=lambda rng: (np.sort(rng.uniform(0.05, 0.95, 6)),),
        hint="One step keeps 1 - beta of what is left. Divide what is left after it "
        "by what was left before it; before the first step everything is left.",
        mistakes={
            "That is the share of the whole. Divide by what was left before.": (
                lambda b: np.diff(b, prepend=0.0)
            ),
            "That is the share that is kept.": lambda b: 1 - _rates(b),
            "That is the way from the rates to b.": lambda b: 1 - np.cumprod(1 - b),
        },
    ),
    4: Choice(
        "b",
        {
            "a": "Scale all rates but the first, and see how much is won.",
            "c": "With smaller rates, is more of the signal left at the end, or less?",
        },
    ),
    5: Number(
        lambda: schedule.binomial(2000).sum(),
        "A sum of probabilities, one a step: of which series is it a part?",
        mistakes={
            "That is for one bit of a walk of constant rate 1/T.": 1.0,
            "One bit was asked for, not the twenty of a sequence.": lambda: (
                20 * schedule.binomial(2000).sum()
            ),
        },
    ),
}
