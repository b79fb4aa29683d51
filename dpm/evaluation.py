"""How good a model is: K against L_null and, where it is known, the exact L.

K of a toy is summed over every t. K of images is estimated from a few time steps of
each image (`estimate_bound`), or summed over every t (`bound_all_t`). Either way the
standard error is that over images; only of data that are all there, like the
heartbeat, is it that over draws. log p itself is estimated by `log_likelihood`.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm.bound import binomial_null_log_likelihood, null_log_likelihood, to_bits
from dpm.checks import check_bits, check_count, check_data
from dpm.likelihood import log_likelihood


def compile_terms(model, batch_size: int):
    """Compile f(X, noise): K per sample (batch,), and the KL terms (T-1, batch)."""
    n_steps = model.trajectory_length - 1
    X = pt.tensor("X", shape=(batch_size, model.n_dim), dtype=model.dtype)
    noise = pt.tensor(
        "noise", shape=(n_steps, batch_size, model.n_dim), dtype=model.dtype
    )
    return pytensor.function(
        [X, noise], [model.get_bound(X, noise), model.get_KL(X, noise)]
    )


def bound_per_sample(model, X, n_draws: int = 2, seed: int = 0, batch_size: int = 500):
    """K of Eq. 14 for each sample, summed over every t.

    Parameters
    ----------
    model : GaussianDiffusion
    X : ndarray, shape (n, n_dim)
    n_draws : int
        Forward noises averaged for each sample.
    seed : int
        Of those noises.
    batch_size : int
        Samples done at once.

    Returns
    -------
    K : ndarray, shape (n,)
        Nats.
    kl : ndarray, shape (T-1,)
        Mean divergence of each reverse step, t = 2..T, in nats.
    """
    X = check_data(X, model.n_dim)
    if n_draws < 1:
        raise ValueError(f"n_draws = {n_draws}: at least one forward draw is needed")
    batch_size = min(batch_size, len(X))
    compute = compile_terms(model, batch_size)
    rng = np.random.default_rng(seed)
    K = np.zeros(len(X))
    kl = np.zeros(model.trajectory_length - 1)
    starts = range(0, len(X), batch_size)
    for _ in range(n_draws):
        for start in tqdm(starts, desc="evaluate", leave=False):
            rows = np.arange(start, start + batch_size)
            n_new = min(batch_size, len(X) - start)  # the last batch is filled up
            noise = rng.standard_normal((len(kl), batch_size, model.n_dim))
            K_part, kl_part = compute(
                X[rows % len(X)].astype(model.dtype), noise.astype(model.dtype)
            )
            K[start : start + n_new] += K_part[:n_new] / n_draws
            kl += kl_part[:, :n_new].sum(axis=1) / (n_draws * len(X))
    return K, kl


def bound_per_draw(model, X, n_draws: int = 100, seed: int = 0):
    """K of Eq. 14 averaged over all of the data, summed over every t, for each draw.

    For data of which every row is known, so that nothing is random but the draws of
    the forward trajectory.

    Parameters
    ----------
    model : BinomialDiffusion
    X : ndarray, shape (n, n_dim)
        Bits.
    n_draws : int
        At least 2.
    seed : int

    Returns
    -------
    K : ndarray, shape (n_draws,)
        Nats. The spread of their mean is its standard error.
    kl : ndarray, shape (T-1,)
        Mean divergence of each reverse step, t = 2..T, in nats.
    """
    X = check_bits(check_data(X, model.n_dim), "data").astype(model.dtype)
    if n_draws < 2:
        raise ValueError(
            f"n_draws = {n_draws}: at least two forward draws are needed, or K has no "
            "standard error"
        )
    compute = compile_terms(model, len(X))
    rng = np.random.default_rng(seed)
    K, kl = np.zeros(n_draws), np.zeros(model.trajectory_length - 1)
    for i in tqdm(range(n_draws), desc="evaluate", leave=False):
        noise = model.kernels.noise(rng, (len(kl), *X.shape))
        K_part, kl_part = compute(X, noise.astype(model.dtype))
        K[i] = np.mean(K_part)
        kl += np.mean(kl_part, axis=1) / n_draws
    return K, kl


IMAGE_BATCH = 500
ALL_T_BATCH = 100  # one time step for all of them: fastest where it fits into caches


def compile_estimate(model, batch_size: int):
    """Compile f(X, noise, t, uniform): of each image the KL term at t, and K, nats."""
    X = pt.tensor("X", shape=(batch_size, model.n_dim), dtype=model.dtype)
    shape = (batch_size, *model.sample_shape)
    noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
    uniform = pt.tensor("uniform", shape=shape, dtype=model.dtype)
    t = pt.tensor("t", shape=(batch_size, 1), dtype=model.dtype)
    KL = model.get_KL(X, noise, t, uniform)
    K = model.get_bound(X, noise, t, uniform)
    return pytensor.function([X, noise, t, uniform], [KL, K])


def estimate_bound(model, X, n_draws: int = 3, seed: int = 0, compute=None):
    """K of Eq. 14 for each image, from random time steps.

    Each image gets `n_draws` time steps of its own, with noise, and T-1 times their
    mean divergence stands for the sum of Eq. 14. The time steps are evenly spaced from
    a random start (`spread_times`), so the estimate is unbiased, and the more they are
    the less is left of the variance between early and late steps.

    Parameters
    ----------
    model : DiffusionModel
    X : ndarray, shape (n, n_dim)
    n_draws : int
    seed : int
    compute : callable, optional
        From `compile_estimate`, so as not to compile again.

    Returns
    -------
    K : ndarray, shape (n,)
        Nats. Their mean estimates K; the spread of their mean is its standard error.
    t, KL : ndarray, shape (n_draws, n)
        The time steps, and the divergence found at each.
    """
    X = check_data(X, model.n_dim)
    if n_draws < 1:
        raise ValueError(f"n_draws = {n_draws}: at least one draw is needed")
    size = min(IMAGE_BATCH, len(X))
    compute = compute or compile_estimate(model, size)
    rng = np.random.default_rng(seed)
    times = spread_times(model.trajectory_length, n_draws, len(X), rng)
    K, KL = np.zeros((2, n_draws, len(X)))
    starts = range(0, len(X), size)
    for draw in tqdm(range(n_draws), desc="evaluate", leave=False):
        for start in starts:
            rows = np.arange(start, start + size) % len(X)  # the last batch is filled
            shape = (size, *model.sample_shape)
            noise = rng.standard_normal(shape, dtype=model.dtype)
            uniform = rng.random(shape, dtype=model.dtype)
            t = times[draw, rows][:, None].astype(model.dtype)
            out = compute(X[rows].astype(model.dtype), noise, t, uniform)
            n_new = min(size, len(X) - start)
            for array, value in zip((KL, K), out, strict=True):
                array[draw, start : start + n_new] = np.asarray(value)[:n_new]
    return K.mean(axis=0), times, KL


def spread_times(T: int, n_draws: int, n: int, rng) -> np.ndarray:
    """Time steps in 1..T-1, (n_draws, n): columns evenly spaced, from a random start.

    All steps come up equally often on average, and from n_draws = T-1 each comes up in
    every column.
    """
    place = (np.arange(n_draws)[:, None] + rng.random(n)) / n_draws
    return np.minimum(1 + (place * (T - 1)).astype(int), T - 1)


def bound_all_t(model, X, seed: int = 0, progress: bool = True):
    """K of Eq. 14 for each image, the sum over t = 1..T-1 in full.

    Takes T-1 evaluations of the network for each image. Its only noise is that of the
    forward trajectory, drawn once for each image and step.

    Parameters
    ----------
    model : DiffusionModel
    X : ndarray, shape (n, n_dim)
    seed : int

    Returns
    -------
    K : ndarray, shape (n,)
        Nats.
    KL : ndarray, shape (T-1,)
        Mean divergence at each t = 1..T-1, in nats.
    """
    X = check_data(X, model.n_dim)
    size = min(ALL_T_BATCH, len(X))
    shape = (size, *model.sample_shape)
    types = {"X": X[:size].shape, "noise": shape, "t": (1, 1), "uniform": shape}
    inputs = [pt.tensor(k, shape=s, dtype=model.dtype) for k, s in types.items()]
    compute = pytensor.function(inputs, model.get_KL(*inputs))
    ends = float(model._bound(pt.zeros((1, 1), dtype=model.dtype)).eval()[0])
    total, KL = np.zeros(len(X)), np.zeros(model.trajectory_length - 1)
    starts = range(0, len(X), size)
    bar = tqdm(range(len(KL)), "K, all t", leave=False, disable=not progress or None)
    for k in bar:
        t = np.full((1, 1), k + 1, model.dtype)
        rng = np.random.default_rng([seed, k + 1])
        for start in starts:
            rows = np.arange(start, start + size) % len(X)  # the last batch is filled
            noise = rng.standard_normal(shape, dtype=model.dtype)
            uniform = rng.random(shape, dtype=model.dtype)
            part = compute(X[rows].astype(model.dtype), noise, t, uniform)
            n_new = min(size, len(X) - start)
            new = np.asarray(part)[:n_new]
            total[start : start + n_new] += new
            KL[k] += new.sum(dtype=float) / len(X)
    return ends - total, KL


def bits_per_dimension(K, n_dim: int, grey_level: float):
    """What K promises of whole grey levels: at most so many bits a pixel and colour.

    Data that were whole numbers, 0 to 255, before uniform noise filled the gaps between
    them, have a density whose cells of one grey level hold their probabilities. By
    Jensen the mean of its logarithm is below that of the probability, so

    .. math:: -\\frac1D \\log_2 P(\\text{levels}) \\le
        -\\frac{K}{D \\log 2} - \\log_2 \\Delta

    where Delta is the width of one grey level in the units of the data that K is of,
    1 / (255 scale): the last term is what the change of units adds.

    Parameters
    ----------
    K : array_like
        Nats an image, of data with uniform noise of width `grey_level` on them.
    n_dim : int
        D, pixels times colours.
    grey_level : float
        Delta.
    """
    return -to_bits(np.asarray(K)) / n_dim - np.log2(grey_level)


def bits_per_pixel_above_null(model, K):
    """K - L_null in bits per pixel, all colours summed, from K in nats per image."""
    L_null = null_log_likelihood(model.n_dim)
    return to_bits(K - L_null) / model.spatial_width**2


def mean_and_error(values) -> tuple[float, float]:
    """Mean of independent values, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def some_rows(X, n: int | None, seed: int = 0) -> np.ndarray:
    """`n` rows of X drawn without replacement, in their order; all of them for None.

    Not the first n: those of MNIST's test images come from other writers than the rest.
    """
    if n is None or check_count(n, "n", 1) >= len(X):
        return X
    rng = np.random.default_rng(seed)
    return X[np.sort(rng.choice(len(X), n, replace=False))]


