"""Data to learn from: zero mean, and one constant to unit variance, as the paper asks.

A data set whose true density is known carries it along, so that the bound K can be
held against the exact log likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dpm.datasets.pictures import Pictures


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
    paint : callable or None
        Of data that can be made anew without end: ``paint(n, rng)`` gives n more
        training samples, scaled, (n, n_dim).
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
    paint: Callable | None = None

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


def scaled(name: str, pictures: Pictures) -> Dataset:
    """Pictures as a data set, one row an image, in the order colour, row, column.

    The pixels lie in [0, 1]; one mean and one deviation, measured over all pixels of
    the training images, bring them to zero mean and unit variance.

    Parameters
    ----------
    name : str
    pictures : Pictures

    Notes
    -----
    Reference: ``train.py``, which measures both on the first minibatch alone.
    """
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

    def paint(n, rng):
        return table[pictures.paint(n, rng).reshape(n, -1)]

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
        paint=pictures.paint and paint,
    )
