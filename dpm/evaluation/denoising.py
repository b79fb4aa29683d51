"""What a model sees in noise, beside the best that a linear filter can see.

The bound adds up all reverse steps, and those with little noise outweigh the others.
Here each amount of noise is looked at by itself.
"""

import numpy as np

from dpm.blocks.backend import numbers
from dpm.blocks.checks import check_count, check_data
from dpm.diffusion import gaussian
from dpm.diffusion.schedule import beta_cumulative
from dpm.sampler import compile_get_mu_sigma

UNITS = np.eye(2)  # (x^0, x^t) that pick out what each contributes to a linear mean


def log_snr(model) -> np.ndarray:
    """Log signal-to-noise ratio log((1 - b_t) / b_t) after each step, shape (T,)."""
    _, b = _rates(model)
    return np.log1p(-b) - np.log(b)


def _rates(model):
    """beta_t and b_t of a model, in double precision."""
    beta = numbers(model.beta_arr).astype(float)
    return beta, numbers(beta_cumulative(beta))


def picture_error(model, X, steps, seed: int = 0) -> np.ndarray:
    """Mean squared error of the x^(0) that reverse steps see in x^(t).

    The mean of q(x^(t-1) | x^t, x^0) is linear in x^0, so from the mean of a reverse
    step follows the x^0 it stands for, whatever the network's own output means.

    Parameters
    ----------
    model : GaussianDiffusion, DiffusionModel, or another with their ``reverse_step``
    X : array_like, shape (n, n_dim)
        Held-out data.
    steps : sequence of int
        Time indices in 1..T-1.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray, shape (n_steps,)
        Averaged over data and dimensions, in the units of X squared.

    Notes
    -----
    Of all functions of x^(t) the posterior mean of x^(0) has the smallest error.
    """
    X = check_data(X, int(np.prod(model.sample_shape)))
    X = X.reshape(len(X), *model.sample_shape)
    steps = [check_count(int(t), "a step", 1) for t in steps]
    beta, b = _rates(model)
    if max(steps, default=1) >= len(b):
        raise ValueError(f"step {max(steps)}: the last of this model is {len(b) - 1}")
    get_mu_sigma = compile_get_mu_sigma(model, len(X))
    rng = np.random.default_rng([seed, len(b)])  # not that which X may be drawn from
    errors = []
    for t in steps:
        noise = rng.standard_normal(X.shape)
        X_noisy = np.sqrt(1 - b[t]) * X + np.sqrt(b[t]) * noise
        mu, _ = get_mu_sigma(X_noisy, t)
        mean, _ = gaussian.posterior(*UNITS, beta[t], b[t - 1])
        by_picture, by_state = numbers(mean)
        seen = (mu - by_state * X_noisy) / by_picture
        errors.append(np.mean((seen - X) ** 2))
    return np.array(errors)


def wiener_error(variances, log_snr, squares=None) -> np.ndarray:
    """Mean squared error of the best linear guess of x^(0) from x^(t).

    .. math:: \\frac1n \\sum_i \\frac{v_i b}{(1 - b) v_i + b}, \\qquad
        \\log\\frac{1-b}{b} = \\text{log\\_snr}

    Parameters
    ----------
    variances : array_like, shape (n_dim,)
        v_i, of the data along their principal components.
    log_snr : array_like
        Log signal-to-noise ratios.
    squares : array_like, shape (n_dim,), optional
        Mean squares, along the same components and about the same mean, of other data
        that the filter is asked about. Left out, they are the variances.

    Returns
    -------
    ndarray, shape of `log_snr`

    Notes
    -----
    The filter of Wiener (1949). It knows the mean and the covariance of the data, and
    is the best of all functions if they are Gaussian. On other data it leaves
    (s_i + odds v_i^2) / (1 + odds v_i)^2 of a component of mean square s_i.
    """
    v = np.asarray(variances, dtype=float)
    if v.ndim != 1 or not (v >= 0).all():
        raise ValueError(f"variances = {variances}: a vector of numbers from 0 is due")
    s = v if squares is None else np.asarray(squares, dtype=float)
    if s.shape != v.shape or not (s >= 0).all():
        raise ValueError(f"squares = {squares}: a number from 0 is due for each of {v}")
    odds = np.exp(np.asarray(log_snr, dtype=float))[..., None]  # (1 - b) / b
    return ((s + odds * v**2) / (odds * v + 1.0) ** 2).mean(axis=-1)
