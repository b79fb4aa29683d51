"""Binomial diffusion: the second column of the paper's Table App.1.

Bits flip towards independent coins. Pure functions, elementwise over any shapes that
broadcast, in nats, with the names of `dpm.diffusion.gaussian`. A distribution over one
bit is given by its rate, the probability of a 1; ``rho`` is the rate of pi. Sum over
the bits of a sample to get the joint quantity: given the state they come from, they are
independent.
"""

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.backend import as_tensor
from dpm.blocks.checks import check_broadcast, check_rate


def forward_kernel(x_prev, beta, rho=0.5):
    """One forward step, q(x^t | x^(t-1)), Eq. 2.

    .. math:: q(x^{(t)} | x^{(t-1)}) =
        B(x^{(t)}; x^{(t-1)} (1 - \\beta_t) + \\rho \\beta_t)

    Parameters
    ----------
    x_prev : array_like or symbolic
        Bits before the step, 0 or 1.
    beta : array_like or symbolic
        Probability that a bit is drawn anew, in (0, 1].
    rho : float or symbolic
        Rate of the coin it is drawn from, inside (0, 1): pi's rate.

    Returns
    -------
    symbolic
        Rate of each bit after the step.
    """
    beta = as_tensor(check_rate(beta, closed=True))
    check_broadcast(x_prev=x_prev, beta=beta)
    return as_tensor(x_prev) * (1.0 - beta) + check_rate(rho, "rho") * beta


def marginal(x0, beta_cumulative, rho=0.5):
    """Many forward steps at once, q(x^t | x^0).

    .. math:: q(x^{(t)} | x^{(0)}) = B(x^{(t)}; x^{(0)} (1 - b_t) + \\rho b_t), \\quad
        b_t = 1 - \\prod_{s \\le t} (1 - \\beta_s)

    Parameters
    ----------
    x0 : array_like or symbolic
        Data, 0 or 1.
    beta_cumulative : array_like or symbolic
        b_t, the probability that a bit has been drawn anew by now; in (0, 1].
    rho : float or symbolic

    Returns
    -------
    symbolic
        Rate of each bit.
    """
    check_rate(beta_cumulative, "beta_cumulative", closed=True)
    return forward_kernel(x0, beta_cumulative, rho)


def posterior(x0, x_t, beta, beta_cumulative_prior_step, rho=0.5):
    """Where the trajectory was one step ago, q(x^(t-1) | x^t, x^0).

    Bayes' rule for one bit: the prior is `marginal` after t-1 steps, the likelihood of
    either value is `forward_kernel` from there.

    Parameters
    ----------
    x0, x_t : array_like or symbolic
        Bits of the data, and of the state after step t.
    beta : array_like or symbolic
        Rate of step t.
    beta_cumulative_prior_step : array_like or symbolic
        Probability that a bit was drawn anew in the first t-1 steps.
    rho : float or symbolic

    Returns
    -------
    symbolic
        Rate of each bit.
    """
    check_broadcast(
        x0=x0,
        x_t=x_t,
        beta=beta,
        beta_cumulative_prior_step=beta_cumulative_prior_step,
    )
    prior = marginal(x0, beta_cumulative_prior_step, rho)
    return product(prior, _likelihood_rate(x_t, beta, rho))


def _likelihood_rate(x_t, beta, rho):
    """Likelihoods of the two values of x^(t-1), normalised: that of a 1."""
    one, zero = (pt.exp(log_prob(x_t, forward_kernel(x, beta, rho))) for x in (1, 0))
    return one / (one + zero)


def kl(rate_q, rate_p):
    """Kullback-Leibler divergence from p to q, elementwise, in nats.

    .. math:: D_{KL}(q || p) = a \\log\\frac{a}{b} + (1 - a) \\log\\frac{1 - a}{1 - b}

    Infinite where q allows a value that p rules out.
    """
    check_broadcast(rate_q=rate_q, rate_p=rate_p)
    a, b = as_tensor(rate_q), as_tensor(rate_p)
    return _x_log(a, a / b) + _x_log(1.0 - a, (1.0 - a) / (1.0 - b))


def _x_log(x, y):
    """x log y, and 0 where x is 0."""
    nothing = pt.eq(x, 0.0)
    return pt.switch(nothing, 0.0, x * pt.log(pt.switch(nothing, 1.0, y)))


