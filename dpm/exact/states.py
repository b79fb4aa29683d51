"""A small world where every integral is a sum.

States are the points of a grid on the line, or all 2^n bit strings. A distribution is a
vector of probabilities over the states, a kernel is a matrix whose column j holds the
distribution of the next state given state j. The matrices are built from the same
symbolic functions that the models use.
"""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.checks import check_rate
from dpm.diffusion import binomial, gaussian


@cache
def compiled_step_density():
    """Compile log q(x^t | x^(t-1)) of a Gaussian step, for every pair of states."""
    after, before, beta = pt.dvector("after"), pt.dvector("before"), pt.dscalar("beta")
    mu, sigma = gaussian.forward_kernel(before, beta)
    log_prob = gaussian.log_prob(after[:, None], mu, sigma)
    return pytensor.function([after, before, beta], log_prob)


@cache
def compiled_flip_density():
    """Compile log q(x^t | x^(t-1)) of a binomial step, for every pair of strings."""
    states, beta, rho = pt.dmatrix("states"), pt.dscalar("beta"), pt.dscalar("rho")
    rate = binomial.forward_kernel(states, beta, rho)  # (2^n, n)
    log_prob = binomial.log_prob(states[:, None, :], rate).sum(axis=-1)
    return pytensor.function([states, beta, rho], log_prob)


@cache
def compiled_density():
    """Compile log N(x; mu, sigma^2) for every pair of a point and a (mu, sigma)."""
    x, mu, sigma = pt.dvector("x"), pt.dvector("mu"), pt.dvector("sigma")
    return pytensor.function([x, mu, sigma], gaussian.log_prob(x[:, None], mu, sigma))


def line(n: int = 401, half_width: float = 5.0) -> np.ndarray:
    """`n` equally spaced points from -half_width to half_width."""
    return np.linspace(-half_width, half_width, n)


def bit_strings(n: int) -> np.ndarray:
    """All 2^n strings of n bits, shape (2^n, n)."""
    return (np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1


def normalize(weights, axis: int = 0) -> np.ndarray:
    """Scale non-negative weights to sum to one along `axis`."""
    return weights / weights.sum(axis=axis, keepdims=True)


def gaussian_kernel(grid, beta: float) -> np.ndarray:
    """Forward kernel between grid points, (n, n), columns summing to one.

    The spacing of the grid must be below sqrt(beta), or the kernel falls between its
    points.
    """
    check_rate(beta)
    spacing = grid[1] - grid[0]
    if spacing > np.sqrt(beta):
        raise ValueError(
            f"beta = {beta:g} is too small for this grid: a step of width "
            f"{np.sqrt(beta):.3g} falls between points {spacing:.3g} apart; use "
            f"at least {int(np.ceil((grid[-1] - grid[0]) / np.sqrt(beta))) + 1} points"
        )
    return normalize(np.exp(compiled_step_density()(grid, grid, beta)))


def binomial_kernel(states, beta: float, rho: float = 0.5) -> np.ndarray:
    """Forward kernel between bit strings, (2^n, 2^n), columns summing to one."""
    check_rate(beta, closed=True)
    check_rate(rho, "rho")
    return np.exp(compiled_flip_density()(states, beta, rho))


def reverse_kernel(kernel, q_prev) -> np.ndarray:
    """The kernel that undoes `kernel`, by Bayes' rule.

    .. math:: q(x^{(t-1)} | x^{(t)}) = \\frac{q(x^{(t)} | x^{(t-1)})
        q(x^{(t-1)})}{q(x^{(t)})}

    Parameters
    ----------
    kernel : ndarray, shape (n, n)
        Forward step, columns indexed by the state before.
    q_prev : ndarray, shape (n,)
        Distribution before the step.

    Returns
    -------
    ndarray, shape (n, n)
        Columns indexed by the state after the step.
    """
    return normalize(kernel.T * q_prev[:, None])


def kl(q, p, axis: int = 0) -> np.ndarray:
    """Kullback-Leibler divergence of distributions along `axis`, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(q > 0, q * (np.log(q) - np.log(p)), 0.0)
    return terms.sum(axis=axis)


def moment_matched_gaussian(p, grid) -> np.ndarray:
    """The Gaussian, on the grid, with the mean and variance of each column of `p`.

    Kept above 1e-300, so that a divergence from it stays finite.
    """
    mean = grid @ p
    variance = grid**2 @ p - mean**2
    log_prob = np.asarray(compiled_density()(grid, mean, np.sqrt(variance)))
    return np.maximum(normalize(np.exp(log_prob - log_prob.max(axis=0))), 1e-300)


def independent_bits(p, states) -> np.ndarray:
    """Independent bits with the rates of each column of `p`, over the same strings.

    What `moment_matched_gaussian` is for the line: the closest distribution of the form
    that a binomial reverse step can take.
    """
    rate = states.T @ p  # (n_bits, columns)
    factors = np.where(states[:, :, None] == 1, rate, 1.0 - rate)
    return factors.prod(axis=1)


def entropy(p, cell: float = 1.0, axis: int = 0) -> np.ndarray:
    """Entropy in nats; of a density, where a state stands for `cell` of the line."""
    p = np.asarray(p, dtype=float)
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    return np.log(cell) - terms.sum(axis=axis)


def two_modes(grid, width: float = 0.3) -> np.ndarray:
    """Two equal bumps on the grid, with zero mean and unit variance."""
    if not 0 < width < 1:
        raise ValueError(f"width = {width!r}: it must lie inside (0, 1)")
    centre = np.sqrt(1.0 - width**2)
    distance = np.subtract.outer((-centre, centre), grid)  # (2, n)
    return normalize(np.exp(-(distance**2) / (2 * width**2)).sum(axis=0))
