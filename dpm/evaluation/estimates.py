"""K estimated by compiled functions, for each sample or each draw, in nats.

K of a toy is summed over every t. K of images is estimated from a few time steps of
each image (`estimate_bound`), or summed over every t (`bound_all_t`).
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm.blocks import devices
from dpm.blocks.checks import check_bits, check_data

IMAGE_BATCH = 500
ALL_T_BATCH = 100  # one time step for all of them: fastest where it fits into caches


def compile_bound(model, batch_size: int, t_shape: tuple | None = None):
    """Compile f(X, noise, t): K, and the divergences it is made of.

    Parameters
    ----------
    model : GaussianDiffusion, BinomialDiffusion, DiffusionModel
    batch_size : int
    t_shape : tuple, optional
        Of t, as `get_KL` of the model takes it: (batch,), or (n_t, 1), ... Left out,
        every learned step is visited, and f(X, noise) takes no t.

    Returns
    -------
    callable
        Of X (batch, n_dim), noise (..., batch, *sample_shape) and t; gives K (batch,)
        and the divergences (..., batch), in nats.
    """
    draws = (model.trajectory_length - 1,) if t_shape is None else t_shape[:-1]
    of_data = len(model.prior) == 1  # entropies of bits are averages over the batch
    size = batch_size if of_data else devices.filled_up(batch_size)
    X = pt.tensor("X", shape=(size, model.n_dim), dtype=model.dtype)
    shape = (*draws, size, *model.sample_shape)
    noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
    inputs = [X, noise]
    if t_shape is not None:
        t_shape = (*draws, size if t_shape[-1] > 1 else 1)
        inputs.append(pt.tensor("t", shape=t_shape, dtype="int64"))
    KL = model.get_KL(*inputs)
    found = devices.whole([model.bound_of(KL, X, t_shape is None), KL])
    compute = pytensor.function(inputs, found)
    return compute if of_data else devices.filling_up(compute, batch_size, axis=-1)


def check_scores(K, what: str = "row"):
    """Return bounds, one for each row of data, or raise ValueError where one is lost.

    A point so far out that its square overflows has no bound that numbers could hold.
    """
    lost = np.flatnonzero(~np.isfinite(K))
    if lost.size:
        raise ValueError(
            f"K of {what} {lost[0]} is {K[lost[0]]} ({lost.size} of {len(K)}): its "
            "numbers are too large for the model's precision, or its parameters are "
            "bad; scale the data as those it was trained on"
        )
    return K


def batches(n: int, size: int):
    """Cut n rows into batches, the last filled up with the first rows.

    Yields
    ------
    rows : ndarray, shape (size,)
    new : slice
        Those of the n that the batch is the first to hold: its first rows.
    """
    for start in range(0, n, size):
        yield np.arange(start, start + size) % n, slice(start, min(start + size, n))


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
    size = min(batch_size, len(X))
    compute = compile_bound(model, size)
    rng = np.random.default_rng(seed)
    K, kl = np.zeros(len(X)), np.zeros(model.trajectory_length - 1)
    for _ in range(n_draws):
        for rows, new in tqdm(list(batches(len(X), size)), "evaluate", leave=False):
            noise = model.kernels.noise(rng, (len(kl), size, model.n_dim))
            K_part, kl_part = compute(
                X[rows].astype(model.dtype), noise.astype(model.dtype)
            )
            n_new = new.stop - new.start
            K[new] += K_part[:n_new] / n_draws
            kl += kl_part[:, :n_new].sum(axis=1) / (n_draws * len(X))
    return check_scores(K), kl


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
    compute = compile_bound(model, len(X))
    rng = np.random.default_rng(seed)
    K, kl = np.zeros(n_draws), np.zeros(model.trajectory_length - 1)
    for i in tqdm(range(n_draws), desc="evaluate", leave=False):
        noise = model.kernels.noise(rng, (len(kl), *X.shape))
        K_part, kl_part = compute(X, noise.astype(model.dtype))
        K[i] = np.mean(K_part)
        kl += np.mean(kl_part, axis=1) / n_draws
    return check_scores(K, "draw"), kl


def _at_times(model, X, t, size: int, rng, compute):
    """K and divergence of each image, each (n,), from one time step: t (n,) or (1,)."""
    K, KL = np.empty((2, len(X)))
    shape, width = (size, *model.sample_shape), float(model.uniform_noise)
    for rows, new in batches(len(X), size):
        noise = rng.standard_normal(shape, dtype=model.dtype)
        uniform = rng.random(shape, dtype=model.dtype).reshape(size, -1)
        moved = X[rows].astype(model.dtype) + (uniform - 0.5) * width
        out = compute(moved, noise, t if len(t) == 1 else t[rows])
        for array, value in zip((K, KL), out, strict=True):
            array[new] = np.asarray(value)[: new.stop - new.start]
    return K, KL


def compile_estimate(model, n: int):
    """The function that `estimate_bound` needs for n images."""
    size = min(IMAGE_BATCH, n)
    return compile_bound(model, size, (size,))


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
    compute = compute or compile_estimate(model, len(X))
    rng = np.random.default_rng(seed)
    times = spread_times(model.trajectory_length, n_draws, len(X), rng)
    size = min(IMAGE_BATCH, len(X))
    found = [
        _at_times(model, X, t, size, rng, compute)
        for t in tqdm(times, "evaluate", leave=False)
    ]
    K, KL = np.moveaxis(found, 1, 0)
    return check_scores(K.mean(axis=0)), times, KL


def bound_at_random_t(model, X, n_draws: int = 3, seed: int = 0):
    """`estimate_bound`, with the divergences averaged where they belong.

    Returns
    -------
    K : ndarray, shape (n,)
        Nats.
    kl : ndarray, shape (T-1,)
        Mean divergence at each t = 1..T-1, in nats; NaN where no draw fell.
    """
    K, times, KL = estimate_bound(model, X, n_draws, seed)
    steps = range(1, model.trajectory_length)
    at = [KL[times == t] for t in steps]
    return K, np.array([found.mean() if found.size else np.nan for found in at])


def spread_times(T: int, n_draws: int, n: int, rng) -> np.ndarray:
    """Time steps in 1..T-1, (n_draws, n): columns evenly spaced, from a random start.

    All steps come up equally often on average, and from n_draws = T-1 each comes up in
    every column.
    """
    place = (np.arange(n_draws)[:, None] + rng.random(n)) / n_draws
    return np.minimum(1 + (place * (T - 1)).astype(int), T - 1)


def compile_all_t(model, n: int):
    """The function that `bound_all_t` needs for n images."""
    return compile_bound(model, min(ALL_T_BATCH, n), (1,))


def bound_all_t(model, X, seed: int = 0, progress: bool = True, compute=None):
    """K of Eq. 14 for each image, the sum over t = 1..T-1 in full.

    Takes T-1 evaluations of the network for each image. Its only noise is that of the
    forward trajectory, drawn once for each image and step.

    Parameters
    ----------
    model : DiffusionModel
    X : ndarray, shape (n, n_dim)
    seed : int
    compute : callable, optional
        From `compile_all_t`, so as not to compile again.

    Returns
    -------
    K : ndarray, shape (n,)
        Nats.
    KL : ndarray, shape (T-1,)
        Mean divergence at each t = 1..T-1, in nats.
    """
    X = check_data(X, model.n_dim)
    size = min(ALL_T_BATCH, len(X))
    compute = compute or compile_all_t(model, len(X))
    n_terms = model.trajectory_length - 1
    K, KL = np.zeros(len(X)), np.zeros(n_terms)
    steps = range(1, n_terms + 1)
    for t in tqdm(steps, "K, all t", leave=False, disable=not progress or None):
        rng = np.random.default_rng([seed, t])
        K_t, KL_t = _at_times(model, X, np.array([t]), size, rng, compute)
        K += K_t / n_terms  # each estimates the whole sum from its own term
        KL[t - 1] = KL_t.mean()
    return check_scores(K), KL
