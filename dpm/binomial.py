"""Binomial diffusion: the second column of the paper's Table App.1.

Bits flip towards independent coins. Pure functions, elementwise over any shapes that
broadcast. A distribution over one bit is given by its rate, the probability of a 1.
"""

import pytensor.tensor as pt

from dpm.checks import check_rate


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
    beta = pt.as_tensor(check_rate(beta, closed=True))
    return pt.as_tensor(x_prev) * (1.0 - beta) + check_rate(rho, "rho") * beta


def log_prob(x, rate):
    """Log probability of bit `x` under B(rate), elementwise, in nats."""
    rate = pt.as_tensor(rate)
    return pt.log(pt.switch(pt.gt(x, 0.5), rate, 1.0 - rate))


def sample(rate, noise):
    """The bit of B(rate) that uniform `noise` in (0, 1) stands for."""
    return pt.lt(noise, rate).astype("int8")
