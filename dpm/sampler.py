"""Walks along the trajectory, forward and back. Nothing here plots or saves."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm import binomial, gaussian
from dpm.checks import check_broadcast, check_count, check_positive, check_rate


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
    kernels = gaussian if rho is None else binomial
    if rho is None:
        after = gaussian.sample(*gaussian.forward_kernel(state, beta), noise)
    else:
        after = binomial.sample(binomial.forward_kernel(state, beta, rho), noise)
    step = pytensor.function([state, beta, noise], after.astype("float64"))
    X = np.array(X, dtype=float)
    yield 0, X
    for t, beta_t in enumerate(beta_arr, start=1):
        X = step(X, beta_t, kernels.noise(rng, X.shape))
        yield t, X


def compile_get_mu_sigma(model, n_samples: int, log_r=None, fading: bool = False):
    """Compile f(X, t): one reverse step, multiplied by a smooth r(x) where asked.

    Parameters
    ----------
    model : GaussianDiffusion, DiffusionModel, or another with their ``kernels``,
        ``reverse_step`` and ``first_step``
    n_samples : int
        The compiled function takes X of shape (n_samples, *model.sample_shape).
    log_r : callable, optional
        ``log_r(X, t)`` gives log r(x^t) of each sample, symbolic of shape (n_samples,),
        for symbolic X of the samples' shape and the symbolic time t of that state. A
        log r that does not use t is constant in t (Eq. 23). Its slope at the mean of
        the step shifts that mean (Eq. 61), or the rates of bits (Table App.1).
    fading : bool
        Whether r has the exponent (T-t)/T, so that it says nothing at t = T.

    Returns
    -------
    callable
        Gives what the model's kernels take: (mu, sigma), or (rate,) for bits. Time
        index t in 1..T-1 as in `model.get_mu_sigma`; t = 0 is the first step, which is
        fixed.

    Raises
    ------
    ValueError
        If `log_r` does not give one number a sample, or does not depend on X.
    """
    shape = (check_count(n_samples, "n_samples", 1), *model.sample_shape)
    X = pt.tensor("X_noisy", shape=shape, dtype=model.dtype)
    t = pt.lscalar("t")
    learned = _as_tuple(model.reverse_step(X, pt.maximum(t, 1)))
    fixed = _as_tuple(model.first_step(X))
    step = [pt.switch(pt.eq(t, 0), *pair) for pair in zip(fixed, learned, strict=True)]
    if log_r is not None:
        slope = _slope(log_r, step[0], t, shape)
        if fading:
            slope = slope * (1.0 - t / float(model.trajectory_length))
        step = _as_tuple(model.kernels.perturb(*step, slope))
    step = pytensor.function([X, t], [part.astype(model.dtype) for part in step])

    def get_mu_sigma(X, t):
        return tuple(np.asarray(part) for part in step(X.astype(model.dtype), t))

    return get_mu_sigma


def _as_tuple(parts) -> tuple:
    """What describes a step, as a tuple: bits have the rate alone."""
    return tuple(parts) if isinstance(parts, tuple | list) else (parts,)


def _slope(log_r, X, t, shape):
    """Derivative of log r at symbolic X, or one clear error."""
    X = pt.specify_shape(X, shape)
    value = log_r(X, t)
    known = getattr(getattr(value, "type", None), "shape", None)
    if known is None or len(known) != 1 or known[0] not in (None, shape[0]):
        found = type(value).__name__ if known is None else f"shape {known}"
        raise ValueError(
            f"log_r gave {found} for X of shape {shape}, but it must give one number a "
            f"sample, a symbolic vector of shape ({shape[0]},): sum over the other axes"
        )
    slope = pt.grad(
        value.sum(), X, disconnected_inputs="ignore", return_disconnected="none"
    )
    if slope is None:
        raise ValueError("log_r does not depend on X: it cannot change any step")
    return slope


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
    Reference: ``diffusion_step`` in ``sampler.py``. `reverse_trajectory` takes its
    steps with the same pieces, for bits too.
    """
    r = None if denoise_sigma is None else (XT, denoise_sigma)
    return _step(gaussian, get_mu_sigma(Xmid, t), r, mask, XT, rng)


