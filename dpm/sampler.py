"""Walks along the trajectory, forward and back. Nothing here plots or saves."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm import binomial, gaussian
from dpm.checks import check_rate


def forward_trajectory(X, beta_arr, rng: np.random.Generator, rho=None):
    """Take the forward steps one by one (Eqs. 2 and 3).

    Parameters
    ----------
    X : ndarray
        Data x^(0), any shape.
    beta_arr : array_like, shape (T,)
    rng : numpy Generator
    rho : float, optional
        Left out, the diffusion is Gaussian; given, it is binomial with this
        stationary rate and X holds bits.

    Yields
    ------
    t, X : int, ndarray
        The paper's t = 0..T and the state x^(t).
    """
    beta_arr = check_rate(np.asarray(beta_arr, dtype=float), closed=rho is not None)
    state = pt.tensor("state", shape=np.shape(X), dtype="float64")
    noise = pt.tensor("noise", shape=np.shape(X), dtype="float64")
    beta = pt.scalar("beta", dtype="float64")
    if rho is None:
        after = gaussian.sample(*gaussian.forward_kernel(state, beta), noise)
        draw = rng.standard_normal
    else:
        after = binomial.sample(binomial.forward_kernel(state, beta, rho), noise)
        draw = rng.random
    step = pytensor.function([state, beta, noise], after.astype("float64"))
    X = np.array(X, dtype=float)
    yield 0, X
    for t, beta_t in enumerate(beta_arr, start=1):
        X = step(X, beta_t, draw(X.shape))
        yield t, X


def compile_reverse_kernel(model, n_samples: int):
    """Compile f(X, t): mean and standard deviation of one reverse step.

    Parameters
    ----------
    model : GaussianDiffusion
    n_samples : int
        The compiled function takes X of shape (n_samples, n_dim).

    Returns
    -------
    callable
        Time index t in 1..T-1, as in `model.get_mu_sigma`.
    """
    X = pt.tensor("X_noisy", shape=(n_samples, model.n_dim), dtype=model.dtype)
    t = pt.lscalar("t")
    mu, sigma = model.get_mu_sigma(X[None], t[None])  # (1, n_samples, n_dim)
    return pytensor.function([X, t], [mu[0], sigma[0]])


def reverse_trajectory(model, n_samples: int, rng: np.random.Generator):
    """Sample from the model: start at pi and take T reverse steps (Eqs. 4 and 5).

    Parameters
    ----------
    model : GaussianDiffusion
    n_samples : int
    rng : numpy Generator

    Yields
    ------
    t, X : int, ndarray of shape (n_samples, n_dim)
        The paper's t = T..0 and the state x^(t).

    Notes
    -----
    Reference: ``sampler.py``, ``generate_samples``. It stops at x^(1), one step short;
    here the last step is taken with the fixed kernel of Appendix B.2, which is the
    forward kernel of rate beta_1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples = {n_samples}: ask for at least one sample")
    kernel = compile_reverse_kernel(model, n_samples)
    beta_1 = float(model.beta_arr[0].eval())
    shape = (n_samples, model.n_dim)
    X = rng.standard_normal(shape).astype(model.dtype)
    yield model.trajectory_length, X
    for t in range(model.trajectory_length - 1, 0, -1):
        mu, sigma = kernel(X, t)
        X = gaussian.sample(mu, sigma, rng.standard_normal(shape).astype(model.dtype))
        yield t, X
    last = np.sqrt(1 - beta_1) * X + np.sqrt(beta_1) * rng.standard_normal(shape)
    yield 0, last.astype(model.dtype)


def sample(model, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """The end of `reverse_trajectory`: samples x^(0), shape (n_samples, n_dim)."""
    *_, (_, X) = reverse_trajectory(model, n_samples, rng)
    return X
