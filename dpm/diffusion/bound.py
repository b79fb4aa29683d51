"""Log likelihood: its bound K, its estimate by Eq. 9; bounds on entropies. In nats."""

from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from scipy.special import logsumexp

from dpm.blocks.backend import as_tensor
from dpm.blocks.checks import check_bits, check_rate, check_trajectory_length
from dpm.diffusion import binomial, gaussian


class Entropies(NamedTuple):
    """Entropies of the forward trajectory and of pi, in nats per sample.

    Attributes
    ----------
    step : symbolic, shape (T,)
        H_q(X^t | X^(t-1)), t = 1..T.
    given_data : symbolic, shape (T,)
        H_q(X^t | X^0), t = 1..T.
    prior : symbolic scalar or float
        H_p(X^T), the entropy of pi.
    """

    step: object
    given_data: object
    prior: object


def gaussian_entropies(beta_arr, beta_cumulative, n_dim: int) -> Entropies:
    """Entropies of a Gaussian trajectory; they do not depend on the data.

    Parameters
    ----------
    beta_arr, beta_cumulative : array_like or symbolic, shape (T,)
    n_dim : int
        Dimensions of a sample.
    """
    step, given_data = (
        as_tensor(n_dim) * gaussian.entropy(pt.sqrt(as_tensor(b)))
        for b in (_rates(beta_arr, "beta"), _rates(beta_cumulative, "beta_cumulative"))
    )
    return Entropies(step, given_data, n_dim * 0.5 * gaussian.LOG_2PI_E)


def binomial_entropies(X, beta_arr, beta_cumulative, rho=0.5) -> Entropies:
    """Entropies of a binomial trajectory that starts at the data X.

    A bit is an independent coin once the state it comes from is known. Its entropy
    depends on whether that state was 0 or 1, so it is averaged over the data.

    Parameters
    ----------
    X : array_like or symbolic, shape (batch, n_dim)
        Bits of the data, over which the averages are taken.
    beta_arr, beta_cumulative : array_like or symbolic, shape (T,)
    rho : float
        Rate of pi.
    """
    check_rate(rho, "rho")
    beta_arr = as_tensor(_rates(beta_arr, "beta", closed=True))
    total = as_tensor(_rates(beta_cumulative, "beta_cumulative", closed=True))
    active = as_tensor(check_bits(X)).mean(axis=0)  # (n_dim,): share of ones
    before = pt.concatenate([as_tensor([0.0]), total[:-1]])  # drawn anew so far
    active_before = active * (1.0 - before)[:, None] + rho * before[:, None]

    def expected(rate_of, share_of_ones):
        """Entropy of all bits when that share of them comes from a 1."""
        from_zero, from_one = (binomial.entropy(rate_of(x)) for x in (0.0, 1.0))
        mean = share_of_ones * from_one[:, None]
        return (mean + (1.0 - share_of_ones) * from_zero[:, None]).sum(axis=-1)

    return Entropies(
        expected(lambda x: binomial.forward_kernel(x, beta_arr, rho), active_before),
        expected(lambda x: binomial.marginal(x, total, rho), active),
        active.shape[0].astype(active.dtype) * binomial.entropy(rho),
    )


def _rates(value, name, closed=False):
    """`check_rate` for a whole trajectory of at least two steps."""
    if not hasattr(value, "owner"):
        check_trajectory_length(np.size(value))
    return check_rate(value, name, closed)


def lower_bound(kl, entropies: Entropies, n_terms=None):
    """K of Eq. 14, in nats.

    .. math:: K = -\\sum_{t=2}^T E[D_{KL}(q(x^{(t-1)}|x^{(t)},x^{(0)}) ||
        p(x^{(t-1)}|x^{(t)}))] + H_q(X^{(T)}|X^{(0)}) - H_q(X^{(1)}|X^{(0)})
        - H_p(X^{(T)})

    Parameters
    ----------
    kl : symbolic, shape (n_t, ...)
        Divergences in nats, one row for each time step visited, already summed over
        the dimensions of a sample.
    entropies : Entropies
        From `gaussian_entropies` or `binomial_entropies`.
    n_terms : int, optional
        How many terms the sum of Eq. 14 has. Left out, the rows of `kl` are taken to
        be all of them and K is exact over t. Given (T-1), the rows are taken for
        time steps drawn uniformly from t = 2..T, and K is an unbiased estimate.

    Returns
    -------
    symbolic, shape of one row of `kl`
    """
    total = kl.sum(axis=0) if n_terms is None else kl.mean(axis=0) * as_tensor(n_terms)
    H = entropies
    return -total + H.given_data[-1] - H.given_data[0] - H.prior