def _step(kernels, step, r, mask, known, rng):
    """Multiply a step by r exactly, draw from it, put back what is known."""
    if r is not None:
        step = _as_tuple(kernels.product(*step, *r))
    noise = kernels.noise(rng, np.shape(known)).astype(known.dtype)
    X = kernels.sample(*step, noise)
    return X if mask is None else np.where(mask.reshape(X.shape), known, X)


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
    r=None,
    log_r=None,
    fading: bool = False,
    get_mu_sigma=None,
    last_step: bool = True,
):
    """Walk from noise to samples (Eqs. 4 and 5), multiplied by r where asked.

    Parameters
    ----------
    model : GaussianDiffusion or DiffusionModel, or another with their ``kernels``,
        ``prior``, ``reverse_step`` and ``first_step``
    n_samples : int
    rng : numpy Generator or RandomState
    denoise_sigma : float, optional
        Sample from the posterior of `X_true` given `X_true` plus noise of this standard
        deviation. The walk starts at the noisy `X_true`, as in the reference.
    mask : ndarray of bool, optional
        Sample from the posterior given the pixels of `X_true` where True. As many
        elements as the samples have.
    X_true : ndarray, shape (n_samples, *model.sample_shape), optional
    r : tuple, optional
        A factor r that is multiplied into each step exactly: (mean, deviation) of a
        Gaussian, or (rate,) for bits, each of which broadcasts against the samples. A
        deviation of infinity, or a rate of 1/2, says nothing about that coordinate.
    log_r : callable, optional
        Any smooth factor, to first order: see `compile_get_mu_sigma`.
    fading : bool
        Whether the factor at time t is r to the power (T-t)/T; left out, it is the same
        at all times (Eq. 23). What `mask` marks is known at all times in either case.
    get_mu_sigma : callable, optional
        From `compile_get_mu_sigma`, with the same `log_r`, so as not to compile again.
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
    shape = (check_count(n_samples, "n_samples", 1), *model.sample_shape)
    T, kernels = model.trajectory_length, model.kernels
    X_true, mask = _check_known(X_true, mask, denoise_sigma, shape, model.dtype)
    if r is not None:
        r = _check_factor(r, shape, denoise_sigma, len(model.prior))
    if get_mu_sigma is None:
        get_mu_sigma = compile_get_mu_sigma(model, n_samples, log_r, fading)

    noise = kernels.noise(rng, shape).astype(model.dtype)
    if denoise_sigma is not None:
        XT = (X_true + noise * denoise_sigma).astype(model.dtype)
        r = (XT, denoise_sigma)
        if fading:
            XT = noise
    else:
        start = _start(model, shape, r, log_r, fading)
        XT = np.asarray(kernels.sample(*start, noise)).astype(model.dtype)
    known = XT if mask is None else X_true
    X = XT if mask is None else np.where(mask, known, XT)
    yield T, X
    for t in range(T - 1, -1 if last_step else 0, -1):
        factor = r
        if r is not None and fading:
            factor = _as_tuple(kernels.power(*r, 1.0 - t / T))
        X = _step(kernels, get_mu_sigma(X, t), factor, mask, known, rng)
        X = X.astype(model.dtype)
        yield t, X


def _check_known(X_true, mask, denoise_sigma, shape, dtype):
    """`X_true` and `mask` in the shape of the samples, or ValueError."""
    if denoise_sigma is not None:
        check_positive(denoise_sigma, "denoise_sigma")
    if X_true is not None:
        X_true = np.asarray(X_true, dtype=dtype)
        if X_true.size != np.prod(shape):
            raise ValueError(f"X_true has shape {X_true.shape}, but needs {shape}")
        X_true = X_true.reshape(shape)
    elif mask is not None or denoise_sigma is not None:
        raise ValueError("give X_true: what to inpaint or to denoise")
    if mask is not None:
        if np.size(mask) != np.prod(shape):
            raise ValueError(f"mask has {np.size(mask)} elements, the samples {shape}")
        mask = np.reshape(mask, shape)
    return X_true, mask


def _check_factor(r, shape, denoise_sigma, n_parts):
    """The parameters of an exact factor as arrays, or ValueError."""
    r = tuple(np.asarray(part, dtype=float) for part in _as_tuple(r))
    if denoise_sigma is not None:
        raise ValueError("give either denoise_sigma or r: both are a factor r(x)")
    if len(r) != n_parts:
        wanted = "(mean, deviation)" if n_parts == 2 else "(rate,)"
        raise ValueError(f"r has {len(r)} parts, but this model's factors are {wanted}")
    check_broadcast(samples=np.empty(shape), **{f"r[{i}]": p for i, p in enumerate(r)})
    if n_parts == 2 and not (r[1] > 0).all():
        raise ValueError(f"r has a deviation of {r[1].min():g}: it must be positive")
    return r


def _start(model, shape, r, log_r, fading) -> tuple:
    """Parameters of p(x^T) r(x^T), from which the reverse walk starts."""
    kernels = model.kernels
    start = tuple(np.full(shape, part, dtype=float) for part in model.prior)
    if fading:
        return start
    if r is not None:
        start = _as_tuple(kernels.product(*start, *r))
    if log_r is not None:
        X, t = pt.tensor("X", shape=shape, dtype=model.dtype), pt.lscalar("t")
        parts = _as_tuple(kernels.perturb(X, *start[1:], _slope(log_r, X, t, shape)))
        parts = [pt.as_tensor(part) for part in parts]
        perturbed = pytensor.function([X, t], parts, on_unused_input="ignore")
        start = perturbed(start[0].astype(model.dtype), model.trajectory_length)
    return tuple(np.asarray(part) for part in start)


def sample(model, n_samples: int, rng, progress: bool = True, **options) -> np.ndarray:
    """The end of `reverse_trajectory`, shape (n_samples, *model.sample_shape)."""
    walk = reverse_trajectory(model, n_samples, rng, **options)
    total = model.trajectory_length + 1
    bar = tqdm(walk, "sample", total, leave=False, disable=not progress or None)
    *_, (_, X) = bar
    return X