def log_odds(rate):
    """log(rate / (1 - rate)), elementwise: what a sigmoid turns into the rate."""
    rate = as_tensor(rate)
    return pt.log(rate) - pt.log1p(-rate)


def posterior_log_odds(x0, x_t, beta, beta_cumulative_prior_step, rho=0.5):
    """`posterior` as log odds, which keep their digits where the rate is nearly 1.

    .. math:: \\log \\frac{q(x^{(t-1)} = 1 | x^{(0)})}{q(x^{(t-1)} = 0 | x^{(0)})}
        + \\log \\frac{q(x^{(t)} | x^{(t-1)} = 1)}{q(x^{(t)} | x^{(t-1)} = 0)}
    """
    prior = log_odds(marginal(x0, beta_cumulative_prior_step, rho))
    one, zero = (log_prob(x_t, forward_kernel(x, beta, rho)) for x in (1.0, 0.0))
    return prior + one - zero


def kl_log_odds(log_odds_q, log_odds_p):
    """`kl` of two bits given by their log odds: finite, and exact to its last digits.

    Rates near 0 and 1 lose nothing, in single precision too.
    """
    check_broadcast(log_odds_q=log_odds_q, log_odds_p=log_odds_p)
    one, zero = (
        pt.sigmoid(sign * log_odds_q)
        * (pt.softplus(-sign * log_odds_p) - pt.softplus(-sign * log_odds_q))
        for sign in (1.0, -1.0)
    )
    return one + zero


def entropy(rate):
    """Entropy of one bit of B(rate), elementwise, in nats."""
    rate = as_tensor(rate)
    return -_x_log(rate, rate) - _x_log(1.0 - rate, 1.0 - rate)


def product(rate_1, rate_2):
    """Rate of the product of two distributions over one bit, normalised.

    .. math:: \\frac{c_i d_i}{c_i d_i + (1 - c_i)(1 - d_i)}

    With c a reverse step and d = r(x = 1), r normalised over the two values of the bit,
    this is the perturbed reverse kernel of Table App.1.
    """
    check_broadcast(rate_1=rate_1, rate_2=rate_2)
    both = rate_1 * rate_2
    return both / (both + (1.0 - rate_1) * (1.0 - rate_2))


def power(rate, exponent):
    """Rate of a distribution over one bit, raised to a power and normalised.

    With the exponent (T-t)/T this is the factor r of Section 2.5.4 that fades with t.
    """
    one, zero = rate**exponent, (1.0 - rate) ** exponent
    return one / (one + zero)


def log_prob(x, rate):
    """Log probability of bit `x` under B(rate), elementwise, in nats."""
    check_broadcast(x=x, rate=rate)
    rate = as_tensor(rate)
    return pt.log(pt.switch(pt.gt(x, 0.5), rate, 1.0 - rate))


def sample(rate, noise):
    """The bit of B(rate) that uniform `noise` in (0, 1) stands for."""
    check_broadcast(rate=rate, noise=noise)
    return (noise < rate) * np.int8(1)  # not astype: see `dpm.exact.losses`


def noise(rng, shape):
    """The draws that `sample` takes, from a NumPy generator."""
    return rng.random(size=shape)


def perturb(rate, slope):
    """A reverse step times a smooth function r(x) (Table App.1).

    .. math:: B(x_i; c_i) \\, r(x) \\approx B\\left(x_i;
        \\frac{c_i d_i}{c_i d_i + (1 - c_i)(1 - d_i)}\\right), \\qquad
        d_i = \\mathrm{sigmoid}\\left(\\frac{\\partial \\log r}{\\partial x_i}
        \\bigg|_{x = c}\\right)

    d is r at x_i = 1, normalised over the two values of bit i, the other bits standing
    at their rates. Exact where log r is a sum of one term a bit; the counterpart of
    `dpm.diffusion.gaussian.perturb`.

    Parameters
    ----------
    rate : array_like or symbolic
        c, the rates of the step.
    slope : array_like or symbolic
        Derivative of log r at x = c, of its shape; for one bit,
        log r(1) - log r(0). `pt.grad` gives that difference where each bit enters
        log r to the first power: a x and a x^2 agree on bits, but not in their slopes.

    Returns
    -------
    symbolic
        Rate of each bit.
    """
    check_broadcast(rate=rate, slope=slope)
    return product(rate, pt.sigmoid(as_tensor(slope)))
