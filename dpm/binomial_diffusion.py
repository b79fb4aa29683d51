"""Binomial diffusion of bits: the second column of the paper's Table App.1.

Reads in the order of the argument: forward, reverse, bound. The counterpart of
`dpm.gaussian_diffusion`, with the same names; a step is described by the rates of its
bits, computed by way of their log odds, which keep their digits where a bit is all but
certain.
"""

import pytensor.tensor as pt

from dpm import binomial, bound
from dpm.checks import check_rate
from dpm.diffusion import VectorDiffusion
from dpm.schedule import beta_cumulative


class BinomialDiffusion(VectorDiffusion):
    """Binomial diffusion of bit strings.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``; its last rate may be 1.
    regression : Brick
        ``apply(X, t)`` gives shifts of log odds (n_t, batch, n_dim), for X of that
        shape; see `dpm.readout.ReadoutMLP`.
    n_dim : int
        Bits of a string.
    rho : float
        Rate of pi.
    """

    kernels = binomial  # the family of its steps

    def __init__(
        self, schedule, regression, n_dim: int, rho: float = 0.5, name="diffusionmodel"
    ):
        super().__init__(schedule, regression, n_dim, name)
        self.rho = float(check_rate(rho, "rho"))
        self.prior = (self.rho,)  # rate of pi
        self.beta_cumulative = beta_cumulative(self.beta_arr)

    def generate_forward_diffusion_sample(self, X_noiseless, noise, t=None):
        """Jump from the data to time t, and look one step back.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, n_dim)
            Bits.
        noise : symbolic, shape (n_t, batch, n_dim)
            Uniform draws from (0, 1).
        t : symbolic int vector, shape (n_t,), optional
            Time indices in 1..T-1; left out, all of them.

        Returns
        -------
        X_noisy, log_odds_posterior : symbolic, shape (n_t, batch, n_dim)
            Bits of x^(t), and the log odds of q(x^(t-1) | x^t, x^0).
        """
        total = self.at(self.beta_cumulative, t)
        before = self.one_before(self.beta_cumulative, t)
        rate = binomial.marginal(X_noiseless, total, self.rho)
        X_noisy = binomial.sample(rate, noise).astype(self.dtype)
        return X_noisy, binomial.posterior_log_odds(
            X_noiseless, X_noisy, self.get_beta_forward(t), before, self.rho
        )

    def get_log_odds(self, X_noisy, t=None):
        """One reverse step, p(x^(t-1) | x^t): the log odds of each bit's rate f_b.

        The regression z perturbs the forward kernel, as Eq. 64 has it for Gaussians, so
        that an untrained network undoes one forward step as if the data were pi:

        .. math:: \\mathrm{logit} f_b(x^{(t)}, t)_i = \\mathrm{logit}\\left(
            x_i^{(t)} (1 - \\beta_t) + \\rho \\beta_t\\right) + z_i(x^{(t)}, t)

        By Bayes' rule the rate that is best is had with

        .. math:: z_i = \\mathrm{logit} \\, q(x_i^{(t-1)} = 1 | x_{j \\ne i}^{(t)})
            - \\mathrm{logit} \\rho,

        what the other bits say about this one: smooth in t, and moderate also where
        beta is so small that the step itself is all but certain.

        Parameters
        ----------
        X_noisy : symbolic, shape (n_t, batch, n_dim)
        t : symbolic int vector, shape (n_t,), optional

        Returns
        -------
        symbolic, shape (n_t, batch, n_dim)
        """
        beta = self.get_beta_forward(t)
        forward = binomial.log_odds(binomial.forward_kernel(X_noisy, beta, self.rho))
        return forward + self.mlp.apply(X_noisy, t)

    def reverse_step(self, X_noisy, t):
        """Rates of a whole batch (batch, n_dim), one step back, at one scalar t."""
        return pt.sigmoid(self.get_log_odds(X_noisy[None], t[None])[0])

    def first_step(self, X):
        """p(x^0 | x^1), the forward kernel of rate beta_1 (Appendix B.2)."""
        return binomial.forward_kernel(X, self.beta_arr[0], self.rho)

    def divergences(self, X_noiseless, noise, t=None):
        """From the posterior to the reverse kernel, nats per sample, (n_t, batch)."""
        X_noisy, log_odds_q = self.generate_forward_diffusion_sample(
            X_noiseless, noise, t
        )
        log_odds_p = self.get_log_odds(X_noisy, t)
        return binomial.kl_log_odds(log_odds_q, log_odds_p).sum(axis=-1)

    def entropies(self, X_noiseless):
        """The entropies in Eq. 14, averaged over the data (batch, n_dim)."""
        return bound.binomial_entropies(
            X_noiseless, self.beta_arr, self.beta_cumulative, self.rho
        )

    def null_log_likelihood(self, X):
        """L_null of each row of X, in nats: its log likelihood under pi alone."""
        return bound.binomial_null_log_likelihood(X, self.rho)