def evaluate(
    model,
    dataset,
    n_draws: int | None = None,
    seed: int = 0,
    *,
    all_t: bool = False,
    n_images: int | None = None,
    on_train: bool = False,
) -> dict:
    """Score a model on held-out data, as in the paper's Table 1.

    Parameters
    ----------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    dataset : Dataset
    n_draws : int, optional
        Noises for each sample; of images, time steps for each. 2 where left out, and
        400 of data that are exhaustive, where the standard error comes from the draws
        alone.
    seed : int
    all_t : bool
        Whether K of images is summed over every t; that of toys always is.
    n_images : int, optional
        Use so many of the held-out samples, drawn at random. Exhaustive data are always
        used whole.
    on_train : bool
        Whether to score as many samples of the training data too: the difference is
        what the model learned by heart. Exhaustive data have no others.

    Returns
    -------
    dict
        ``K``, ``L_null``, ``K - L_null`` and, where the data's density is known,
        ``L`` and ``L - K``, each a dict of ``value``, ``standard_error`` and
        ``unit``; and ``kl_per_step``, the terms t = 2..T of Eq. 14, in bits (of images:
        as estimated, None where no draw fell). Of images with grey levels also
        ``grey levels``, see `bits_per_dimension`. ``samples`` says how
        many there were. ``train``, where asked for, is the same of training data.
    """
    if dataset.image_shape not in (None, model.sample_shape):
        raise ValueError(
            f"the model takes images of shape {model.sample_shape} (colours, "
            f"height, width), but {dataset.name} has {dataset.image_shape}"
        )
    if dataset.exhaustive and (on_train or n_images is not None):
        raise ValueError(
            f"the {len(dataset.X_test)} samples of {dataset.name} are all that there "
            "are: they are scored whole, and nothing is held out that training data "
            "could be compared with"
        )
    default = 400 if dataset.exhaustive else 2
    how = (default if n_draws is None else n_draws, seed, all_t)
    held_out = some_rows(dataset.X_test, n_images, seed)
    report = _scores(model, dataset, held_out, *how)
    if on_train:
        train = some_rows(dataset.X_train, len(held_out), seed)
        report["train"] = _scores(model, dataset, train, *how)
    return report


