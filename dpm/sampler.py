"""Walks along the trajectory, forward and back.

Only `generate_samples`, which does what it did in 2015, writes files.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm import viz
from dpm.blocks import devices
from dpm.blocks.backend import numbers, precision
from dpm.blocks.checks import as_rng, check_count, check_positive, check_rate
from dpm.diffusion import binomial, gaussian
from dpm.diffusion.factors import Denoising, Known, as_tuple, check_factor
from dpm.diffusion.schedule import beta_cumulative


def forward_trajectory(X, beta_arr, rng, rho=None):
    """Take the forward steps one by one (Eqs. 2 and 3).

    Parameters
    ----------
    X : ndarray
        Data x^(0), any shape.
    beta_arr : array_like, shape (T,)
    rng : int, numpy Generator or RandomState
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
    X, rng = np.array(X, dtype=float), as_rng(rng)
    yield 0, X
    for t, beta_t in enumerate(beta_arr, start=1):
        X = step(X, beta_t, kernels.noise(rng, X.shape))
        yield t, X


def compile_get_mu_sigma(model, n_samples: int, factor=None):
    """Compile f(X, t): one reverse step, multiplied by a smooth r(x) where asked.

    Parameters
    ----------
    model : GaussianDiffusion, DiffusionModel, or another with their ``kernels``,
        ``reverse_step`` and ``first_step``
    n_samples : int
        The compiled function takes X of shape (n_samples, *model.sample_shape).
    factor : Factor, optional
        Of `dpm.diffusion.factors`. What of it is `Smooth` enters the step; the rest
        does not, and one function serves for walks with and without it.

    Returns
    -------
    callable
        Gives what the model's kernels take: (mu, sigma), or (rate,) for bits. Time
        index t in 1..T-1 as in `model.get_mu_sigma`; t = 0 is the first step, which is
        fixed.

    Raises
    ------
    ValueError
        If a smooth log r does not give one number a sample, or does not depend on X.
    """
    factor = check_factor(factor)
    n = devices.filled_up(check_count(n_samples, "n_samples", 1))
    shape = (n, *model.sample_shape)
    state = pt.tensor("X_noisy", shape=shape, dtype=model.dtype)
    X = devices.share_out(state)
    t = pt.lscalar("t")
    learned = as_tuple(model.reverse_step(X, pt.maximum(t, 1)))
    fixed = as_tuple(model.first_step(X))
    step = [pt.switch(pt.eq(t, 0), *pair) for pair in zip(fixed, learned, strict=True)]
    if factor.smooth:
        step[0] = pt.specify_shape(step[0], shape)
        slope = factor.slope(model, step[0], t)
        step = as_tuple(model.kernels.perturb(*step, slope))
    step = devices.whole([part.astype(model.dtype) for part in step])
    step = devices.filling_up(pytensor.function([state, t], step), n_samples)

    def get_mu_sigma(X, t):
        return tuple(np.asarray(part) for part in step(X.astype(model.dtype), t))

    get_mu_sigma.smooth = factor.smooth
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
    rng : int, numpy Generator or RandomState
        An int gives the same draws at every call.

    Returns
    -------
    ndarray

    Notes
    -----
    Reference: ``diffusion_step`` in ``sampler.py``. `reverse_trajectory` takes such
    steps with any factor, for bits too.
    """
    mu, sigma = get_mu_sigma(Xmid, t)
    if denoise_sigma is not None:
        mu, sigma = gaussian.product(mu, sigma, XT, denoise_sigma)
    if mask is not None:
        mask = np.reshape(mask, np.shape(XT))
        mu, sigma = np.where(mask, XT, mu), np.where(mask, 0.0, sigma)
    noise = gaussian.noise(as_rng(rng), np.shape(XT)).astype(XT.dtype)
    return gaussian.sample(mu, sigma, noise)


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


def generate_samples(
    model,
    get_mu_sigma,
    n_samples: int = 36,
    inpaint: bool = False,
    denoise_sigma: float | None = None,
    X_true=None,
    base_fname_part1="samples",
    base_fname_part2="",
    num_intermediate_plots: int = 4,
    seed: int = 12345,
) -> np.ndarray:
    """Walk back from noise to images, and write pictures of states on the way.

    Each is written as ``.png`` and as ``.npz``, and named by the two parts with what it
    shows between them: ``_denoise1`` and ``_inpaint`` where asked, then ``_true`` for
    `X_true`, ``_t0100`` for x^100, and ``_t0000`` for the end.

    Parameters
    ----------
    model : DiffusionModel
        Of images.
    get_mu_sigma : callable
        From `compile_get_mu_sigma`, for as many samples.
    n_samples : int
    inpaint : bool
        Whether the right halves of `X_true` are known: see `generate_inpaint_mask`.
    denoise_sigma : float, optional
        Denoise `X_true`, to which noise of this deviation is added first.
    X_true : array_like, as many elements as the samples have, optional
    base_fname_part1, base_fname_part2 : str
        The names of all files begin and end with them; the first may hold a folder.
    num_intermediate_plots : int
        About how many states between x^T and the end are written.
    seed : int
        The same noise each time, so that one can compare the pictures.

    Returns
    -------
    ndarray, shape (n_samples, *model.sample_shape)

    Notes
    -----
    Reference: ``generate_samples`` in ``sampler.py``. As there the walk stops at x^1,
    and its end bears the name of x^0; with `sample` the last step is taken too. The
    draws are those of NumPy's newer generators, as everywhere in this package, so they
    are not those of 2015.
    """
    check_count(num_intermediate_plots, "num_intermediate_plots", 0)
    T, fname, factor = model.trajectory_length, str(base_fname_part1), None
    if denoise_sigma is not None:
        factor = Denoising(X_true, denoise_sigma)
        fname += f"_denoise{denoise_sigma:g}"
    if inpaint:
        mask = generate_inpaint_mask(n_samples, model.n_colors, model.spatial_width)
        known = Known(X_true, mask)
        factor = known if factor is None else factor * known
        fname += "_inpaint"
    walk = reverse_trajectory(
        model, n_samples, seed, factor, get_mu_sigma=get_mu_sigma, last_step=False
    )
    start = next(walk)  # a wrong option is refused before anything is written
    if X_true is not None:
        X_true = np.reshape(X_true, start[1].shape)
        viz.save_images(X_true, f"{fname}_true{base_fname_part2}")
    viz.save_images(start[1], f"{fname}_t{T:04d}{base_fname_part2}")
    every = int(np.ceil(T / (num_intermediate_plots + 2)))
    for t, X in walk:
        if (T - t) % every == 0:
            viz.save_images(X, f"{fname}_t{t:04d}{base_fname_part2}")
    viz.save_images(X, f"{fname}_t{0:04d}{base_fname_part2}")
    return X


def reverse_trajectory(
    model,
    n_samples: int,
    rng,
    factor=None,
    *,
    get_mu_sigma=None,
    last_step: bool = True,
    start: tuple | None = None,
    repeats: int = 1,
):
    """Walk from noise to samples (Eqs. 4 and 5), multiplied by r where asked.

    Parameters
    ----------
    model : GaussianDiffusion or DiffusionModel, or another with their ``kernels``,
        ``prior``, ``reverse_step`` and ``first_step``
    n_samples : int
    rng : int, numpy Generator or RandomState
    factor : Factor, optional
        r(x), of `dpm.diffusion.factors`. Left out, the samples are the model's own.
    get_mu_sigma : callable, optional
        From `compile_get_mu_sigma`, with the same smooth factors, so as not to compile
        again.
    last_step : bool
        Whether to take the step from x^(1) to x^(0).
    start : (int, array_like), optional
        A time t and a state x^t, from which to walk in place of noise at T, such as
        `noisy_as_state` gives.
    repeats : int
        How often each learned step is taken; the last, which is fixed, is taken once.
        Between two times there is one forward step back to x^(t+1), multiplied by r
        too. With a factor r that is not smooth the walk then comes nearer to
        p(x^0) r(x^0), at the cost of so many times the work.

    Yields
    ------
    t, X : int, ndarray of shape (n_samples, *model.sample_shape)
        The paper's t = T..0 and the state x^(t).

    Notes
    -----
    Reference: ``generate_samples`` in ``sampler.py``. It stops at x^(1) and calls that
    x^(0), as ``last_step=False`` does; here the last step is taken with the fixed
    kernel of Appendix B.2, which is the forward kernel of rate beta_1.

    One pass alone is not exact with a delta function at what is known, however fine the
    steps: what is unknown was drawn before it could see the x^(0) beside it. Taking
    steps again is the resampling of Lugmayr et al. (2022), Algorithm 1.
    """
    shape = (check_count(n_samples, "n_samples", 1), *model.sample_shape)
    T, kernels, rng = model.trajectory_length, model.kernels, as_rng(rng)
    factor = check_factor(factor)
    if check_count(repeats, "repeats", 1) > 1 and factor.smooth:
        raise ValueError(
            f"repeats = {repeats}: a smooth factor enters the compiled reverse step "
            "alone, not the forward steps between; leave one of the two out"
        )
    noise = kernels.noise(rng, shape).astype(model.dtype)
    r = factor.on(model, noise)
    if get_mu_sigma is None:
        get_mu_sigma = compile_get_mu_sigma(model, n_samples, factor)
    elif getattr(get_mu_sigma, "smooth", factor.smooth) != factor.smooth:
        raise ValueError(
            "get_mu_sigma was compiled with other smooth factors than the walk's: give "
            "the same object to compile_get_mu_sigma"
        )
    if start is None:
        pi = tuple(np.full(shape, part, dtype=float) for part in model.prior)
        with np.errstate(over="ignore"):  # that is said in a moment
            X = np.asarray(kernels.sample(*r.start(pi), noise)).astype(model.dtype)
        check_state(X, T)
    else:
        if r.has_own_start:
            raise ValueError("start and a factor that has its own: leave one out")
        T = check_count(start[0], "start[0]", 1)
        if T > model.trajectory_length:
            raise ValueError(f"start at t = {T}, but T = {model.trajectory_length}")
        X = check_state(np.asarray(start[1]).reshape(shape).astype(model.dtype), T)
    yield T, X
    rho = model.prior if len(model.prior) == 1 else ()
    beta_arr = numbers(model.beta_arr) if repeats > 1 else ()

    def drawn(step, t):
        noise = kernels.noise(rng, shape).astype(model.dtype)
        X = kernels.sample(*r.apply(step, t), noise)
        return check_state(np.asarray(X).astype(model.dtype), t)

    for t in range(T - 1, -1 if last_step else 0, -1):
        X = drawn(as_tuple(get_mu_sigma(X, t)), t)
        for _ in range(repeats - 1 if t else 0):
            back = as_tuple(kernels.forward_kernel(X, beta_arr[t], *rho))
            X = drawn(tuple(numbers(part) for part in back), t + 1)
            X = drawn(as_tuple(get_mu_sigma(X, t)), t)
        yield t, X


def check_state(X, t: int):
    """Return a state of a walk, or raise FloatingPointError where it is lost."""
    if not np.isfinite(X).all():
        raise FloatingPointError(
            f"the walk holds {X[~np.isfinite(X)].flat[0]} at t = {t}: the factor r "
            "asks for more than numbers hold there, or the model's parameters are bad"
        )
    return X


def noisy_as_state(model, X_noisy, sigma: float) -> tuple:
    """Data under Gaussian noise, as the forward state that they are.

    x^t / sqrt(1 - b_t) is the data with noise of variance b_t / (1 - b_t), b_t the
    share of noise (Table App.1). So a walk from here draws from the posterior of the
    clean data, with no factor r at all.

    Parameters
    ----------
    model : GaussianDiffusion or DiffusionModel
    X_noisy : array_like
    sigma : float
        Standard deviation of the noise.

    Returns
    -------
    t, X : int, ndarray
        The time whose noise is nearest to `sigma`, and sqrt(1 - b_t) X_noisy; for
        ``start=`` of `reverse_trajectory`.

    Raises
    ------
    ValueError
        If the noise is finer than that of x^1, or coarser than that of x^T.
    """
    if len(model.prior) != 2:
        raise ValueError("noisy_as_state is for Gaussian models")
    check_positive(sigma, "sigma")
    with precision("float64"):
        b = numbers(beta_cumulative(numbers(model.beta_arr).astype(float)))
    found = np.sqrt(b / (1.0 - b))
    if not 0.999 * found[0] <= sigma <= 1.001 * found[-1]:
        raise ValueError(
            f"sigma = {sigma:g}: the states of this model have {found[0]:.3g} to "
            f"{found[-1]:.3g}"
        )
    t = int(np.abs(np.log(found / sigma)).argmin())
    return t + 1, np.sqrt(1.0 - b[t]) * np.asarray(X_noisy)


def sample(
    model, n_samples: int, rng, factor=None, *, progress: bool = True, **options
) -> np.ndarray:
    """The end of `reverse_trajectory`, shape (n_samples, *model.sample_shape)."""
    walk = reverse_trajectory(model, n_samples, rng, factor, **options)
    total = model.trajectory_length + 1
    bar = tqdm(walk, "sample", total, leave=False, disable=not progress or None)
    *_, (_, X) = bar
    return X
