"""Gaussian diffusion of vectors: the first column of the paper's Table App.1.

Reads in the order of the argument: forward, reverse, bound. `dpm.model.DiffusionModel`
makes of it the reference's model of images.
"""

import numpy as np
import pytensor.tensor as pt

from dpm import bound, gaussian
from dpm.diffusion import VectorDiffusion
from dpm.schedule import beta_cumulative


class GaussianDiffusion(VectorDiffusion):
    """Gaussian diffusion of vectors.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``.
    regression : Brick
        ``apply(X, t)`` gives coefficients of mean and covariance, each (n_t, batch,
        n_dim), for X of that shape; see `dpm.regression.RBFNetwork`.
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
