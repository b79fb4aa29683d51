"""The lower bound K on the log likelihood (Eq. 14), in nats per sample."""

import numpy as np
import pytensor.tensor as pt

from dpm import gaussian


def lower_bound(kl, beta_arr, beta_cumulative, n_dim: int, n_terms=None):
    """K of Eq. 14 for Gaussian diffusion, in nats.

    .. math:: K = -\\sum_{t=2}^T E[D_{KL}(q(x^{(t-1)}|x^{(t)},x^{(0)}) ||
        p(x^{(t-1)}|x^{(t)}))] + H_q(X^{(T)}|X^{(0)}) - H_q(X^{(1)}|X^{(0)})
        - H_p(X^{(T)})

    Parameters
    ----------
    kl : symbolic, shape (n_t, ...)
        Divergences in nats, one row for each time step visited, already summed over
        the dimensions of a sample.
    beta_arr, beta_cumulative : symbolic, shape (T,)
    n_dim : int
        Dimensions of a sample.
    n_terms : int, optional
        How many terms the sum of Eq. 14 has. Left out, the rows of `kl` are taken to
        be all of them and K is exact over t. Given (T-1), the rows are taken for
        time steps drawn uniformly from t = 2..T, and K is an unbiased estimate.

    Returns
    -------
    symbolic, shape of one row of `kl`
    """
    total = kl.sum(axis=0) if n_terms is None else kl.mean(axis=0) * n_terms
    H_end = n_dim * gaussian.entropy(pt.sqrt(beta_cumulative[-1]))
    H_start = n_dim * gaussian.entropy(pt.sqrt(beta_arr[0]))
    H_prior = n_dim * 0.5 * gaussian.LOG_2PI_E
    return -total + H_end - H_start - H_prior


def null_log_likelihood(n_dim: int) -> float:
    """L_null: log likelihood of unit-variance data under pi alone, in nats per sample.

    What K must beat: ``K - L_null`` is the right column of the paper's Table 1.
    """
    return -0.5 * n_dim * float(gaussian.LOG_2PI_E)


def to_bits(nats):
    """Nats to bits: divide by log 2."""
    return nats / float(np.log(2.0))
