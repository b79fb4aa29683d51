"""The exercises of *The swiss roll*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _points(rng):
    X, centers = rng.standard_normal((5, 2)), rng.standard_normal((4, 2))
    X[0] = 300.0  # far from all centres
    return X, centers, rng.uniform(0.2, 0.9, 4)


def _exponent(X, centers, width):
    distance2 = ((X[:, None] - centers) ** 2).sum(axis=-1)
    return -distance2 / (2 * width**2)


def _normalised(exponent, axis):
    bumps = np.exp(exponent - exponent.max(axis=axis, keepdims=True))
    return bumps / bumps.sum(axis=axis, keepdims=True)


EXERCISES = {
    1: Choice(
        "b",
        {
            "a": "Where do held-out points lie, when the model is a bump on each "
            "training point?",
            "c": "Which entropy in K knows beta_1, and has it a lower limit?",
        },
    ),
    2: Number(
        -np.log2(2 * np.pi * np.e),
        "Each fraction p / q of a forward step taken back is a fraction of two values "
        "of pi. Multiply them.",
        {
            "That is for one dimension.": -np.log2(2 * np.pi * np.e) / 2,
            "That is in nats.": -np.log(2 * np.pi * np.e),
            "The mean of |x|^2 is n, not 0.": -np.log2(2 * np.pi),
            "A model that does nothing is not worth nothing. Which density is it?": 0,
        },
        rtol=0.005,
    ),
    3: Graph(
        right=lambda X, c, w: _normalised(_exponent(X, c, w), 1),
        inputs=_points,
        hint="One row a point, one column a function; rows sum to one, also where all "
        "bumps are zero to the computer.",
        mistakes={
            "Those are the bumps, without their sum.": lambda X, c, w: np.exp(
                _exponent(X, c, w)
            ),
            "A point's activities should sum to one, not a function's.": (
                lambda X, c, w: _normalised(_exponent(X, c, w), 0)
            ),
            "The width enters squared.": lambda X, c, w: _normalised(
                _exponent(X, c, w) * w, 1
            ),
            "Where is the 2 of the exponent?": lambda X, c, w: _normalised(
                2 * _exponent(X, c, w), 1
            ),
        },
    ),
    4: Number(
        3.36,
        "What did each halving of the noise bring, in the table above?",
        {"That is for a roll half as thick in both directions.": 4.36},
        rtol=0.0,
        atol=0.1,
    ),
    5: Choice(
        "c",
        {
            "a": "Look at the bar: which parts of it does the number of steps change?",
            "b": "That is the network's part. What does T change about it?",
        },
    ),
}
