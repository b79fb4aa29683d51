"""Exercises of the chapter on MNIST."""

import numpy as np

from dpm.exercises.judge import Graph, Number


def _opinions(rng):
    z, x = rng.standard_normal((2, 3, 4))
    return z, rng.uniform(0.05, 2.0, (3, 4)), x, np.array(rng.uniform(0.1, 0.9))


def _seen(z, e, x, b):
    mine, its = 1 / e, (1 - b) / b
    return (mine * z + its * x / np.sqrt(1 - b)) / (mine + its)


def _unscaled(z, e, x, b):
    mine, its = 1 / e, (1 - b) / b
    return (mine * z + its * x) / (mine + its)


def _by_variances(z, e, x, b):
    its = b / (1 - b)
    return (e * z + its * x / np.sqrt(1 - b)) / (e + its)


def _least(bits, level=0.01273):
    return (2**bits * level) ** 2 / (2 * np.pi * np.e)


EXERCISES = {
    1: Number(
        200 / 784,
        "How many independent directions has the noise, and how many pass?",
        {"That is the part that is lost.": 584 / 784},
        rtol=0.05,
    ),
    2: Number(
        0.5,
        "The share of noise is about t / T. Multiply it by 1 / beta_t.",
        rtol=0.06,
    ),
    3: Graph(
        _seen,
        _opinions,
        "Two Gaussians multiplied: each mean counts by its precision.",
        {
            "x^t is fainter than the picture: what does it say of x^0?": _unscaled,
            "A large variance should count little.": _by_variances,
        },
    ),
    4: Number(
        _least(1.7),
        "Set the cap's bits a value, -K - log2 of one grey level, to 1.7.",
        {
            "The cap has a factor 1/2 before the logarithm.": (
                2**1.7 * 0.01273 / (2 * np.pi * np.e)
            ),
            "K has the other sign than the bits.": _least(-1.7),
        },
        rtol=0.1,
    ),
}
