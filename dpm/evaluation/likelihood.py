"""The log likelihood itself, estimated by Eq. 9 from forward trajectories.

Where `dpm.evaluation` bounds log p from below by K, these estimates approach it with
more trajectories: quickly for toys, and for images, whose weights differ by many orders
of magnitude, so slowly that K is the number to report.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm.blocks import devices
from dpm.blocks.backend import precision
from dpm.blocks.checks import check_count, check_data
from dpm.diffusion.bound import Estimate, log_likelihood_estimate, log_weight
from dpm.diffusion.factors import as_tuple

BATCH = 100  # trajectories walked at once, or more where a state is small
NUMBERS = 10_000  # in all states together


def compile_step(model, n: int):
    """Compile f(x^(t-1), t, noise): the step to x^t, and what Eq. 9 needs of it.

    Parameters
    ----------
    model : as in `log_likelihood`
    n : int
        Trajectories walked at once.

    Returns
    -------
    callable
        Gives x^t; log p(x^(t-1) | x^t), log q(x^t | x^(t-1)) and log pi(x^t) of each
        trajectory, in nats. The time index t in 0..T-1 stands for the paper's step t+1.
    """
    shape = (devices.filled_up(n), *model.sample_shape)
    kernels, axes = model.kernels, tuple(range(1, len(shape)))
    rho = model.prior if len(model.prior) == 1 else ()  # the forward kernel of bits
    state = pt.tensor("X", shape=shape, dtype=model.dtype)
    X = devices.share_out(state)
    noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
    t = pt.lscalar("t")
    with precision(model.dtype):
        forth = as_tuple(kernels.forward_kernel(X, model.beta_arr[t], *rho))
        after = kernels.sample(*forth, noise).astype(model.dtype)
        learned = as_tuple(model.reverse_step(after, pt.maximum(t, 1)))
        fixed = as_tuple(model.first_step(after))
        back = [pt.switch(pt.eq(t, 0), *p) for p in zip(fixed, learned, strict=True)]
        log_probs = (
            kernels.log_prob(X, *back),
            kernels.log_prob(after, *forth),
            kernels.log_prob(after, *model.prior),
        )
        sums = [log_prob.sum(axis=axes) for log_prob in log_probs]
    step = pytensor.function([state, t, noise], devices.whole([after, *sums]))
    return devices.filling_up(step, n)


def log_likelihood(
    model, X, n_trajectories: int = 100, seed: int = 0, progress: bool = True
) -> Estimate:
    """log p(x^0) of each sample by Eq. 9, from forward trajectories that start there.

    Parameters
    ----------
    model : GaussianDiffusion, BinomialDiffusion, DiffusionModel, or another with their
        ``kernels``, ``prior``, ``beta_arr``, ``reverse_step`` and ``first_step``
    X : ndarray, shape (n, n_dim)
        A model's `uniform_noise` is added first, one draw a sample: the density is that
        at the point where the sample then lies.
    n_trajectories : int
        For each sample. Each takes T evaluations of the network.
    seed : int

    Returns
    -------
    Estimate
        In nats, arrays of shape (n,). Where its effective sample size is near 1, one
        trajectory outweighs the others, and the truth lies further up.
    """
    check_count(n_trajectories, "n_trajectories", 1)
    X = check_data(X, int(np.prod(model.sample_shape)))
    X = X.reshape(len(X), *model.sample_shape).astype(model.dtype)
    rng = np.random.default_rng(seed)
    width = getattr(model, "uniform_noise", 0.0)
    if width:
        X = (X + (rng.random(X.shape) - 0.5) * width).astype(model.dtype)
    T, n = model.trajectory_length, len(X) * n_trajectories
    size = min(max(BATCH, NUMBERS // X[0].size), n)
    step = compile_step(model, size)
    weights = np.empty(n)  # all trajectories of the first sample first
    starts = range(0, n, size)
    with tqdm(
        desc="log p", total=len(starts) * T, leave=False, disable=not progress or None
    ) as bar:
        for start in starts:
            which = np.arange(start, start + size) % n  # the last batch is filled up
            state = X[which // n_trajectories]
            log_p, log_q = np.empty((2, T, size))
            for t in range(T):
                noise = model.kernels.noise(rng, state.shape).astype(model.dtype)
                state, log_p[t], log_q[t], log_p_end = step(state, t, noise)
                state = np.asarray(state)
                bar.update()
            weights[which] = log_weight(np.asarray(log_p_end, float), log_p, log_q)
    return log_likelihood_estimate(weights.reshape(len(X), n_trajectories).T)
