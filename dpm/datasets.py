"""Data to learn from: zero mean, and one constant to unit variance, as the paper asks.

The heartbeat alone stays as it is: bits.

A data set whose true density is known carries it along, so that the bound K can be
held against the exact log likelihood.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.special import logsumexp

from dpm.checks import check_count
from dpm.images import IMAGE_SETS
from dpm.pictures import Pictures


@dataclass
class Dataset:
    """Training and held-out data, and how they were made.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray, shape (n, n_dim)
        Scaled: subtract `shift`, divide by `scale`, both measured on the training
        part.
    shift : ndarray, shape (n_dim,)
    scale : float
    per : str
        What a log likelihood is counted per, for tables: "point", "sequence", ...
    log_density : callable or None
        Exact log density of scaled data, (n, n_dim) to (n,), in nats, or the log
        probability of bits; None where nobody knows it.
    settings : dict
        Arguments that make the same data again.
    image_shape : tuple or None
        (colours, height, width) of data that are images.
    grey_level : float
        Of images: the step between two neighbouring values, after scaling.
    exhaustive : bool
        Whether the rows are all that the data can be, each equally likely, so that
        there is nothing else to hold out.
    whole : list of ndarray, shape (colours, height, width)
        Held-out pictures, scaled, that test images were cut from; any size.
    """

    name: str
    X_train: np.ndarray
    X_test: np.ndarray
    shift: np.ndarray
    scale: float
    per: str
    log_density: Callable | None = None
    settings: dict = field(default_factory=dict)
    image_shape: tuple | None = None
    grey_level: float = 0.0
    exhaustive: bool = False
    whole: list = field(default_factory=list)

    @property
    def n_dim(self) -> int:
        """Dimensions of a sample."""
        return self.X_train.shape[1]

    @property
    def description(self) -> dict:
        """What a checkpoint keeps of its data: settings, sizes and scaling."""
        return {
            "name": self.name,
            "settings": self.settings,
            "image_shape": self.image_shape and list(self.image_shape),
            "n_train": len(self.X_train),
            "n_test": len(self.X_test),
            "shift": np.asarray(self.shift).tolist(),
            "scale": self.scale,
            "grey_level": self.grey_level,
        }


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
    log_weight = np.log(np.tile(weights / 2, n_panels) / n_panels)
    spine = (roll_curve(u) - shift) / scale
    variance = (noise / scale) ** 2
    spine2 = (spine**2).sum(axis=1)
    out = np.empty(len(X))
    for start in range(0, len(X), block):
        part = X[start : start + block]
        distance2 = (part**2).sum(axis=1)[:, None] - 2 * part @ spine.T + spine2
        out[start : start + block] = logsumexp(
            log_weight - distance2 / (2 * variance), axis=1
        )
    return out - np.log(2 * np.pi * variance)


def swiss_roll(n_train=20_000, n_test=5_000, noise=0.3, seed=0) -> Dataset:
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
    if not 0 < noise < np.inf:
        raise ValueError(
            f"noise = {noise!r}: the swiss roll needs a positive standard deviation, "
            "or it is a curve, which has no density"
        )
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        if n < 2:
            raise ValueError(f"{name} = {n}: at least 2 points are needed")
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


def heartbeat(length: int = 20, period: int = 5) -> Dataset:
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
    check_count(period, "period", 2)
    if check_count(length, "length", period) % period:
        raise ValueError(
            f"length = {length} is not a multiple of period = {period}: some phases "
            "would have more pulses than others"
        )
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


SCALING_TOLERANCE = 1e-3  # of the scale: it moves K by about a thousandth of a bit


def check_same_data(dataset: Dataset, saved: dict | None) -> None:
    """Raise ValueError unless data are those of a checkpoint.

    Parameters
    ----------
    dataset : Dataset
    saved : dict or None
        The `description` that the checkpoint holds; older ones have none, and pass.
    """
    if saved is None:
        return
    scaling = ("shift", "scale", "grey_level")
    now = dataset.description
    was, now = ({**d.get("settings", {}), **d} for d in (saved, now))
    for name in dict.fromkeys(["name", *was, *now]):
        before, given = was.get(name), now.get(name)
        if name == "settings" or before == given:
            continue
        alike = None not in (before, given) and np.shape(before) == np.shape(given)
        if name in scaling and alike:
            error = np.abs(np.subtract(before, given)).max() / now["scale"]
            if error < SCALING_TOLERANCE:
                continue
        raise ValueError(
            f"the checkpoint's data had {name} = {before!r}, but those given have "
            f"{name} = {given!r}: it can only go on with, or be scored on, the data "
            "that it was trained on"
        )


def check_settings(name: str, settings) -> None:
    """Raise ValueError unless a set of images knows all these settings, by name."""
    known = list(inspect.signature(IMAGE_SETS[name]).parameters)
    for setting in settings:
        if setting not in known:
            raise ValueError(
                f"{name} has no setting {setting!r}: there are "
                f"{', '.join(known) or 'none'}"
            )


def images(name: str, **settings) -> Dataset:
    """A set of images, one row an image, in the order colour, row, column.

    The pixels lie in [0, 1]; one mean and one deviation, measured over all pixels of
    the training images, bring them to zero mean and unit variance.

    Parameters
    ----------
    name : str
        Of `dpm.images.IMAGE_SETS`.
    **settings
        Of the function there.

    Notes
    -----
    Reference: ``train.py``, which measures both on the first minibatch alone.
    """
    check_settings(name, settings)
    pictures = Pictures(*IMAGE_SETS[name](**settings))
    train, test = pictures.train, pictures.test
    if train.shape[1:] != test.shape[1:] or train.shape[2] != train.shape[3]:
        raise ValueError(
            f"{name}: training images of {train.shape[1:]} and test images of "
            f"{test.shape[1:]} (colours, height, width) must be square and alike"
        )
    top = pictures.levels - 1
    levels = np.arange(pictures.levels) / top
    histogram = np.bincount(train.ravel(), minlength=len(levels)) / train.size
    shift = float(histogram @ levels)
    scale = float(np.sqrt(histogram @ (levels - shift) ** 2))
    if scale == 0:
        raise ValueError(f"{name}: all pixels of all training images are the same")
    table = ((levels - shift) / scale).astype(np.float32)
    return Dataset(
        name=name,
        X_train=table[train.reshape(len(train), -1)],
        X_test=table[test.reshape(len(test), -1)],
        shift=np.array(shift),
        scale=scale,
        per="pixel",
        settings=pictures.settings,
        image_shape=train.shape[1:],
        grey_level=1.0 / (top * scale),
        whole=[table[picture] for picture in pictures.whole],
    )


DATASETS = {
    "SWISS_ROLL": swiss_roll,
    "HEARTBEAT": heartbeat,
    **{name: partial(images, name) for name in IMAGE_SETS},
}


def load(name: str, **settings) -> Dataset:
    """Make or read a data set by name.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those there are.
    """
    if name not in DATASETS:
        raise ValueError(
            f"unknown dataset {name!r}: there are {', '.join(sorted(DATASETS))}"
        )
    return DATASETS[name](**settings)
