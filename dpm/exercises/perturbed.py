"""The exercises of *The perturbed Gaussian*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _slope(mu):
    """Derivative of -log(1 + exp(-3 (y - 0.5))) at mu."""
    return 3 / (1 + np.exp(3 * (mu - 0.5)))


EXERCISES = {
    1: Number(
        3,
        "Which term of Taylor's expansion is left out now? Half its variance is asked.",
        mistakes={"That is without the quadratic term.": 2},
        rtol=0.0,
        atol=0.1,
    ),
    2: Number(
        lambda: np.exp(2 * 0.3 + 2**2 * 0.1 / 2),
        "Complete the square, and integrate. What is left over does not depend on y.",
        mistakes={
            "That is r at the mean. The step also looks to both sides of it.": (
                lambda: np.exp(2 * 0.3)
            ),
            "Half of the square of the slope.": lambda: np.exp(2 * 0.3 + 2**2 * 0.1),
        },
        rtol=2e-3,
    ),
    3: Choice(
        "b",
        {
            "a": "Differentiate both at x = c, for a c between 0 and 1.",
            "c": "The slope should be log r(1) - log r(0).",
        },
    ),
    4: Graph(
        right=lambda mu, sigma: mu + sigma**2 * _slope(mu),
        inputs=lambda rng: (rng.standard_normal(6), rng.uniform(0.1, 0.9, 6)),
        hint="The mean moves by Sigma, the square of sigma, times the slope at mu.",
        mistakes={
            "sigma is a deviation, Sigma a variance.": (
                lambda mu, sigma: mu + sigma * _slope(mu)
            ),
            "The mean should move up the slope of log r.": (
                lambda mu, sigma: mu - sigma**2 * _slope(mu)
            ),
            "That is the slope. It has to move the mean.": (
                lambda mu, sigma: _slope(mu)
            ),
        },
    ),
}
