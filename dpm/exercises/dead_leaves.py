"""The exercises of *Dead leaves*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _bits(variance):
    return -0.5 * np.log2(2 * np.pi * np.e * variance)


EXERCISES = {
    1: Number(
        _bits(1.0) - 1,
        "Write down the mean of the log of a Gaussian density of variance 4.",
        mistakes={
            "The pixels are farther apart now: is their density larger or smaller?": (
                _bits(1.0) + 1
            ),
            "A density depends on the units.": _bits(1.0),
            "The deviation is twice as large, the variance four times.": _bits(16.0),
            "In bits, not in nats.": -0.5 * np.log(2 * np.pi * np.e * 4),
        },
        rtol=0.0,
        atol=0.01,
    ),
    2: Choice(
        "b",
        {
            "a": "In which pixels? Every second one was left out.",
            "c": "A leaf of radius 4 has which radius, when lengths are halved?",
        },
    ),
    3: Graph(
        right=lambda sigma, beta_1: _bits(sigma**2 * (1 - beta_1) + beta_1),
        inputs=lambda rng: tuple(map(np.array, rng.uniform(0.05, 0.4, 2))),
        hint="Which variance has a pixel of x^1, once the leaf and its grey are "
        "known? Then minus the entropy of a Gaussian, in bits.",
        mistakes={
            "The first step shrinks the camera's noise.": (
                lambda sigma, beta_1: _bits(sigma**2 + beta_1)
            ),
            "The camera's noise is there as well.": lambda sigma, beta_1: _bits(beta_1),
            "The first step adds noise as well.": (
                lambda sigma, beta_1: _bits(sigma**2)
            ),
            "In bits, not in nats.": (
                lambda sigma, beta_1: (
                    np.log(2) * _bits(sigma**2 * (1 - beta_1) + beta_1)
                )
            ),
            "Fewer bits, not more, for a wider Gaussian: mind the sign.": (
                lambda sigma, beta_1: -_bits(sigma**2 * (1 - beta_1) + beta_1)
            ),
        },
    ),
    4: Number(
        2 ** (-2 * 3.39) / (2 * np.pi * np.e),
        "Solve the formula of the cap for beta_1.",
        mistakes={
            "That is a deviation. beta_1 is a variance.": (
                2**-3.39 / np.sqrt(2 * np.pi * np.e)
            ),
            "Half of the logarithm, so twice the bits in the power.": (
                2**-3.39 / (2 * np.pi * np.e)
            ),
        },
        rtol=0.03,
    ),
}
