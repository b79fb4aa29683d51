"""Models of data that we know: their reverse steps are computed, not learned.

With them a chapter or a test can ask what a perfectly trained model would do. They have
what `dpm.sampler` asks of a model: ``kernels``, ``prior``, ``reverse_step`` and
``first_step``.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.special import logsumexp

from dpm.blocks.backend import numbers, precision
from dpm.blocks.bricks import Brick
from dpm.blocks.checks import (
    as_rng,
    check_bits,
    check_broadcast,
    check_positive,
    check_rate,
)
from dpm.diffusion import binomial, bound, gaussian
from dpm.diffusion.schedule import FixedSchedule, beta_cumulative
from dpm.diffusion.vectors import BinomialDiffusion
from dpm.exact.states import bit_strings
from dpm.exact.world import World, bits_world

ROOM = 2048  # rates are kept in multiples of so many


def _shares(weights, n: int) -> np.ndarray:
    """Weights of n components, scaled to sum to one; equal where None."""
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != (n,) or not (weights > 0).all():
        raise ValueError(
            f"weights of shape {weights.shape} for {n} components: give one "
            "positive number a component"
        )
    return weights / weights.sum()


class KnownMixture:
    """Gaussian diffusion of data that are a mixture of round Gaussians.

    Every q(x^t) is a mixture too, so mean and variance of q(x^(t-1) | x^t) have a
    closed form. They are what a Gaussian reverse kernel can get right; the rest, when
    beta is not small, it cannot.

    Parameters
    ----------
    beta : array_like, shape (T,)
    means : array_like, shape (n_components, n_dim)
    sigma : float
        Standard deviation of each component, along each axis.
    weights : array_like, shape (n_components,), optional
        Equal where left out.
    """

    kernels = gaussian
    prior = (0.0, 1.0)
    dtype = "float64"

    def __init__(self, beta, means, sigma: float, weights=None):
        check_positive(sigma, "sigma")
        self._beta, self._total = (  # what compiled steps look up
            pytensor.shared(np.zeros(ROOM), name=name) for name in ("beta", "total")
        )
        self.set_rates(beta)
        self.means = np.atleast_2d(np.asarray(means, dtype=float))
        self.weights = _shares(weights, len(self.means))
        self.sigma = float(sigma)
        self.sample_shape = self.means.shape[1:]

    def set_rates(self, beta) -> None:
        """Take another chain, of another length if wanted.

        Functions compiled before go on to serve: they look the rates up.

        Parameters
        ----------
        beta : array_like, shape (T,)
        """
        schedule = FixedSchedule(beta)
        self.trajectory_length = schedule.trajectory_length
        self.beta_arr = schedule.beta_arr
        beta = numbers(schedule.beta_arr)
        total = np.concatenate([[0.0], numbers(beta_cumulative(beta))])
        size = -(-len(total) // ROOM) * ROOM  # constant, or JAX compiles again
        self._beta.set_value(np.pad(beta, (0, size - len(beta)), mode="edge"))
        self._total.set_value(np.pad(total, (0, size - len(total)), mode="edge"))

    def _components(self, t):
        """Means (n_components, n_dim) and variance of the components of q(x^t)."""
        total = self._total[t]
        mu, _ = gaussian.forward_kernel(self.means, total)
        return mu, self.sigma**2 * (1.0 - total) + total

    def _log_joint(self, X, t):
        """log q(component, x^t), (n_samples, n_components)."""
        mu, variance = self._components(t)
        square = (X**2).sum(axis=1, keepdims=True) - 2 * X @ mu.T + (mu**2).sum(axis=1)
        scale = self.sample_shape[0] * pt.log(2 * np.pi * variance)
        return np.log(self.weights) - (square / variance + scale) / 2

    def _responsibilities(self, X, t):
        """Probability of each component given x^t, (n_samples, n_components)."""
        return pt.special.softmax(self._log_joint(X, t), axis=1)

    def reverse_step(self, X, t):
        """Mean and deviation of q(x^(t) | x^(t+1)) at X, for the time index t >= 1.

        Index t is the paper's step t+1. The deviation is that of each coordinate.
        """
        beta = self._beta[t]
        mu, variance = self._components(t)
        share = self._responsibilities(X, t + 1)
        middle = share @ mu  # (n_samples, n_dim), the mean over components
        spread = share @ mu**2 - middle**2
        # the mean of a product is linear in mu, its deviation the same for every mu
        back = X / pt.sqrt(1.0 - beta), pt.sqrt(beta / (1.0 - beta))
        mean, deviation = gaussian.product(middle, pt.sqrt(variance), *back)
        gain = deviation**2 / variance
        return mean, pt.sqrt(deviation**2 + gain**2 * pt.maximum(spread, 0.0))

    def first_step(self, X):
        """p(x^0 | x^1), the forward kernel of rate beta_1 (Appendix B.2)."""
        return gaussian.forward_kernel(X, self._beta[0])

    def jump(self, X, t):
        """Mean and deviation of q(x^t | x^0), t = 0..T."""
        return gaussian.marginal(X, self._total[t])

    def log_density(self, X, t):
        """log q(x^t) of each sample, t = 0..T, in nats."""
        return pt.logsumexp(self._log_joint(X, t), axis=1)

    def log_given_data(self, X_noiseless, X, t):
        """log q(x^t | x^0), averaged over x^t, in nats."""
        return -gaussian.entropy(pt.sqrt(self._total[t])) * self.sample_shape[0]

    def expected_divergence(self, X, t):
        """A divergence of Eq. 14, averaged over x^0 given x^(t+1): nats per sample.

        That is the logarithm of how much wider the best step is than the posterior: its
        variance is the posterior's and that of the posterior's mean, added up.
        """
        _, narrow = gaussian.posterior(0.0, X, self._beta[t], self._total[t])
        return pt.log(self.reverse_step(X, t)[1] / narrow).sum(axis=-1)

    def entropies(self, X_noiseless=None):
        """The entropies in Eq. 14; those of Gaussian steps do not depend on data."""
        total = beta_cumulative(self.beta_arr)
        return bound.gaussian_entropies(self.beta_arr, total, self.sample_shape[0])

    def sample(self, n: int, rng) -> np.ndarray:
        """Data, shape (n, n_dim)."""
        rng = as_rng(rng)
        which = rng.choice(len(self.weights), size=n, p=self.weights)
        return self.means[which] + self.sigma * rng.standard_normal(
            (n, *self.sample_shape)
        )

    def log_expected(self, y, sigma_r):
        """The r that makes the perturbed trajectory exact, for a Gaussian r(x^0).

        Parameters
        ----------
        y, sigma_r : array_like, shape (n_dim,) or scalar
            r(x^0) = N(x^0; y, sigma_r^2); a deviation of infinity says nothing about
            that coordinate.

        Returns
        -------
        callable
            For `dpm.diffusion.factors.Smooth`: the logarithm of E[r(x^0) | x^t].
            That is `dpm.diffusion.factors.Expected`.
        """
        y, sigma_r = np.broadcast_arrays(y, np.asarray(sigma_r, dtype=float))
        y, sigma_r = (np.broadcast_to(v, self.sample_shape) for v in (y, sigma_r))
        told = np.isfinite(sigma_r)

        def log_r(X, t):
            total = self._total[t]
            mu, variance = self._components(t)
            gain = self.sigma**2 * pt.sqrt(1.0 - total) / variance
            away = X[:, told][:, None] - mu[:, told]
            mean = self.means[:, told] + gain * away  # x^0 given x^t, component
            left = self.sigma**2 * total / variance
            spread = pt.sqrt(left + sigma_r[told] ** 2)
            log_p = gaussian.log_prob(y[told], mean, spread).sum(axis=-1)
            log_joint = self._log_joint(X, t)
            both = pt.logsumexp(log_joint + log_p, axis=1)
            return both - pt.logsumexp(log_joint, axis=1)

        return log_r

    def posterior_moments(self, y, sigma_r):
        """Exact mean and covariance of p(x^0) r(x^0), r = N(x^0; y, sigma_r^2).

        Returns
        -------
        mean, covariance : ndarray, shapes (n_dim,) and (n_dim, n_dim)
        """
        check_broadcast(y=y, sigma_r=sigma_r, sample=np.empty(self.sample_shape))
        precision = (
            1 / self.sigma**2 + np.broadcast_to(sigma_r, self.sample_shape) ** -2.0
        )
        shift = y * np.asarray(sigma_r, dtype=float) ** -2.0
        mean = (self.means / self.sigma**2 + shift) / precision
        told = np.isfinite(np.broadcast_to(sigma_r, self.sample_shape))
        variance = self.sigma**2 + np.asarray(sigma_r, dtype=float) ** 2
        misfit = np.where(told, (y - self.means) ** 2 / variance, 0.0).sum(axis=1)
        log_share = np.log(self.weights) - misfit / 2
        share = np.exp(log_share - logsumexp(log_share))
        total = share @ mean
        centred = mean - total
        covariance = (share[:, None] * centred).T @ centred + np.diag(1 / precision)
        return total, covariance


class KnownBits:
    """Binomial diffusion of bit strings whose distribution we know.

    Parameters
    ----------
    beta : array_like, shape (T,)
    q0 : array_like, shape (2^n,)
        Distribution over `dpm.exact.bit_strings`.
    rho : float
        Rate of pi.
    """

    kernels = binomial
    dtype = "float64"

    def __init__(self, beta, q0, rho: float = 0.5):
        beta = np.asarray(check_rate(beta, closed=True), dtype=float)
        self.beta_arr = pt.as_tensor(beta)
        self.world = bits_world(q0, beta, rho)
        self.trajectory_length = self.world.T
        self.prior = (rho,)
        states = bit_strings(int(np.log2(len(q0))))
        self.sample_shape = states.shape[1:]
        self._beta_1, self._rho = float(beta[0]), rho
        self._place = 2.0 ** np.arange(states.shape[1])[::-1]
        perfect = World(q0, self.world.forward, self.world.pi)
        self._rates = pt.as_tensor(
            np.stack([kernel.T @ states for kernel in perfect.reverse])
        )  # (T, 2^n, n): P(bit of x^(t) is 1) for each x^(t+1)

    def reverse_step(self, X, t):
        """Rates of q(x^(t) | x^(t+1)) at X, for the time index t >= 1."""
        number = (X * self._place).sum(axis=-1).astype("int64")
        return self._rates[t][number]

    def first_step(self, X):
        """p(x^0 | x^1), the forward kernel of rate beta_1 (Appendix B.2)."""
        return binomial.forward_kernel(X, self._beta_1, self._rho)


class KnownStrings(BinomialDiffusion):
    """Binomial diffusion of a few known bit strings, with the best reverse step.

    Every q(x^t) is a mixture of independent bits, one component a string, so the rates
    of q(x^(t-1) | x^t) have a closed form: the posterior over the strings, and for each
    string the posterior of a bit. They are what a reverse step of independent bits can
    get right; how the bits of one step hang together, it cannot. `KnownBits` does the
    same for any distribution over few bits, by enumeration.

    Parameters
    ----------
    beta : array_like, shape (T,)
    strings : array_like, shape (n_strings, n_dim)
    rho : float
        Rate of pi.
    weights : array_like, shape (n_strings,), optional
        Equal where left out.
    """

    @precision("float64")
    def __init__(self, beta, strings, rho: float = 0.5, weights=None):
        strings = np.asarray(check_bits(strings, "strings"), dtype=float)
        schedule = FixedSchedule(beta, closed=True)
        super().__init__(schedule, Brick("nothing learned"), strings.shape[1], rho)
        self.strings = strings
        self.weights = _shares(weights, len(strings))
        total = numbers(beta_cumulative(np.asarray(beta, dtype=float)))
        self._total = pt.as_tensor(np.concatenate([[0.0], total]))  # (T+1,), by time

    def _log_joint(self, X, t):
        """log q(string, x^t) for X (n_t, batch, n_dim) at times t (n_t,).

        Shape (n_t, batch, n_strings). Linear in X.
        """
        rate = binomial.marginal(self.strings, self._drawn_anew(t), self.rho)
        log_one, log_zero = pt.log(rate), pt.log1p(-rate)  # (n_t, n_strings, n_dim)
        log_p = X @ (log_one - log_zero).transpose(0, 2, 1)
        return log_p + log_zero.sum(axis=-1)[:, None, :] + np.log(self.weights)

    def _drawn_anew(self, t):
        """Share of the bits that are, a hair above 0 also at t = 0; (n_t, 1, 1)."""
        return pt.maximum(self._total[t], 1e-9)[:, None, None]

    def _log_share(self, X, t):
        """log q(string | x^t), of the shape of `_log_joint`."""
        return pt.special.log_softmax(self._log_joint(X, t), axis=-1)

    def _posteriors(self, X_noisy, t):
        """Probability of each string, and a bit's posterior rate where it has 0, 1."""
        share = pt.exp(self._log_share(X_noisy, t + 1))
        beta, before = (
            array[:, None, None] for array in (self.beta_arr[t], self._total[t])
        )
        # given a string, the posterior of a bit depends on the string's own bit alone
        return share, *(
            pt.sigmoid(binomial.posterior_log_odds(x0, X_noisy, beta, before, self.rho))
            for x0 in (0.0, 1.0)
        )

    def get_log_odds(self, X_noisy, t=None):
        """Log odds of the true rates q(x^(t-1) | x^t), for time indices t.

        Index t is the paper's step t+1; left out, all of them, 1..T-1.
        """
        t = pt.arange(1, self.trajectory_length) if t is None else t
        share, off, on = self._posteriors(X_noisy, t)
        return binomial.log_odds(off + (share @ self.strings) * (on - off))

    def jump(self, X, t):
        """Rates of q(x^t | x^0), t = 0..T, in a tuple of one."""
        return (binomial.marginal(X, self._drawn_anew(t[None])[0], self.rho),)

    def log_density(self, X, t):
        """log q(x^t) of each sample, t = 0..T, in nats."""
        return pt.logsumexp(self._log_joint(X[None], t[None])[0], axis=-1)

    def log_given_data(self, X_noiseless, X, t):
        """log q(x^t | x^0) of each sample, in nats."""
        return binomial.log_prob(X, *self.jump(X_noiseless, t)).sum(axis=-1)

    def expected_divergence(self, X, t):
        """As `KnownMixture.expected_divergence`: here a difference of entropies."""
        share, off, on = (part[0] for part in self._posteriors(X[None], t[None]))
        is_one = share @ self.strings
        H_off, H_on, H_best = map(
            binomial.entropy, (off, on, off + is_one * (on - off))
        )
        return (H_best - H_off - is_one * (H_on - H_off)).sum(axis=-1)

    def sample(self, n: int, rng) -> np.ndarray:
        """Data, shape (n, n_dim)."""
        rng = as_rng(rng)
        return self.strings[rng.choice(len(self.weights), size=n, p=self.weights)]

    def _log_r(self, rate) -> np.ndarray:
        """log r of each string, for a factor r of independent bits."""
        check_broadcast(rate=rate, sample=np.empty(self.sample_shape))
        rate = np.broadcast_to(np.asarray(rate, dtype=float), self.sample_shape)
        if not ((rate >= 0) & (rate <= 1)).all():
            raise ValueError(f"r has a rate outside [0, 1]: {rate}")
        with np.errstate(divide="ignore"):
            return np.log(np.where(self.strings == 1, rate, 1.0 - rate)).sum(axis=1)

    def log_expected(self, rate):
        """The r that makes the perturbed trajectory exact, for r(x^0) of the bits.

        Parameters
        ----------
        rate : array_like, shape (n_dim,) or scalar
            r(x_i = 1), r normalised over the two values of the bit; 1/2 says nothing
            about it.

        Returns
        -------
        callable
            For `dpm.diffusion.factors.Smooth`: the logarithm of E[r(x^0) | x^t].
            That is `dpm.diffusion.factors.Expected`.
        """
        log_r = self._log_r(rate)

        def log_expected(X, t):
            share = self._log_share(X[None], pt.as_tensor(t)[None])[0]
            return pt.logsumexp(share + log_r, axis=1)

        return log_expected

    def posterior(self, rate) -> np.ndarray:
        """Exact p(x^0) r(x^0) over the strings, normalised, shape (n_strings,).

        Parameters
        ----------
        rate : array_like, shape (n_dim,) or scalar
            Of r, as in `log_expected`. A known bit has the rate 0 or 1; a bit that was
            flipped with probability e has 1-e where it was read as a 1, and e where
            not.
        """
        log_p = np.log(self.weights) + self._log_r(rate)
        if not np.isfinite(log_p).any():
            raise ValueError("r rules out every string: it has no posterior")
        return np.exp(log_p - logsumexp(log_p))
