"""Walks along the trajectory, forward and back. Nothing here plots or saves."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

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


def compile_get_mu_sigma(model, n_samples: int):
    """Compile f(X, t): mean and standard deviation of one reverse step.

    Parameters
    ----------
    model : GaussianDiffusion or DiffusionModel
    n_samples : int
        The compiled function takes X of shape (n_samples, *model.sample_shape).

    Returns
    -------
    callable
        Time index t in 1..T-1, as in `model.get_mu_sigma`.
    """
    shape = (n_samples, *model.sample_shape)
    X = pt.tensor("X_noisy", shape=shape, dtype=model.dtype)
    t = pt.lscalar("t")
    step = pytensor.function([X, t], model.reverse_step(X, t))

    def get_mu_sigma(X, t):
        mu, sigma = step(X.astype(model.dtype), t)
        return np.asarray(mu), np.asarray(sigma)

    return get_mu_sigma


def diffusion_step(Xmid, t, get_mu_sigma, denoise_sigma, mask, XT, rng):
    """Take one reverse step, multiplied by r(x) where asked (Section 2.5).

    Parameters
    ----------
    Xmid : ndarray, shape (n_samples, ...)
        State before the step.
    t : int
    get_mu_sigma : callable
        Gives mean and standard deviation of p(x^(t-1) | x^t).
    denoise_sigma : float or None
        r is a Gaussian around `XT` with this standard deviation.
    mask : ndarray of bool, or None
        r is a delta function at `XT` where True: those pixels are known.
    XT : ndarray
        State at the start of the trajectory.
    rng : numpy Generator or RandomState

    Returns
    -------
    ndarray

    Notes
    -----
    Reference: ``diffusion_step`` in ``sampler.py``.
    """
    mu, sigma = get_mu_sigma(Xmid, t)
    if denoise_sigma is not None:
        mu, sigma = gaussian.product(mu, sigma, XT, denoise_sigma)
    noise = rng.standard_normal(size=Xmid.shape)
    X = gaussian.sample(mu, sigma, noise.astype(Xmid.dtype))
    return X if mask is None else np.where(mask.reshape(X.shape), XT, X)


def generate_inpaint_mask(n_samples: int, n_colors: int, spatial_width: int):
    """Which pixels are known: True in the right half, False where we inpaint.

    Returns
    -------
    ndarray of bool, shape (n_samples * n_colors * spatial_width**2,)

    Notes
    -----
    Reference: ``generate_inpaint_mask`` in ``sampler.py``.
    """
    shape = (n_samples, n_colors, spatial_width, spatial_width)
    mask = np.zeros(shape, dtype=bool)
    mask[..., spatial_width // 2 :] = True
    return mask.ravel()


def reverse_trajectory(
    model,
    n_samples: int,
    rng,
    *,
    denoise_sigma: float | None = None,
    mask=None,
    X_true=None,
    get_mu_sigma=None,
    last_step: bool = True,
):
    """Walk from noise to samples (Eqs. 4 and 5), multiplied by r where asked.

    Parameters
    ----------
    model : GaussianDiffusion or DiffusionModel
    n_samples : int
    rng : numpy Generator or RandomState
    denoise_sigma : float, optional
        Sample from the posterior of `X_true` given `X_true` plus noise of this standard
        deviation.
    mask : ndarray of bool, optional
        Sample from the posterior given the pixels of `X_true` where True. As many
        elements as the samples have.
    X_true : ndarray, shape (n_samples, *model.sample_shape), optional
    get_mu_sigma : callable, optional
        From `compile_get_mu_sigma`, so as not to compile again.
    last_step : bool
        Whether to take the step from x^(1) to x^(0).

    Yields
    ------
    t, X : int, ndarray of shape (n_samples, *model.sample_shape)
        The paper's t = T..0 and the state x^(t).

    Notes
    -----
    Reference: ``generate_samples`` in ``sampler.py``. It stops at x^(1) and calls that
    x^(0), as ``last_step=False`` does; here the last step is taken with the fixed
    kernel of Appendix B.2, which is the forward kernel of rate beta_1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples = {n_samples}: ask for at least one sample")
    shape = (n_samples, *model.sample_shape)
    if denoise_sigma is not None and not 0 < denoise_sigma < np.inf:
        raise ValueError(f"denoise_sigma = {denoise_sigma!r}: it must be positive")
    if X_true is not None:
        X_true = np.asarray(X_true, dtype=model.dtype)
        if X_true.size != np.prod(shape):
            raise ValueError(f"X_true has shape {X_true.shape}, but needs {shape}")
        X_true = X_true.reshape(shape)
    elif mask is not None or denoise_sigma is not None:
        raise ValueError("give X_true: what to inpaint or to denoise")
    if mask is not None and np.size(mask) != np.prod(shape):
        raise ValueError(f"mask has {np.size(mask)} elements, the samples {shape}")
    get_mu_sigma = get_mu_sigma or compile_get_mu_sigma(model, n_samples)
    T = model.trajectory_length
    XT = rng.standard_normal(size=shape).astype(model.dtype)
    if denoise_sigma is not None:
        XT = (X_true + XT * denoise_sigma).astype(model.dtype)
    if mask is not None:
        mask = np.reshape(mask, shape)
        XT = np.where(mask, X_true, XT)
    X = XT
    yield T, X
    for t in range(T - 1, 0, -1):
        X = diffusion_step(X, t, get_mu_sigma, denoise_sigma, mask, XT, rng)
        yield t, X
    if last_step:
        beta_1 = float(model.beta_arr[0].eval())

        def fixed_kernel(X, t):
            return np.sqrt(1 - beta_1) * X, np.sqrt(beta_1)

        X = diffusion_step(X, 0, fixed_kernel, denoise_sigma, mask, XT, rng)
        yield 0, X.astype(model.dtype)


def sample(model, n_samples: int, rng, progress: bool = True, **options) -> np.ndarray:
    """The end of `reverse_trajectory`, shape (n_samples, *model.sample_shape)."""
    walk = reverse_trajectory(model, n_samples, rng, **options)
    total = model.trajectory_length + 1
    bar = tqdm(walk, "sample", total, leave=False, disable=not progress or None)
    *_, (_, X) = bar
    return X
