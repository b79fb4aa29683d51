"""The exercises of *Digits*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number

L_NULL = -0.5 * np.log2(2 * np.pi * np.e)


def _levels(rng):
    X, u = rng.integers(0, 17, (3, 4)).astype(float), rng.uniform(size=(3, 4))
    return X, u, *map(np.array, rng.uniform(0.2, 0.5, 2))


EXERCISES = {
    1: Number(
        L_NULL + 1.87,
        "The mean of -log N(x; 0, 1) over pixels with a mean square of 1; in bits.",
        mistakes={
            "L_null is negative: the mean of a log density of noise.": 1.87 - L_NULL,
            "That is L_null in nats and the gain in bits.": (
                1.87 - 0.5 * np.log(2 * np.pi * np.e)
            ),
            "The square of a pixel counts too: it is 1 on average.": (
                1.87 - 0.5 * np.log2(2 * np.pi)
            ),
        },
        rtol=0.0,
        atol=0.02,
    ),
    2: Choice(
        "a",
        {
            "b": "Where is the posterior, which knows the true picture, sharpest?",
            "c": "There the posterior knows hardly more than the model.",
        },
    ),
    3: Graph(
        right=lambda X, u, shift, scale: ((X + u - 0.5) / 16 - shift) / scale,
        inputs=_levels,
        hint="First the noise, on the whole numbers; then divide by 16, subtract and "
        "divide.",
        mistakes={
            "Centre the noise on the whole number.": (
                lambda X, u, shift, scale: ((X + u) / 16 - shift) / scale
            ),
            "The noise is one level wide before the scaling, not after it.": (
                lambda X, u, shift, scale: (X / 16 - shift) / scale + u - 0.5
            ),
            "White, 16, becomes 1 before the shift.": (
                lambda X, u, shift, scale: (X + u - 0.5 - shift) / scale
            ),
        },
    ),
    4: Number(
        np.sqrt(0.05**2 + 2 * 0.01),
        "How often is noise of variance beta_1 added, on the way to x^1 and back?",
        mistakes={
            "The last step back adds noise as well.": np.sqrt(0.05**2 + 0.01),
            "Variances add, not deviations.": 0.05 + 2 * 0.1,
            "That is the variance.": 0.05**2 + 2 * 0.01,
            "The data have a width of their own.": np.sqrt(2 * 0.01),
        },
        rtol=0.015,
    ),
}
