"""The exercises of *The architecture for images*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _state(rng):
    x, z_mu, z_sigma = rng.standard_normal((3, 2, 4, 4))
    return x, z_mu, z_sigma, np.array(rng.uniform(0.05, 0.5))


def _variance(z, beta):
    return 1 / (1 + np.exp(-z) * (1 - beta) / beta)


EXERCISES = {
    1: Number(
        np.sqrt(2 / 784),
        "The square of a normal number of variance b has the mean b and the variance "
        "2 b^2. You see 784 of them.",
        {
            "The square of a normal number scatters more than the number.": 1 / 28,
            "An average of n scatters by the root of n less.": 2 / 784,
        },
        rtol=0.05,
    ),
    2: Choice(
        "c",
        {
            "a": "Which other quantity in Eqs. 64 and 65 knows the time?",
            "b": "How many coefficients has a pixel then, to choose from?",
        },
    ),
    3: Graph(
        right=lambda x, z_mu, z_sigma, beta: (
            (x - z_mu) * (1 - _variance(z_sigma, beta)) + z_mu
        ),
        inputs=_state,
        hint="First Sigma, by Eq. 64, from z_Sigma and the logit of beta; then Eq. 65.",
        mistakes={
            "The pixel moves by a share of Sigma towards z, not by 1 - Sigma.": (
                lambda x, z_mu, z_sigma, beta: (
                    (x - z_mu) * _variance(z_sigma, beta) + z_mu
                )
            ),
            "That is the mean of the authors' code.": (
                lambda x, z_mu, z_sigma, beta: (
                    x * np.sqrt(1 - beta) + z_mu * np.sqrt(beta)
                )
            ),
            "The variance is Sigma, with what the network says of it, not beta.": (
                lambda x, z_mu, z_sigma, beta: (x - z_mu) * (1 - beta) + z_mu
            ),
            "With z_Sigma = 0 the variance should be beta: add the logit of beta.": (
                lambda x, z_mu, z_sigma, beta: (
                    (x - z_mu) * (1 - 1 / (1 + np.exp(-z_sigma))) + z_mu
                )
            ),
        },
    ),
    4: Number(
        20.0,
        "Take the coarsest scale alone, where a square is one pixel. What do two "
        "convolutions of 3 by 3 see there?",
        {
            "Two layers do not see twice as far: their squares are the same.": 24.0,
            "So it would be for filters of 12 by 12 pixels. Here squares count.": 23.0,
            "That is one layer.": 12.0,
            "The side was asked for, not the number of pixels.": 400.0,
        },
        rtol=0.0,
        atol=0.1,
    ),
    5: Choice(
        "a",
        {
            "b": "Try a fine 2 and a coarse -1 by hand.",
            "c": "What does the leaky ReLU do to numbers that are all negative?",
        },
    ),
}
