"""Diffusion of vectors: both columns of the paper's Table App.1.

What both share comes first: a schedule, a regression, and the bound K. Each family
reads in the order of the argument, forward, reverse, bound. `dpm.model.DiffusionModel`
makes of the Gaussian one the reference's model of images. Draws enter explicitly: every
method is a pure function of data, time and noise.
"""

import functools

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.backend import precision
from dpm.blocks.bricks import Brick
from dpm.blocks.checks import check_rate
from dpm.blocks.devices import share_out
from dpm.diffusion import binomial, bound, gaussian
from dpm.diffusion.schedule import beta_cumulative


def in_precision(method):
    """Build the graph of a method in the floating point type of its model."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with precision(self.dtype):
            return method(self, *args, **kwargs)

    return wrapped


class VectorDiffusion(Brick):
    """A diffusion of vectors; a family says what a step is.

    A family brings ``kernels``, ``prior``, ``reverse_step``, ``first_step``,
    ``divergences``, ``entropies`` and ``null_log_likelihood``.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``.
    regression : Brick
        Its ``apply(X, t)`` perturbs the forward kernel at X (n_t, batch, n_dim).
    n_dim : int
        Dimensions of a sample.
    """

    def __init__(self, schedule, regression, n_dim: int, name="diffusionmodel"):
        super().__init__(name)
        self.schedule = schedule
        self.mlp = regression
        self.n_dim = n_dim
        self.trajectory_length = schedule.trajectory_length
        self.children = [schedule, regression]
        self.beta_arr = schedule.beta_arr

    def at(self, array, t):
        """Entries of a (T,) vector at t, ready to broadcast over (n_t, batch, n_dim).

        t = None stands for every learned step, 1..T-1.
        """
        return (array[1:] if t is None else array[t])[:, None, None]

    def one_before(self, array, t):
        """`at` one step earlier."""
        earlier = pt.arange(self.trajectory_length - 1) if t is None else t - 1
        return self.at(array, earlier)

    def get_beta_forward(self, t=None):
        """beta of the forward steps at time indices `t` (n_t,), shape (n_t, 1, 1)."""
        return self.at(self.beta_arr, t)

    @property
    def sample_shape(self) -> tuple:
        """Shape of one sample on its way through a trajectory."""
        return (self.n_dim,)

    def arrange(self, X_noiseless, noise, t):
        """Data, noise and time as the steps take them: X (n_t, batch, n_dim), t (n_t,).

        One time for the whole batch is seen from a last axis of `t` that is 1; where
        each sample has its own, samples are arranged as batches of one.
        """
        if t is None:
            return X_noiseless, noise, None
        t = pt.as_tensor(t)
        if t.ndim == 0 or t.type.shape[-1] == 1:
            noise = noise if noise.ndim == 3 else noise[None]
            return X_noiseless, noise, pt.atleast_2d(t)[:, 0]
        X = pt.broadcast_to(X_noiseless, noise.shape)
        one_each = (-1, 1, self.n_dim)
        t = pt.broadcast_to(t, noise.shape[:-1]).flatten()
        return X.reshape(one_each), noise.reshape(one_each), t

    @in_precision
    def get_KL(self, X_noiseless, noise, t=None):
        """The divergences inside Eq. 14, in nats per sample.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, *sample_shape)
        noise : symbolic, shape (..., batch, *sample_shape)
            Draws of the family, with no axis or one in front, for several a sample.
        t : symbolic or array_like of int, optional
            Time indices in 1..T-1 that broadcast against (..., batch). One a sample;
            (n_t, 1) is one for the whole batch in each of n_t draws. Left out, every
            learned step in turn: np.arange(1, T)[:, None].

        Returns
        -------
        symbolic, shape (..., batch)
        """
        X, shared = share_out(X_noiseless), share_out(noise, noise.ndim - 2)
        KL = self.divergences(*self.arrange(X, shared, t))
        if noise.ndim == 2:
            return KL.flatten()
        return KL.reshape(noise.shape[:-1]) if KL.type.shape[-1] == 1 else KL

    @in_precision
    def get_bound(self, X_noiseless, noise, t=None, **more):
        """K of Eq. 14 for each sample, in nats, shape (batch,).

        T-1 times the mean over the draws of `get_KL`, which takes the arguments, stands
        for the sum. It is exact over t where every learned step is drawn once, as
        without `t`, and unbiased where t is drawn uniformly.
        """
        KL = self.get_KL(X_noiseless, noise, t, **more)
        return self.bound_of(KL, X_noiseless, every_t=t is None)

    @in_precision
    def bound_of(self, KL, X_noiseless, every_t: bool):
        """`get_bound` from what `get_KL` gave, at every learned step or at some."""
        KL = KL if KL.ndim == 2 else KL[None]
        n_terms = None if every_t else self.trajectory_length - 1
        return bound.lower_bound(KL, self.entropies(X_noiseless), n_terms)


class GaussianDiffusion(VectorDiffusion):
    """Gaussian diffusion of vectors.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``.
    regression : Brick
        ``apply(X, t)`` gives coefficients of mean and covariance, each (n_t, batch,
        n_dim), for X of that shape; see `dpm.diffusion.networks.RBFNetwork`.
    n_dim : int
        Dimensions of a sample.
    """

    def __init__(self, schedule, regression, n_dim: int, name="diffusionmodel"):
        super().__init__(schedule, regression, n_dim, name)
        # a hair below 1: sqrt(1 - beta_cumulative) has no finite slope at 1
        almost_one = 1 - 10 * np.finfo(self.dtype).eps
        self.beta_cumulative = pt.minimum(beta_cumulative(self.beta_arr), almost_one)

    def generate_forward_diffusion_sample(self, X_noiseless, noise, t=None):
        """Jump from the data to time t, and look one step back.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, n_dim)
        noise : symbolic, shape (n_t, batch, n_dim)
            Standard normal draws. Holding them fixed while beta changes is the
            frozen noise of Section 2.4.1: it makes the sample a smooth function of
            beta.
        t : symbolic int vector, shape (n_t,), optional
            Time indices in 1..T-1; left out, all of them.

        Returns
        -------
        X_noisy, mu_posterior : symbolic, shape (n_t, batch, n_dim)
        sigma_posterior : symbolic, shape (n_t, 1, 1)
            Mean and standard deviation of q(x^(t-1) | x^t, x^0).
        """
        total = self.at(self.beta_cumulative, t)
        X_noisy = gaussian.sample(*gaussian.marginal(X_noiseless, total), noise)
        return X_noisy, *self.get_posterior(X_noiseless, X_noisy, t)

    def get_posterior(self, x0, x_t, t):
        """`gaussian.posterior` with the rates of t."""
        before = self.one_before(self.beta_cumulative, t)
        return gaussian.posterior(x0, x_t, self.get_beta_forward(t), before)

    def get_mu_sigma(self, X_noisy, t=None):
        """One reverse step, p(x^(t-1) | x^t): f_mu and the root of f_Sigma.

        Both are perturbations of the forward kernel, so that an untrained network
        undoes one forward step as if the data were pi:

        .. math:: \\mu = x \\sqrt{1-\\beta_t} + z^\\mu \\sqrt{\\beta_t}, \\qquad
            \\Sigma = \\mathrm{sigmoid}(z^\\Sigma + \\mathrm{logit} \\beta_t)

        Parameters
        ----------
        X_noisy : symbolic, shape (n_t, batch, n_dim)
        t : symbolic int vector, shape (n_t,), optional

        Returns
        -------
        mu, sigma : symbolic, both (n_t, batch, n_dim)
        """
        return self.perturb_forward(
            X_noisy, self.get_beta_forward(t), *self.mlp.apply(X_noisy, t)
        )

    def perturb_forward(self, X_noisy, beta, mu_coeff, beta_coeff):
        """Mean and deviation as perturbations of the forward kernel."""
        logit_beta = pt.log(beta) - pt.log1p(-beta)
        mean, scale = gaussian.forward_kernel(X_noisy, beta)
        mu = gaussian.sample(mean, scale, mu_coeff)
        return mu, pt.sqrt(pt.sigmoid(beta_coeff + logit_beta))

    def reverse_step(self, X_noisy, t):
        """`get_mu_sigma` of a whole batch (batch, *sample_shape) at one scalar t."""
        mu, sigma = self.get_mu_sigma(X_noisy[None], t[None])
        return mu[0], sigma[0]

    kernels = gaussian  # the family of its steps
    prior = (0.0, 1.0)  # mean and deviation of pi

    def first_step(self, X):
        """p(x^0 | x^1), the forward kernel of rate beta_1 (Appendix B.2)."""
        return gaussian.forward_kernel(X, self.beta_arr[0])

    def divergences(self, X_noiseless, noise, t=None):
        """From the posterior to the reverse kernel, nats per sample, (n_t, batch)."""
        X_noisy, mu_q, sigma_q = self.generate_forward_diffusion_sample(
            X_noiseless, noise, t
        )
        return self.kernel_divergence(*self.get_mu_sigma(X_noisy, t), mu_q, sigma_q)

    def kernel_divergence(self, mu, sigma, mu_posterior, sigma_posterior):
        """From one Gaussian to another, summed over the dimensions of a sample."""
        KL = gaussian.kl(mu_posterior, sigma_posterior, mu, sigma)
        return KL.sum(axis=tuple(range(-len(self.sample_shape), 0)))

    def entropies(self, X_noiseless=None):
        """The entropies in Eq. 14; those of Gaussian steps do not depend on data."""
        return bound.gaussian_entropies(self.beta_arr, self.beta_cumulative, self.n_dim)

    def null_log_likelihood(self, X) -> np.ndarray:
        """L_null of each sample of X, in nats, as of data of unit variance."""
        return np.full(len(X), bound.null_log_likelihood(self.n_dim))


class BinomialDiffusion(VectorDiffusion):
    """Binomial diffusion of bit strings.

    A step is described by the rates of its bits, computed by way of their log odds,
    which keep their digits where a bit is all but certain.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``; its last rate may be 1.
    regression : Brick
        ``apply(X, t)`` gives shifts of log odds (n_t, batch, n_dim), for X of that
        shape; see `dpm.diffusion.networks.ReadoutMLP`.
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