def log_weight(log_p_end, log_p_steps, log_q_steps):
    """Logarithm of what Eq. 9 averages over forward trajectories.

    .. math:: \\log p(x^{(T)}) + \\sum_{t=1}^T \\left[\\log p(x^{(t-1)}|x^{(t)})
        - \\log q(x^{(t)}|x^{(t-1)})\\right]

    Parameters
    ----------
    log_p_end : array_like or symbolic, shape (...)
        log p(x^(T)) of each trajectory.
    log_p_steps, log_q_steps : array_like or symbolic, shape (T, ...)
        Log probabilities of the steps back and forth, summed over a sample's
        dimensions.

    Returns
    -------
    array or symbolic, shape (...)
    """
    return log_p_end + (log_p_steps - log_q_steps).sum(axis=0)


class Estimate(NamedTuple):
    """log p(x^0) as estimated by Eq. 9.

    Attributes
    ----------
    log_p : ndarray
        Nats. Below the truth on average (Jensen), by about half its variance.
    standard_error : ndarray
        Of `log_p`, from the spread of the weights; NaN from one trajectory.
    effective_sample_size : ndarray
        How many equal weights would be worth as much as these; 1 where one trajectory
        outweighs all others, and then the standard error is not to be trusted.
    """

    log_p: np.ndarray
    standard_error: np.ndarray
    effective_sample_size: np.ndarray


def log_likelihood_estimate(log_weights) -> Estimate:
    """Eq. 9: p(x^0) as the mean weight of forward trajectories that start there.

    Parameters
    ----------
    log_weights : array_like, shape (n, ...)
        `log_weight` of n trajectories drawn from q(x^(1..T) | x^0).

    Raises
    ------
    ValueError
        Without a trajectory, or where a weight is NaN.
    """
    log_weights = np.asarray(log_weights, dtype=float)
    if log_weights.ndim == 0 or len(log_weights) < 1:
        raise ValueError(
            f"log_weights has shape {log_weights.shape}: at least one trajectory is "
            "needed, one a row"
        )
    if np.isnan(log_weights).any():
        raise ValueError(
            "log_weights holds NaN: a step's log probability is not defined"
        )
    n = len(log_weights)
    log_mean = logsumexp(log_weights, axis=0) - np.log(n)
    log_mean_square = logsumexp(2 * log_weights, axis=0) - np.log(n)
    ratio = np.exp(log_mean_square - 2 * log_mean)  # E[w^2] / E[w]^2, at least 1
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.maximum(ratio - 1, 0.0) / (n - 1))
    return Estimate(log_mean, error, n / ratio)


def entropy_bounds(H_step, H_before, H_after):
    """Bounds on the entropy of one reverse step, H_q(X^(t-1) | X^(t)) (Eq. 24).

    .. math:: H_q(X^{(t)}|X^{(t-1)}) + H_q(X^{(t-1)}|X^{(0)}) - H_q(X^{(t)}|X^{(0)})
        \\le H_q(X^{(t-1)}|X^{(t)}) \\le H_q(X^{(t)}|X^{(t-1)})

    All three come from the forward trajectory alone, given the data. The lower bound
    always holds. The upper one needs that H_q(X^(t)) does not fall with t. That is so
    where pi has the greatest entropy of all that the data can turn into: for Gaussian
    data of unit variance, and for bits of the mean activity of pi.

    Parameters
    ----------
    H_step, H_before, H_after : array_like or symbolic
        H_q(X^(t) | X^(t-1)), H_q(X^(t-1) | X^(0)), H_q(X^(t) | X^(0)).

    Returns
    -------
    lower, upper
    """
    return H_step + H_before - H_after, H_step


def trajectory_entropy_bounds(entropies: Entropies):
    """Eq. 24 for every learned step, t = 2..T.

    Their sums over t bound the entropy of the whole way back,
    H_q(X^(1..T-1) | X^T): the reverse chain is Markov, so its entropies add up.

    Returns
    -------
    lower, upper : symbolic, shape (T-1,)
    """
    H = entropies
    return entropy_bounds(H.step[1:], H.given_data[:-1], H.given_data[1:])


def null_log_likelihood(n_dim: int) -> float:
    """L_null: log likelihood of unit-variance data under pi alone, in nats per sample.

    What K must beat: ``K - L_null`` is the right column of the paper's Table 1.
    """
    return -0.5 * n_dim * float(gaussian.LOG_2PI_E)


def binomial_null_log_likelihood(X, rho: float = 0.5) -> np.ndarray:
    """L_null of bits: log likelihood of each row of X under pi alone, in nats."""
    ones = np.asarray(check_bits(X)).sum(axis=1)
    check_rate(rho, "rho")
    return ones * np.log(rho) + (np.shape(X)[1] - ones) * np.log1p(-rho)


def to_bits(nats):
    """Nats to bits: divide by log 2."""
    return nats / float(np.log(2.0))
