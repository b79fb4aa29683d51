"""Exercises of the chapter on CIFAR-10."""

import numpy as np

from dpm.exercises.judge import Graph, Number


def _correlations(rng):
    """A matrix of correlations of three numbers."""
    A = rng.standard_normal((3, 5))
    C = A @ A.T
    s = np.sqrt(np.diag(C))
    return (C / np.outer(s, s),)


def _log_det(R):
    return np.linalg.slogdet(R)[1]


EXERCISES = {
    1: Number(
        -5.4 / 3 + np.log2(255 * 0.25),
        "Take K of a single value, and one grey level in units of the deviation.",
        {
            "That is for a pixel of three values.": -5.4 + 3 * np.log2(255 * 0.25),
            "K is the log likelihood of a pixel: divide it by its three values.": (
                -5.4 + np.log2(255 * 0.25)
            ),
            "A larger K is fewer bits: mind the sign.": 5.4 / 3 + np.log2(255 * 0.25),
        },
    ),
    2: Graph(
        lambda R: -0.5 * _log_det(R) / np.log(2),
        _correlations,
        "Entropy of three independent colours less that of colours which go together.",
        {
            "That is in nats.": lambda R: -0.5 * _log_det(R),
            "A gain is positive: mind the sign.": lambda R: (
                0.5 * _log_det(R) / np.log(2)
            ),
            "Where is the half of the entropy?": lambda R: -_log_det(R) / np.log(2),
        },
    ),
    3: Number(
        2.0,
        "Given y, the truth and the sample are two draws from one distribution.",
        {"A sample is not the mean: it adds a spread of its own.": 1.0},
        rtol=0.02,
    ),
    4: Number(
        0.9,
        "Noise of variance s^2 on the data is b / (1 - b).",
        {
            "Take the square of the deviation.": 0.75,
            "That is the share of the picture.": 0.1,
        },
    ),
}