def _scores(model, dataset, X, n_draws, seed, all_t) -> dict:
    """`evaluate` of one part of the data."""
    images = dataset.image_shape is not None
    L_null = null_log_likelihood(dataset.n_dim)
    if images and all_t:
        K, kl = bound_all_t(model, X, seed)
    elif images:
        K, t, KL = estimate_bound(model, X, n_draws, seed)
        steps = range(1, model.trajectory_length)
        kl = [KL[t == k].mean() if (t == k).any() else np.nan for k in steps]
    elif dataset.exhaustive:
        K, kl = bound_per_draw(model, X, n_draws, seed)
        L_null = binomial_null_log_likelihood(X, *model.prior).mean()
    else:
        K, kl = bound_per_sample(model, X, n_draws, seed)
    per = pixels_of(model) if images else 1  # images are counted per pixel
    nats, K, kl = K, to_bits(K) / per, np.array(kl) / per
    L_null = to_bits(L_null) / per
    rows = {"K": K, "L_null": np.full(len(K), L_null), "K - L_null": K - L_null}
    if dataset.log_density is not None:
        L = to_bits(dataset.log_density(X))
        L = np.full(len(K), L.mean()) if dataset.exhaustive else L
        rows |= {"L": L, "L - K": L - K}
    unit = f"bits/{dataset.per}"
    report = {name: row(values, unit) for name, values in rows.items()}
    level = dataset.grey_level
    if images and level and np.isclose(model.uniform_noise, level):
        bits = bits_per_dimension(nats, dataset.n_dim, level)
        report["grey levels"] = row(bits, "bits/dimension, at most")
    report["kl_per_step"] = [None if np.isnan(k) else k for k in to_bits(kl).tolist()]
    report["samples"] = {"n": len(X), "all_t": all_t or not images}
    return report


