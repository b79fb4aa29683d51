"""The exercises of *The binary heartbeat*."""

import numpy as np

from dpm.exercises.judge import Choice, Graph, Number


def _inputs(rng):
    bits = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    return bits, *map(np.array, rng.uniform(0.05, 0.4, 2))


def _evidence(x, beta, rho):
    one, zero = 1 - beta + rho * beta, rho * beta
    return np.where(x == 1, np.log(one / zero), np.log((1 - one) / (1 - zero)))


def _exact(b):
    """Share of sequences that keep 4 pulses and 16 silent bits."""
    return (1 - 0.8 * b) ** 4 * (1 - 0.2 * b) ** 16


EXERCISES = {
    1: Number(
        0.9**4 * 0.5 * 0.8,
        "Five bits, independent given the sequence: four silent ones, and one pulse. "
        "What is the chance of a 0 for each kind?",
        mistakes={
            "The four silent bins must show 0 as well.": 0.5 * 0.8,
            "A pulse that is drawn anew may come out as 1 again.": 0.9**4 * 0.5,
            "That is for five silent bins. One of them is a pulse.": 0.9**5,
        },
        rtol=0.02,
    ),
    2: Choice(
        "b",
        {
            "a": "Put z = 0 into the rate. Which step is that, and what does it do to "
            "pi?",
            "c": "Under pi, how likely is a trajectory forward, and how likely back?",
        },
    ),
    3: Graph(
        right=_evidence,
        inputs=_inputs,
        hint="With which probability is the bit 1 after the step, if it was 1, and if "
        "it was 0? For a bit that is 0 take one minus each.",
        mistakes={
            "The 1 before the step belongs above.": lambda *x: -_evidence(*x),
            "A bit that is drawn anew may come out as it was.": (
                lambda x, beta, rho: np.where(
                    x == 1,
                    np.log((1 - beta) / (rho * beta)),
                    np.log(beta * (1 - rho) / (1 - beta)),
                )
            ),
            "That is for a bit that is 1 after the step. Some are 0.": (
                lambda x, beta, rho: np.full_like(
                    x, np.log((1 - beta + rho * beta) / (rho * beta))
                )
            ),
        },
    ),
    4: Number(
        _exact(1 - (1 - 1 / 20) ** 2),
        "How often has a bit been tossed, at x^1 and in the last step back?",
        mistakes={
            "x^1 has been tossed as well as x^0.": _exact(1 / 20),
            "A tossed bit may come out as it was.": (19 / 20) ** 40,
            "The first step does not repair x^1; it tosses it again.": 1.0,
        },
        rtol=0.05,
    ),
}
