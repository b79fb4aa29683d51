"""The exercises of *Model probability*."""

import numpy as np
from scipy.special import logsumexp

from dpm.exact.world import bits_world
from dpm.exercises.judge import Choice, Graph, Number

EXERCISES = {
    1: Number(
        0.39**2 / 0.01**2,
        "The error of a mean of n is that of one, divided by the root of n.",
        mistakes={
            "The error falls with the root of n, not with n.": 0.39 / 0.01,
        },
        rtol=0.03,
    ),
    2: Choice(
        "b",
        {
            "a": "The path stands still. Is the fraction of one step then certain?",
            "c": "Write the log of one fraction with x = z sqrt(beta), and look again.",
        },
    ),
    3: Number(
        lambda: bits_world(
            np.array([0.4, 0.1, 0.2, 0.3]), (0.3, 0.6, 0.9)
        ).lower_bound(),
        "Each way counts with its probability under q: that of its start, times its "
        "steps.",
        mistakes={
            "That is the average of log p, which this average bounds.": lambda: (
                bits_world(
                    np.array([0.4, 0.1, 0.2, 0.3]), (0.3, 0.6, 0.9)
                ).log_likelihood()
            ),
        },
        rtol=1e-4,
    ),
    4: Graph(
        right=lambda log_w: logsumexp(log_w, axis=0) - np.log(len(log_w)),
        inputs=lambda rng: (rng.normal([-1000, -3, 700, 0], 2.0, (7, 4)),),
        hint="Does it survive log weights of -1000? Take the largest out by hand.",
        mistakes={
            "That is the mean of the logs, which is K.": (
                lambda log_w: log_w.mean(axis=0)
            ),
            "That is the logarithm of the sum. The mean divides by n.": (
                lambda log_w: logsumexp(log_w, axis=0)
            ),
        },
    ),
}
