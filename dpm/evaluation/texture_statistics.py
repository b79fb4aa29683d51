"""Whether a filling is hard to find: four statistics of squares of a texture.

A filling is a sample, and need not equal what was there. But where it looks like the
rest of its picture, its statistics lie among those of the picture's other squares. One
that lies outside is a filling to be found: see `broken`.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dpm.blocks.checks import check_count

N_BANDS = 6  # of `spectrum`


def as_squares(squares, name: str = "squares") -> np.ndarray:
    """Pictures as doubles, (n, size, size), or ValueError: of other shapes, not finite.

    Pictures of one grey level are refused too, for they have no correlations.
    """
    X = np.asarray(squares, dtype=float)
    X = X[None] if X.ndim == 2 else X
    if X.ndim != 3 or X.shape[1] != X.shape[2] or len(X) == 0:
        raise ValueError(
            f"{name} of shape {np.shape(squares)}: give (n, size, size), of one colour"
        )
    if not np.isfinite(X).all():
        raise ValueError(f"{name} hold NaN or infinity: remove or repair them")
    if (np.ptp(X, axis=(1, 2)) == 0).any():
        raise ValueError(f"one of the {name} has one grey level alone: leave it out")
    return X


def spectrum(squares, n_bands: int = N_BANDS) -> np.ndarray:
    """Decimal logarithm of the power in bands of spatial frequency.

    Parameters
    ----------
    squares : array_like, shape (n, size, size)
    n_bands : int
        Rings, each as much wider than the one before, from waves of two thirds of a
        square to waves of two pixels.

    Returns
    -------
    ndarray, shape (n, n_bands)
        From long waves to short. White noise has the logarithm of its variance in all.

    Notes
    -----
    The rims of a square are faded out by a Hann window, or its left and right ends,
    which do not meet, would count as an edge.
    """
    X = as_squares(squares)
    size = X.shape[1]
    check_count(n_bands, "n_bands", 1)
    window = np.outer(np.hanning(size), np.hanning(size))
    centred = X - (X * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    power = np.abs(np.fft.fft2(centred * window)) ** 2 / (window**2).sum()
    frequency = np.fft.fftfreq(size)
    frequency = np.hypot(frequency[:, None], frequency)
    edges = np.geomspace(1.5 / size, 0.5, n_bands + 1)
    rings = [(low <= frequency) & (frequency < high)
             for low, high in zip(edges[:-1], edges[1:], strict=True)]  # fmt: skip
    if not all(ring.any() for ring in rings):
        raise ValueError(
            f"n_bands = {n_bands}: some hold no wave that fits a square of {size} x "
            f"{size} pixels: take fewer, or larger squares"
        )
    return np.log10(np.stack([power[:, ring].mean(axis=1) for ring in rings], axis=1))


def neighbour_correlations(squares) -> np.ndarray:
    """Correlation of a pixel with the one to its right, and with the one below.

    Returns
    -------
    ndarray, shape (n, 2)
    """
    X = as_squares(squares)
    pairs = (X[:, :, 1:], X[:, :, :-1]), (X[:, 1:], X[:, :-1])
    return np.stack([_correlation(*pair) for pair in pairs], axis=1)


def _correlation(x, y):
    x, y = (part - part.mean(axis=(1, 2), keepdims=True) for part in (x, y))
    square = (x**2).mean(axis=(1, 2)) * (y**2).mean(axis=(1, 2))
    return (x * y).mean(axis=(1, 2)) / np.sqrt(square)


def gradient_kurtosis(squares) -> np.ndarray:
    """Kurtosis of the step from a pixel to the next, to the right and downwards.

    It is 3 where the steps are Gaussian, and more where flat places and sharp edges
    alternate.

    Returns
    -------
    ndarray, shape (n, 2)
    """
    X = as_squares(squares)
    found = []
    for axis in (2, 1):
        step = np.diff(X, axis=axis)
        square = (step - step.mean(axis=(1, 2), keepdims=True)) ** 2
        least = np.finfo(float).tiny  # steps that are all the same have no kurtosis
        fourth, second = (square**2).mean(axis=(1, 2)), square.mean(axis=(1, 2))
        found.append(fourth / np.maximum(second**2, least))
    return np.stack(found, axis=1)


def variance(squares) -> np.ndarray:
    """Variance of the pixels of each square, shape (n, 1)."""
    return as_squares(squares).var(axis=(1, 2))[:, None]


STATISTICS = {
    "spectrum": spectrum,
    "neighbours": neighbour_correlations,
    "kurtosis": gradient_kurtosis,
    "variance": variance,
}


def other_squares(picture, size: int, stride: int, hole=None) -> np.ndarray:
    """The squares of a picture on a grid, without those that touch a hole.

    Parameters
    ----------
    picture : array_like, shape (height, width)
    size, stride : int
        Of the squares, and from one to the next, in pixels.
    hole : (int, int), optional
        Row and column where a hole of that size begins.

    Returns
    -------
    ndarray, shape (n, size, size)

    Raises
    ------
    ValueError
        If fewer than two are left.
    """
    picture = np.asarray(picture, dtype=float)
    check_count(size, "size", 2)
    check_count(stride, "stride", 1)
    if picture.ndim != 2 or min(picture.shape) < size:
        raise ValueError(
            f"picture of shape {picture.shape}: give (height, width), no smaller than "
            f"the squares of {size} x {size}"
        )
    windows = sliding_window_view(picture, (size, size))[::stride, ::stride]
    rows, columns = (stride * k for k in np.indices(windows.shape[:2]))
    free = np.ones(rows.shape, bool)
    if hole is not None:
        free = (abs(rows - hole[0]) >= size) | (abs(columns - hole[1]) >= size)
    if free.sum() < 2:
        raise ValueError(
            f"{free.sum()} squares of {size} x {size} beside the hole: a range needs "
            "two or more; give a smaller size or stride, or a larger picture"
        )
    return windows[free]


def inside(squares, others) -> dict:
    """Which of the four statistics of squares lie in the range of other squares'.

    Parameters
    ----------
    squares : array_like, shape (n, size, size)
        Such as fillings, or true squares to compare them with.
    others : array_like, shape (m, size, size)
        Of the same picture.

    Returns
    -------
    dict
        By the names of `STATISTICS` bool arrays of shape (n,). A statistic of several
        numbers, such as the bands of the spectrum, is inside if all of them are.

    Notes
    -----
    The range is from the least to the greatest of m squares. A further square that
    differs from them by chance alone is outside in one number with probability
    2 / (m + 1) if all are independent. They are not where they overlap, so ask the same
    of squares known to be whole.
    """
    squares, others = as_squares(squares), as_squares(others, "others")
    if len(others) < 2 or others.shape[1:] != squares.shape[1:]:
        raise ValueError(
            f"others of shape {others.shape} for squares of {squares.shape}: give two "
            "or more of the same size"
        )
    found = {}
    for name, statistic in STATISTICS.items():
        value, around = statistic(squares), statistic(others)
        within = (around.min(axis=0) <= value) & (value <= around.max(axis=0))
        found[name] = within.all(axis=1)
    return found


def broken(squares, others) -> int:
    """How many squares have at least one of the four statistics outside.

    Parameters
    ----------
    squares, others : as of `inside`
    """
    within = np.stack(list(inside(squares, others).values()))
    return int((~within.all(axis=0)).sum())
