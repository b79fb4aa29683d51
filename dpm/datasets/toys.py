"""The two toys of Section 3.1: the swiss roll, and the binary heartbeat.

The heartbeat alone of all data is not scaled: it is bits.
"""

import numpy as np

from dpm.blocks.checks import check_count, check_memory
from dpm.blocks.settings import Count, Natural, Positive, Several, typed
from dpm.datasets.dataset import Dataset


def roll_curve(u):
    """The spine of scikit-learn's swiss roll: u in [0, 1] to points (n, 2).

    The angle runs from 1.5 pi to 4.5 pi and is also the radius.
    """
    angle = 1.5 * np.pi * (1 + 2 * np.asarray(u))
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=-1)


def roll_log_density(X, noise: float, shift, scale: float, block: int = 500):
    """Exact log density of the scaled swiss roll, in nats.

    A point is a uniform draw u on the spine plus Gaussian noise, so its density is an
    integral over one variable,

    .. math:: p(x) = \\int_0^1 N(x; c(u), \\sigma^2 I) \\, du,

    done here by Gauss-Legendre quadrature on panels at most four noise widths long.

    Parameters
    ----------
    X : ndarray, shape (n, 2)
        Scaled points.
    noise : float
        Standard deviation of the noise before scaling.
    shift, scale : ndarray of shape (2,), float
        X = (unscaled - shift) / scale.
    block : int
        Points done at once, to bound memory.

    Returns
    -------
    ndarray, shape (n,)
    """
    top_speed = 3 * np.pi * np.hypot(1.0, 4.5 * np.pi)  # |dc/du| at the outer end
    n_panels = int(np.ceil(top_speed / (4 * noise)))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    u = ((np.arange(n_panels)[:, None] + (nodes + 1) / 2) / n_panels).ravel()
    weight = np.tile(weights / 2, n_panels) / n_panels
    spine = (roll_curve(u) - shift) / scale
    variance = (noise / scale) ** 2
    spine2 = (spine**2).sum(axis=1)
    out = -(np.asarray(X) ** 2).sum(axis=1)
    for start in range(0, len(X), block):
        part = X[start : start + block]
        kernel = 2 * part @ spine.T - spine2  # whose exponential would overflow
        peak = kernel.max(axis=1, keepdims=True)
        near = np.exp((kernel - peak) / (2 * variance)) @ weight
        out[start : start + block] += peak[:, 0] + 2 * variance * np.log(near)
    return out / (2 * variance) - np.log(2 * np.pi * variance)


@typed
def swiss_roll(
    n_train: Several = 20_000,
    n_test: Several = 5_000,
    noise: Positive = 0.3,
    seed: Natural = 0,
) -> Dataset:
    """Two axes of scikit-learn's swiss roll (Section 3.1.1).

    Parameters
    ----------
    n_train, n_test : int
        Points to train on and to hold out.
    noise : float
        Standard deviation around the spine, in the roll's own units, where its radius
        runs from 4.7 to 14.1. Must be positive: without noise there is no density.
    seed : int

    Returns
    -------
    Dataset
        With the exact log density.
    """
    check_memory(8 * (n_train + n_test), f"n_train + n_test = {n_train + n_test}")
    from sklearn.datasets import make_swiss_roll  # slow to import

    rng = np.random.RandomState(seed)  # noqa: NPY002  (scikit-learn's own kind)
    points, _ = make_swiss_roll(n_train + n_test, noise=noise, random_state=rng)
    points = points[:, [0, 2]]
    shift = points[:n_train].mean(axis=0)
    scale = float(np.sqrt(((points[:n_train] - shift) ** 2).mean()))
    scaled = (points - shift) / scale
    return Dataset(
        name="SWISS_ROLL",
        X_train=scaled[:n_train],
        X_test=scaled[n_train:],
        shift=shift,
        scale=scale,
        per="point",
        log_density=lambda X: roll_log_density(X, noise, shift, scale),
        settings=dict(n_train=n_train, n_test=n_test, noise=noise, seed=seed),
    )


@typed
def heartbeat(length: Count = 20, period: Several = 5) -> Dataset:
    """A pulse every fifth bin, and nothing in between (Section 3.1.2).

    The only thing random is the phase, uniform over the period: there are as many
    sequences as bins in a period, and they are all here, to train on as to score.

    Parameters
    ----------
    length : int
        Bins of a sequence, a multiple of `period`, so that every bin is as active as
        the others.
    period : int
        Bins from one pulse to the next, at least 2.

    Returns
    -------
    Dataset
        Bits, not scaled, with their exact log probability.
    """
    if check_count(length, "length", period) % period:
        raise ValueError(
            f"length = {length} is not a multiple of period = {period}: some phases "
            "would have more pulses than others"
        )
    check_memory(2 * length * period, f"length = {length}, period = {period}")
    X = np.tile(np.eye(period), length // period)

    def log_probability(given):
        matches = (np.asarray(given)[:, None, :] == X).all(axis=-1).any(axis=1)
        return np.where(matches, -np.log(period), -np.inf)

    return Dataset(
        name="HEARTBEAT",
        X_train=X,
        X_test=X,
        shift=np.zeros(length),
        scale=1.0,
        per="sequence",
        log_density=log_probability,
        settings=dict(length=length, period=period),
        exhaustive=True,
    )
