"""Log likelihood by a Parzen window: how the paper's Table 2 scores models of MNIST.

A model that can only draw samples gets a density: one round Gaussian on every sample.
In 784 dimensions no number of samples that one can draw is enough for that density to
come near the model's, so the score is for comparison with published ones. The bound K
of Eq. 14 says more of a model.

With 10,000 training images as samples the score of MNIST's test images is 350 +- 3 bits
at width 0.17, where the paper's Table 2 has 349 +- 3.3 for its perfect model. The first
10,000 or a random choice of them, one grey level of noise on the pixels or none, moves
it by less than 5 bits; a width of 0.2 costs 17. It is no ceiling: the window rewards
what is smooth. Blurred by half a pixel they score 84 bits more (of 1,000 test images).
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dpm.blocks import processes
from dpm.blocks.checks import check_count, check_data
from dpm.evaluation.report import mean_and_error, some_rows
from dpm.sampler import compile_get_mu_sigma, sample

GRID = np.geomspace(0.1, 1.0, 31)  # widths tried, in units of the range of a pixel
N_VALIDATION = 1_000
SAMPLE_BATCH = 100
BLOCK = 500  # images scored at once: 20 MB of distances to 10,000 samples


class Score(NamedTuple):
    """What a Parzen window says of a model.

    Attributes
    ----------
    log_p, standard_error : float
        Mean log likelihood of the test images, and its error over them, in nats an
        image with pixels in [0, 1]. Divide by ln 2 for the paper's bits.
    sigma : float
        The width, the best of the grid on the validation images.
    grid, validation : ndarray
        The widths tried, and the mean log likelihood of the validation images at each.
    n_samples : int
    """

    log_p: float
    standard_error: float
    sigma: float
    grid: np.ndarray
    validation: np.ndarray
    n_samples: int


def log_density(X, samples, sigma, progress: bool = True) -> np.ndarray:
    """Log density of a Gaussian of width sigma on each sample, in nats.

    .. math:: \\log p(x) = \\log \\frac1N \\sum_{n=1}^N
        N\\left(x; x_n, \\sigma^2 I\\right)

    Parameters
    ----------
    X : array_like, shape (n, n_dim)
    samples : array_like, shape (n_samples, n_dim)
    sigma : float or array_like, shape (n_sigma,)
        Several widths share the distances, which are most of the work.

    Returns
    -------
    ndarray, shape (n,) or (n_sigma, n)

    Notes
    -----
    Distances are products of single precision matrices, taken from the mean of the
    samples. For digits of 784 pixels that is wrong by about 4e-4 nats at width 0.2, and
    more for narrower ones, as 1 / sigma^2. Breuleux et al., 2011.
    """
    samples = np.asarray(samples)
    samples = check_data(samples, samples.shape[-1] if samples.ndim else 0, "samples")
    n, n_dim = samples.shape
    X = check_data(X, n_dim)
    sigmas = np.atleast_1d(np.asarray(sigma, dtype=float))
    least = np.finfo(np.float32).tiny ** 0.25  # whose square divides in float32
    if sigmas.ndim != 1 or not ((sigmas > least) & np.isfinite(sigmas)).all():
        raise ValueError(
            f"sigma = {sigma}: a width must be positive, above {least:.0e}"
        )
    centre = samples.mean(axis=0, dtype=float)
    samples = (samples - centre).astype(np.float32)
    length2 = np.einsum("ij,ij->i", samples, samples)
    out = np.zeros((len(sigmas), len(X)))
    starts = range(0, len(X), BLOCK)[processes.own_share()]
    for start in tqdm(starts, "Parzen window", leave=False, disable=not progress):
        part = (X[start : start + BLOCK] - centre).astype(np.float32)
        distance2 = length2 - 2 * part @ samples.T  # (block, n), of x_n to x, less x^2
        nearest = distance2.min(axis=1)
        distance2 -= nearest[:, None]
        rest = nearest + np.einsum("ij,ij->i", part, part)
        for row, s in zip(out, sigmas, strict=True):
            weights = np.exp(distance2 * np.float32(-0.5 / s**2))
            total = np.log(weights.sum(axis=1, dtype=float))
            row[start : start + BLOCK] = total - rest / (2 * s**2)
    normalizer = np.log(n) + n_dim * (0.5 * np.log(2 * np.pi) + np.log(sigmas))
    out = processes.added_up(out)
    out -= normalizer[:, None]
    return out[0] if np.ndim(sigma) == 0 else out


def score(samples, X_validation, X_test, grid=GRID, progress: bool = True) -> Score:
    """Score samples against held-out images, as in Table 2.

    Parameters
    ----------
    samples, X_validation, X_test : array_like, shape (n, n_dim)
        All in the same units; the paper's have pixels in [0, 1]. No validation image
        may be among the samples, or the narrowest width wins.
    grid : array_like
        Widths to choose from.

    Returns
    -------
    Score
        With a `sigma` at an end of the grid, a wider grid is needed.

    Notes
    -----
    Goodfellow et al., 2014.
    """
    grid = np.atleast_1d(np.asarray(grid, dtype=float))
    validation = log_density(X_validation, samples, grid, progress).mean(axis=1)
    sigma = float(grid[validation.argmax()])
    log_p = mean_and_error(log_density(X_test, samples, sigma, progress))
    return Score(*log_p, sigma, grid, validation, len(samples))


def score_model(model, dataset, n_samples: int = 10_000, seed: int = 0) -> Score:
    """Score a model of images by samples that it draws, as in Table 2.

    Samples are on the scale that the model learned; dataset.scale and dataset.shift
    bring them back to pixels in [0, 1]. Like the reference's they are not clipped: few
    pixels leave the interval, and by little. The validation images come from the
    training part, where this package keeps no other; they decide the width and nothing
    else. Test images are compared as they are, without noise.

    Parameters
    ----------
    model : DiffusionModel
    dataset : Dataset
        Of images.
    n_samples : int
        Each takes T evaluations of the network.
    seed : int
        Of the samples and of the choice of validation images.
    """
    check_count(n_samples, "n_samples", 1)
    rng = np.random.default_rng(seed)
    size = min(SAMPLE_BATCH, n_samples)
    step = compile_get_mu_sigma(model, size)
    parts = [
        sample(model, size, rng, progress=False, get_mu_sigma=step)
        for _ in tqdm(range(-(-n_samples // size)), "samples", leave=False)
    ]
    samples = np.concatenate(parts)[:n_samples].reshape(n_samples, -1)
    validation = some_rows(dataset.X_train, N_VALIDATION, seed)
    in_pixels = (
        X * dataset.scale + dataset.shift for X in (samples, validation, dataset.X_test)
    )
    return score(*in_pixels)
