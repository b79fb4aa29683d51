"""Gaussian diffusion: the first column of the paper's Table App.1.

Pure functions of numbers or symbolic variables, elementwise over any shapes that
broadcast, in nats. ``mu`` is a mean, ``sigma`` a standard deviation; ``beta`` and
``beta_cumulative`` are variances. Sum over a sample's dimensions to get the joint
quantity: all these distributions are diagonal.
"""

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.backend import as_tensor
from dpm.blocks.checks import check_broadcast, check_rate

LOG_2PI_E = float(1.0 + np.log(2.0 * np.pi))


def forward_kernel(x_prev, beta):
    """One forward step, q(x^t | x^(t-1)), Eq. 2.

    .. math:: q(x^{(t)} | x^{(t-1)}) =
        N(x^{(t)}; x^{(t-1)} \\sqrt{1 - \\beta_t}, \\beta_t)

    Parameters
    ----------
    x_prev : array_like or symbolic
        State before the step.
    beta : array_like or symbolic
        Rate of the step, inside (0, 1); broadcasts against `x_prev`.

    Returns
    -------
    mu, sigma : symbolic
        Mean (shape of the broadcast) and standard deviation (shape of `beta`).
    """
    beta = as_tensor(check_rate(beta))
    check_broadcast(x_prev=x_prev, beta=beta)
    return as_tensor(x_prev) * pt.sqrt(1.0 - beta), pt.sqrt(beta)


def marginal(x0, beta_cumulative):
    """Many forward steps at once, q(x^t | x^0).

    t steps are one step whose rate is ``schedule.beta_cumulative(beta_arr)[t-1]``.

    Parameters
    ----------
    x0 : array_like or symbolic
        Data.
    beta_cumulative : array_like or symbolic
        1 - prod(1 - beta_s), the variance that is noise by now; inside (0, 1).

    Returns
    -------
    mu, sigma : symbolic
    """
    return forward_kernel(x0, check_rate(beta_cumulative, "beta_cumulative"))


def posterior(x0, x_t, beta, beta_cumulative_prior_step):
    """Where the trajectory was one step ago, q(x^(t-1) | x^t, x^0).

    Bayes' rule: the prior N(x^(t-1); x^0 sqrt(1-c), c) times the likelihood
    N(x^t; x^(t-1) sqrt(1-beta), beta).

    Parameters
    ----------
    x0, x_t : array_like or symbolic
        Data, and the state after step t.
    beta : array_like or symbolic
        Rate of step t, inside (0, 1).
    beta_cumulative_prior_step : array_like or symbolic
        c, the noise variance after step t-1.

    Returns
    -------
    mu, sigma : symbolic

    Notes
    -----
    Reference: the end of ``generate_forward_diffusion_sample`` in ``model.py``, which
    writes the same thing with precisions 1/c and (1-beta)/beta.
    """
    beta = as_tensor(check_rate(beta))
    c = check_rate(beta_cumulative_prior_step, "beta_cumulative_prior_step")
    check_broadcast(x0=x0, x_t=x_t, beta=beta, beta_cumulative_prior_step=c)
    x0, x_t, c = as_tensor(x0), as_tensor(x_t), as_tensor(c)
    total = beta + (1.0 - beta) * c  # the noise variance after step t
    mu = (pt.sqrt(1.0 - c) * beta * x0 + pt.sqrt(1.0 - beta) * c * x_t) / total
    return mu, pt.sqrt(beta * c / total)


def kl(mu_q, sigma_q, mu_p, sigma_p):
    """Kullback-Leibler divergence from p to q, elementwise, in nats.

    .. math:: D_{KL}(q || p) = \\log\\frac{\\sigma_p}{\\sigma_q}
        + \\frac{\\sigma_q^2 + (\\mu_q - \\mu_p)^2}{2 \\sigma_p^2} - \\frac12
    """
    check_broadcast(mu_q=mu_q, sigma_q=sigma_q, mu_p=mu_p, sigma_p=sigma_p)
    sigma_q, sigma_p = as_tensor(sigma_q), as_tensor(sigma_p)
    scaled = (sigma_q**2 + (mu_q - mu_p) ** 2) / (2.0 * sigma_p**2)
    return pt.log(sigma_p) - pt.log(sigma_q) + scaled - 0.5


def entropy(sigma):
    """Differential entropy of N(mu, sigma^2), elementwise, in nats.

    With sigma = sqrt(beta_t) it is H_q(X^t | X^(t-1)) per dimension; with
    sqrt(beta_cumulative) it is H_q(X^t | X^0); with 1 it is H_p(X^T) (Eq. 14).
    """
    return 0.5 * LOG_2PI_E + pt.log(as_tensor(sigma))


def log_prob(x, mu, sigma):
    """Log density of N(mu, sigma^2) at `x`, elementwise, in nats."""
    check_broadcast(x=x, mu=mu, sigma=sigma)
    z = (x - mu) / sigma
    return -0.5 * z**2 - pt.log(as_tensor(sigma)) - 0.5 * (LOG_2PI_E - 1.0)


def sample(mu, sigma, noise):
    """The point of N(mu, sigma^2) that standard normal `noise` stands for."""
    check_broadcast(mu=mu, sigma=sigma, noise=noise)
    return mu + sigma * noise


def noise(rng, shape):
    """The draws that `sample` takes, from a NumPy generator."""
    return rng.standard_normal(size=shape)


def perturb(mu, sigma, slope):
    """A Gaussian step times a smooth function r(x), to first order (Eq. 61).

    .. math:: N(x; \\mu, \\sigma^2) \\, r(x) \\approx N\\left(x;
        \\mu + \\sigma^2 \\frac{\\partial \\log r}{\\partial x}\\bigg|_{x = \\mu},
        \\sigma^2\\right)

    up to a factor that does not depend on x. Exact where log r is a straight line.

    Parameters
    ----------
    mu, sigma : array_like or symbolic
        Mean and deviation of the step.
    slope : array_like or symbolic
        Derivative of log r at `mu`, of its shape.

    Returns
    -------
    mu, sigma : symbolic
    """
    check_broadcast(mu=mu, sigma=sigma, slope=slope)
    return mu + sigma**2 * slope, sigma


def product(mu_1, sigma_1, mu_2, sigma_2):
    """Mean and deviation of the product of two Gaussians, normalised.

    .. math:: \\frac1{\\sigma^2} = \\frac1{\\sigma_1^2} + \\frac1{\\sigma_2^2},
        \\qquad \\frac\\mu{\\sigma^2} = \\frac{\\mu_1}{\\sigma_1^2}
        + \\frac{\\mu_2}{\\sigma_2^2}

    A reverse step times a Gaussian r(x), the exact form of Eq. 61 for such an r.

    Notes
    -----
    Reference: the denoising branch of ``diffusion_step`` in ``sampler.py``.
    """
    check_broadcast(mu_1=mu_1, sigma_1=sigma_1, mu_2=mu_2, sigma_2=sigma_2)
    sigma = (sigma_1**-2 + sigma_2**-2) ** -0.5
    mu = mu_1 * (sigma / sigma_1) ** 2 + mu_2 * (sigma / sigma_2) ** 2
    return mu, sigma


def power(mu, sigma, exponent):
    """Mean and deviation of a Gaussian raised to a power, normalised.

    With the exponent (T-t)/T this is the factor r of Section 2.5.4 that fades with t.
    Exponents must be positive.
    """
    return mu, sigma / exponent**0.5
