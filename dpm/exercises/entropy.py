"""The exercises of *Entropy of the reverse process*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _noise(beta):
    return 1 - np.cumprod(1 - beta)


EXERCISES = {
    1: Choice(
        "b",
        {
            "a": "Then a step destroys no information: which bound is that?",
            "c": "The line has unit variance. Does it meet the bound everywhere?",
        },
    ),
    2: Number(
        lambda: -5 * (0.2 * np.log(0.2) + 0.8 * np.log(0.8)),
        "It is the entropy of the step forward. What is a step of rate 1?",
        mistakes={
            "In nats, not in bits.": lambda: (
                -5 * (0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))
            ),
            "That is one bit. There are five.": lambda: (
                -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
            ),
            "That is the entropy of the data.": lambda: np.log(5),
        },
        rtol=1e-3,
    ),
    3: Number(
        0.0,
        "How uncertain is X^0, once X^0 is known? The other two terms are the same.",
        rtol=0.0,
        atol=1e-9,
    ),
    4: Graph(
        right=lambda beta: beta[1:] * _noise(beta)[:-1] / _noise(beta)[1:],
        inputs=lambda rng: (rng.uniform(0.05, 0.5, 6),),
        hint="First b_t, from a running product; then beta_t, b_(t-1) and b_t, each a "
        "slice of its vector.",
        mistakes={
            "That is the upper bound.": lambda beta: beta[1:],
            "The rate is that of the step that leads to t.": (
                lambda beta: beta[:-1] * _noise(beta)[:-1] / _noise(beta)[1:]
            ),
            "The noise before the step goes above, the noise after it below.": (
                lambda beta: beta[1:] * _noise(beta)[1:] / _noise(beta)[:-1]
            ),
        },
    ),
    5: Choice(
        "b",
        {
            "a": "Look at single places: what was found on the line?",
            "c": "The line has unit variance, and shows the same.",
        },
    ),
}