def pixels_of(model) -> int:
    """Pixels of an image, whatever its colours."""
    return int(np.prod(model.sample_shape[-2:]))


def row(values, unit: str) -> dict:
    """Mean and standard error as a report has them."""
    value, error = mean_and_error(values)
    return {"value": value, "standard_error": error, "unit": unit}


def score_log_p(model, dataset, n: int, n_trajectories: int = 10, seed: int = 0):
    """`log_likelihood` of some held-out samples, for a report.

    Returns
    -------
    dict
        ``log p``, and ``effective_sample_size``, the mean over the samples. Of all of
        exhaustive data the standard error is that of the trajectories.
    """
    X = some_rows(dataset.X_test, n, seed)
    found = log_likelihood(model, X, n_trajectories, seed)
    per = 1 if dataset.image_shape is None else pixels_of(model)
    log_p = row(to_bits(found.log_p) / per, f"bits/{dataset.per}")
    if dataset.exhaustive and len(X) == len(dataset.X_test):
        error = to_bits(np.hypot.reduce(found.standard_error)) / len(X)
        log_p["standard_error"] = float(error)
    return {
        "log p": log_p,
        "effective_sample_size": float(found.effective_sample_size.mean()),
        "n_trajectories": n_trajectories,
        "n": len(X),
    }
