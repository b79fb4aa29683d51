"""The exercises of *Your own pictures*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number

EXERCISES = {
    1: Choice(
        "b",
        {
            "a": "Are the two files the same, byte for byte?",
            "c": "Who would have told the program that they belong together?",
        },
    ),
    2: Number(
        6.0,
        "Reshape a row to (3, 64 * 64). When are its three parts the same?",
        mistakes={
            "So many are to learn from, with colours and without.": 9.0,
            "So many are held out.": 3.0,
        },
        rtol=0.0,
        atol=0.1,
    ),
    3: Graph(
        right=lambda K, level: -K / np.log(2) - np.log2(level),
        inputs=lambda rng: (
            rng.standard_normal(4),
            np.array(rng.uniform(0.01, 0.1)),
        ),
        hint="Both terms in bits: divide nats by log 2.",
        mistakes={
            "K is in nats here, and bits are asked for.": (
                lambda K, level: -K - np.log2(level)
            ),
            "Nats; bits are asked for.": lambda K, level: -K - np.log(level),
            "A level below 1 takes more bits, not fewer.": (
                lambda K, level: -K / np.log(2) + np.log2(level)
            ),
            "A higher K takes fewer bits.": (
                lambda K, level: K / np.log(2) - np.log2(level)
            ),
        },
    ),
    4: Choice(
        "b",
        {
            "a": "That is what `how='resize'` would do. Patches are cut out.",
            "c": "Would a model that learns these patches learn what pictures are?",
        },
    ),
}
