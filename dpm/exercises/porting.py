"""The exercises of *From Theano and Blocks to PyTensor*."""

import numpy as np

from dpm.exercises.judge import Graph, Number

EXERCISES = {
    1: Number(
        100.0,
        "Look at the step back of data of variance s: how far is its variance from "
        "beta, as a share of beta?",
        {
            "So does the right z of the mean.": 10.0,
            "Smaller steps need smaller corrections.": 1.0,
            "The correction is a share of the variance, not the variance.": 1e4,
        },
        rtol=0.05,
    ),
    2: Graph(
        right=lambda W: W[:, :, ::-1, ::-1],
        inputs=lambda rng: (rng.standard_normal((4, 2, 3, 3)),),
        hint="A filter is turned by half a turn: which two of its four axes run over "
        "pixels?",
        mistakes={
            "Both axes of the pixels have to be turned around.": (
                lambda W: W[:, :, ::-1]
            ),
            "Both axes of the pixels, also the rows.": lambda W: W[..., ::-1],
            "That exchanges rows and columns.": lambda W: W.swapaxes(2, 3),
            "The first two axes are filters and channels. They keep their order.": (
                lambda W: W[::-1, ::-1]
            ),
            "That turns filters and channels around, too.": (
                lambda W: W[::-1, ::-1, ::-1, ::-1]
            ),
        },
    ),
    3: Number(
        2 / 49,
        "The sum has T - 1 terms, and the code counts T of their mean size.",
        {
            "The sum has one term less than there are steps.": 2 / 50,
            "Only what is counted too much was asked for.": 2 * 50 / 49,
        },
        rtol=0.005,
    ),
    4: Number(
        1.0,
        "How many images does either estimate average over?",
        {
            "That is for terms that depend on t alone.": np.sqrt(64),
            "Variances shrink so, for terms that depend on t alone.": 64.0,
        },
    ),
}
