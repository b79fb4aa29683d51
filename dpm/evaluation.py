"""How good a model is: K against L_null and, where it is known, the exact L."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm.bound import binomial_null_log_likelihood, null_log_likelihood, to_bits
from dpm.checks import check_bits, check_data


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

    Each image gets `n_draws` time steps of its own, drawn uniformly from 1..T-1, with
    noise, and T-1 times their mean divergence stands for the sum: an unbiased estimate.

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
    times = rng.integers(1, model.trajectory_length, size=(n_draws, len(X)))
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


def bits_per_pixel_above_null(model, K):
    """K - L_null in bits per pixel, all colours summed, from K in nats per image."""
    L_null = null_log_likelihood(model.n_dim)
    return to_bits(K - L_null) / model.spatial_width**2


def mean_and_error(values) -> tuple[float, float]:
    """Mean of independent values, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def evaluate(model, dataset, n_draws: int | None = None, seed: int = 0) -> dict:
    """Score a model on held-out data, as in the paper's Table 1.

    Parameters
    ----------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    dataset : Dataset
    n_draws : int, optional
        Forward noises for each sample; 2 where left out, and 400 of data that are
        exhaustive, where the standard error comes from the draws alone.
    seed : int

    Returns
    -------
    dict
        ``K``, ``L_null``, ``K - L_null`` and, where the data's density is known,
        ``L`` and ``L - K``, each a dict of ``value``, ``standard_error`` and
        ``unit``; and ``kl_per_step``, the terms t = 2..T of Eq. 14, in bits (of images:
        as estimated, None where no draw fell).
    """
    default = 400 if dataset.exhaustive else 2
    n_draws = default if n_draws is None else n_draws
    per, L_null = 1, null_log_likelihood(dataset.n_dim)
    if dataset.image_shape is not None:
        if model.sample_shape != dataset.image_shape:
            raise ValueError(
                f"the model takes images of shape {model.sample_shape} (colours, "
                f"height, width), but {dataset.name} has {dataset.image_shape}"
            )
        K, t, KL = estimate_bound(model, dataset.X_test, n_draws, seed)
        steps = range(1, model.trajectory_length)
        kl = [KL[t == k].mean() if (t == k).any() else np.nan for k in steps]
        per = model.spatial_width**2  # images are counted per pixel
    elif dataset.exhaustive:
        K, kl = bound_per_draw(model, dataset.X_test, n_draws, seed)
        L_null = binomial_null_log_likelihood(dataset.X_test, *model.prior).mean()
    else:
        K, kl = bound_per_sample(model, dataset.X_test, n_draws, seed)
    K, kl = to_bits(K) / per, np.array(kl) / per
    unit = f"bits/{dataset.per}"
    L_null = to_bits(L_null) / per
    rows = {"K": K, "L_null": np.full(len(K), L_null), "K - L_null": K - L_null}
    if dataset.log_density is not None:
        L = to_bits(dataset.log_density(dataset.X_test))
        L = np.full(len(K), L.mean()) if dataset.exhaustive else L
        rows |= {"L": L, "L - K": L - K}
    report = {}
    for name, values in rows.items():
        value, error = mean_and_error(values)
        report[name] = {"value": value, "standard_error": error, "unit": unit}
    report["kl_per_step"] = [None if np.isnan(k) else k for k in to_bits(kl).tolist()]
    return report
