"""The reference's model of images, whole: objective, and estimators of mu and sigma.

Reads in the order of the argument: schedule, forward, reverse, bound. Draws enter
explicitly: every method is a pure function of data, time and noise.
"""

from typing import Literal

import numpy as np
import pytensor.tensor as pt

from dpm import variants, weightings
from dpm.blocks import settings
from dpm.blocks.backend import as_tensor
from dpm.blocks.bricks import no_dropout
from dpm.blocks.checks import check_choice, check_memory, check_trajectory_length
from dpm.blocks.devices import share_out
from dpm.diffusion import bound
from dpm.diffusion.schedule import FIXED, FixedSchedule, PerturbedSchedule
from dpm.diffusion.vectors import GaussianDiffusion, in_precision
from dpm.regression import MLP_conv_dense

SIZES = settings.defaults_of(MLP_conv_dense).keys()


class DiffusionModel(GaussianDiffusion):
    """Gaussian diffusion of images: the class at the heart of the reference.

    Images enter as rows (batch, n_colors * spatial_width**2), in the order colour, row,
    column, scaled to unit variance; inside they are (batch, n_colors, spatial_width,
    spatial_width).

    Parameters
    ----------
    spatial_width, n_colors : int
        Of the images.
    trajectory_length : int
        T.
    n_temporal_basis : int
        Bump functions, J of Eq. 62.
    n_hidden_dense_lower : int
        Hidden units of each dense layer; 0 leaves the dense pathway out.
    n_hidden_dense_lower_output : int
        Outputs of the dense pathway for each pixel.
    n_hidden_dense_upper : int
        Hidden units of each pixel in the upper half.
    n_hidden_conv : int
        Filters of each convolution; 0 leaves the convolutional pathway out.
    n_layers_conv, n_layers_dense_lower, n_layers_dense_upper : int
    n_t_per_minibatch : int
        Random time steps for each minibatch, where the sum over t is estimated.
    n_scales : int
        Of the multi-scale convolutions.
    step1_beta : float
        Added to the floor of the first rate: the smallest variance of the model.
    uniform_noise : float
        Width of the uniform noise added to the data, in their own scaled units: one
        grey level hides that they are whole numbers.
    variant : {"reference", "paper"}
        Where the choices come from that are left out.
    choices
        What is this port's to choose, by the names of `dpm.variants.choose`.

    Notes
    -----
    Reference: ``DiffusionModel`` in ``model.py``, with the same method names. Time t is
    there, and in the methods that bear its names, a matrix (n_t, 1) of numbers in
    1..T-1: n_t = 1 is one time for the whole batch, n_t = batch a time of its own for
    each image. Between whole numbers the schedule is interpolated.
    """

    @settings.typed
    def __init__(
        self,
        spatial_width: settings.Count,
        n_colors: settings.Count,
        trajectory_length: settings.Several = 1000,
        n_temporal_basis: settings.Count = 10,
        n_hidden_dense_lower: settings.Natural = 500,
        n_hidden_dense_lower_output: settings.Natural = 2,
        n_hidden_dense_upper: settings.Natural = 20,
        n_hidden_conv: settings.Natural = 20,
        n_layers_conv: settings.Natural = 4,
        n_layers_dense_lower: settings.Natural = 4,
        n_layers_dense_upper: settings.Count = 2,
        n_t_per_minibatch: settings.Count = 1,
        n_scales: settings.Count = 1,
        step1_beta: settings.Between = 0.001,
        uniform_noise: settings.NotNegative = 0.0,
        *,
        variant: Literal["reference", "paper"] = "reference",
        **choices,
    ):
        given = dict(locals())
        for name in choices:
            check_choice(name, argument_types(), "model argument")
        choices = variants.choose(variant, choices)
        self.spatial_width, self.n_colors = spatial_width, n_colors
        self.n_temporal_basis = n_temporal_basis
        self.n_t_per_minibatch = n_t_per_minibatch
        self.uniform_noise = uniform_noise
        self.mean, self.scale_beta_coeff = choices["mean"], choices["scale_beta_coeff"]
        self.sum_over_t, self.weighting = choices["sum_over_t"], choices["weighting"]
        self.guess_limit = choices["guess_limit"]
        self.guess_tails = choices["guess_tails"]
        self.trajectory_length = check_trajectory_length(trajectory_length)
        self.temporal_basis = self.generate_temporal_basis(
            trajectory_length, n_temporal_basis, choices["bump_width"]
        )
        network = MLP_conv_dense(
            **{name: given[name] for name in given.keys() & SIZES},
            **variants.network_choices(choices),
        )
        rates = variants.first_rates(choices)
        schedule = self.generate_beta_arr(step1_beta, choices["learn_beta"], rates)
        super().__init__(schedule, network, n_colors * spatial_width**2)

    @property
    def sample_shape(self) -> tuple:
        """Shape of one image on its way through a trajectory."""
        return (self.n_colors, self.spatial_width, self.spatial_width)

    def generate_temporal_basis(self, trajectory_length, n_basis, bump_width=0.5):
        """The bump functions g_j(t) of Eq. 63.

        Returns
        -------
        ndarray, shape (n_basis, T)
            They sum to one at every t. Centres are spread evenly from the first step to
            the last.
        """
        check_memory(4 * n_basis * trajectory_length, f"T = {trajectory_length}")
        xx = np.linspace(-1, 1, trajectory_length)
        x_centers = np.linspace(-1, 1, n_basis)
        width = bump_width * 2 / max(1, n_basis - 1)
        exponent = -((xx - x_centers[:, None]) ** 2) / (2 * width**2)
        bumps = np.exp(exponent - exponent.max(axis=0))
        return bumps / bumps.sum(axis=0)

    def generate_beta_arr(self, step1_beta: float, learn_beta=False, start="baseline"):
        """The schedule: a brick whose ``beta_arr`` has shape (T,).

        `start` is a name of `dpm.diffusion.schedule.FIXED`, or a function like those.
        """
        if learn_beta:
            return PerturbedSchedule(self.temporal_basis, step1_beta, start)
        rates = FIXED.get(start, start)
        return FixedSchedule(rates(self.trajectory_length, step1_beta))

    @in_precision
    def get_t_weights(self, t):
        """Weights that pick out time t from a vector over time.

        Parameters
        ----------
        t : symbolic or array_like, shape (n_t, 1)

        Returns
        -------
        symbolic, shape (T, n_t)
            Column i interpolates linearly between the two steps next to t[i].
        """
        t = pt.as_tensor(t).astype(self.dtype)
        steps = np.arange(self.trajectory_length, dtype=self.dtype)[:, None]
        return pt.maximum(1.0 - abs(steps - t.T), 0.0)

    @in_precision
    def at(self, array, t):
        """Entries of a (T,) vector at t, ready to broadcast over images."""
        picked = (self.get_t_weights(t) * array[:, None]).sum(axis=0)
        return picked[:, None, None, None]  # (n_t, 1, 1, 1)

    @in_precision
    def get_beta_forward(self, t):
        """beta of the forward step at t (n_t, 1), shape (n_t, 1, 1, 1)."""
        return self.at(self.beta_arr, t)

    @in_precision
    def get_beta_full_trajectory(self):
        """Noise variance after the whole forward trajectory, 1 - prod(1 - beta_t)."""
        return self.beta_cumulative[-1]

    @in_precision
    def generate_forward_diffusion_sample(
        self, X_noiseless, noise, t, uniform_draws=None
    ):
        """Corrupt images to time t, and look one step back.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, n_colors * width**2)
        noise : symbolic, shape (batch, n_colors, width, width)
            Standard normal draws.
        t : symbolic, shape (n_t, 1)
        uniform_draws : symbolic, shape of `noise`, optional
            Draws from [0, 1), for the noise of width `uniform_noise` on the data.

        Returns
        -------
        X_noisy, mu_posterior : symbolic, shape of `noise`
        sigma_posterior : symbolic, shape (n_t, 1, 1, 1)
        """
        X = X_noiseless.reshape(noise.type.shape)
        if uniform_draws is not None:
            X = X + (uniform_draws - 0.5) * float(self.uniform_noise)
        return super().generate_forward_diffusion_sample(X, noise, t)

    @in_precision
    def temporal_readout(self, Z, t):
        """Coefficients of mean and covariance at time t (Eq. 62).

        Parameters
        ----------
        Z : symbolic, shape (batch, width, width, n_colors * 2 * n_temporal_basis)
        t : symbolic, shape (n_t, 1)

        Returns
        -------
        mu_coeff, beta_coeff : symbolic, shape (batch, n_colors, width, width)
        """
        n, w = Z.type.shape[0], self.spatial_width
        Z = Z.reshape((n, w, w, self.n_colors, 2, self.n_temporal_basis))
        weights = self._temporal_weights(t).T[:, None, None, None, None, :]
        return self._split((Z * weights).sum(axis=-1))

    def _temporal_weights(self, t):
        """g_j(t), shape (n_basis, n_t)."""
        basis = self.temporal_basis.astype(self.dtype)[:, :, None]  # (n_basis, T, 1)
        return (basis * self.get_t_weights(t)[None]).sum(axis=1)

    def _split(self, coeffs):
        """(batch, w, w, c, 2) to coefficients of mean and of covariance."""
        return tuple(coeffs[..., i].transpose(0, 3, 1, 2) for i in (0, 1))

    @in_precision
    def get_coefficients(self, X_noisy, t, drop=no_dropout):
        """`mlp.apply` and `temporal_readout` at once, in the order that is faster."""
        weights = self._temporal_weights(t)
        return self._split(self.mlp.apply_at(X_noisy, weights, drop=drop))

    @in_precision
    def get_mu_sigma(self, X_noisy, t, drop=no_dropout):
        """One reverse step: mean and standard deviation of p(x^(t-1) | x^t).

        Parameters
        ----------
        X_noisy : symbolic, shape (batch, n_colors, width, width)
        t : symbolic, shape (n_t, 1)

        Returns
        -------
        mu, sigma : symbolic, shape of `X_noisy`
        """
        coefficients = self.get_coefficients(X_noisy, t, drop)
        return self.take_coefficients(X_noisy, t, *coefficients)

    def take_coefficients(self, X_noisy, t, mu_coeff, beta_coeff):
        """What `get_mu_sigma` makes of what the network says."""
        if self.scale_beta_coeff:
            beta_coeff = beta_coeff / float(np.sqrt(self.trajectory_length))
        return variants.MEANS[self.mean](self, X_noisy, t, mu_coeff, beta_coeff)

    def reverse_step(self, X_noisy, t):
        """`get_mu_sigma` of a whole batch at one scalar t."""
        return self.get_mu_sigma(X_noisy, t.reshape((1, 1)))

    def limit_guess(self, variance: float) -> None:
        """Set `guess_limit`, for the graphs that are built from now on.

        A number, or a shared variable, which what was compiled with it reads anew.
        """
        variants.check_of_guess(variance, self.mean, "guess_limit")
        self.guess_limit = variance

    def arrange(self, X_noiseless, noise, t):
        """Data, noise and time as the steps take them: images (n, ...), t (n, 1).

        One time for all images is (1, 1).
        """
        T, (*draws, _, _, _) = self.trajectory_length, noise.type.shape
        t = pt.as_tensor(np.arange(1, T)[:, None] if t is None else t)
        n = int(np.prod(draws))
        one = all(length == 1 for length in t.type.shape)
        t = t.reshape((1, 1)) if one else pt.broadcast_to(t, draws).reshape((n, 1))
        X = X_noiseless.reshape((draws[-1], *self.sample_shape))
        if len(draws) > 1:
            X = pt.tile(X, (draws[0], 1, 1, 1))
        return X, noise.reshape((n, *self.sample_shape)), t

    @in_precision
    def get_KL(self, X_noiseless, noise, t=None, uniform_draws=None, drop=no_dropout):
        """As `dpm.diffusion.vectors.VectorDiffusion.get_KL`; t need not be whole."""
        return self.compare_steps(X_noiseless, noise, t, uniform_draws, drop)()

    def compare_steps(self, X_noiseless, noise, t, uniform_draws, drop):
        """`get_KL` as a function of what its gradient takes for given.

        Returns
        -------
        callable
            Of "mean" or "variance", the network's output that is held, or of nothing.
        """
        shared = share_out(noise, noise.ndim - 4)
        X, flat, at = self.arrange(share_out(X_noiseless), shared, t)
        if uniform_draws is not None:
            uniform_draws = uniform_draws.reshape(flat.type.shape)
        X_noisy, *posterior = self.generate_forward_diffusion_sample(
            X, flat, at, uniform_draws
        )
        coefficients = self.get_coefficients(X_noisy, at, drop)

        def KL(held=None):
            mean, variance = coefficients
            mean = weightings.hold(mean) if held == "mean" else mean
            variance = weightings.hold(variance) if held == "variance" else variance
            step = self.take_coefficients(X_noisy, at, mean, variance)
            divergence = self.kernel_divergence(*step, *posterior)
            return divergence.reshape(noise.type.shape[:-3])

        return KL

    @in_precision
    def get_negL_bound(self, mu, sigma, mu_posterior, sigma_posterior):
        """Minus K, from one time step, relative to a unit Gaussian.

        Returns
        -------
        symbolic scalar
            L_null - K in bits per pixel, all colours summed, averaged over the batch.
        """
        KL = self.kernel_divergence(mu, sigma, mu_posterior, sigma_posterior)
        return self._negL(KL)

    def _negL(self, KL):
        """`get_negL_bound` from the divergences of a batch, (batch,)."""
        n_terms = self.trajectory_length - (self.sum_over_t != "reference")
        K = bound.lower_bound(KL[None], self.entropies(), n_terms)
        return self._bits_per_pixel_below_null(K)

    def _bits_per_pixel_below_null(self, K):
        """L_null - K, averaged, in bits per pixel."""
        gap = bound.null_log_likelihood(self.n_dim) - K.mean()
        return bound.to_bits(gap) / as_tensor(self.spatial_width**2)

    @in_precision
    def cost_single_t(self, X_noiseless, noise, t, uniform_draws=None, drop=no_dropout):
        """`get_negL_bound` of a batch at the times t, weighted."""
        KL = self.compare_steps(X_noiseless, noise, t[:, 0], uniform_draws, drop)
        return self._negL(weightings.WEIGHTINGS[self.weighting](self, t, KL))

    @in_precision
    def cost(self, X_noiseless, draws, drop=no_dropout):
        """What training lowers: L_null - K in bits per pixel.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, n_colors * width**2)
        draws : list of (noise, t, uniform_draws)
            `n_t_per_minibatch` of them, over which the cost is averaged. One of
            shape (T-1, batch, *sample_shape), without t, for the exact sum over t.
        drop : callable
            Applied to the input of every layer of the network.
        """
        if self.sum_over_t == "exact":
            ((noise, _, uniform_draws),) = draws
            K = self.get_bound(
                X_noiseless, noise, uniform_draws=uniform_draws, drop=drop
            )
            return self._bits_per_pixel_below_null(K)
        costs = [self.cost_single_t(X_noiseless, *draw, drop=drop) for draw in draws]
        return sum(costs[1:], costs[0]) / len(costs)

    @in_precision
    def internal_state(self, X_noiseless, noise, t, uniform_draws=None) -> dict:
        """What goes on inside, for plots: symbolic images by name."""
        X_noisy, mu_posterior, sigma_posterior = self.generate_forward_diffusion_sample(
            X_noiseless, noise, t, uniform_draws
        )
        mu, sigma = self.get_mu_sigma(X_noisy, t)
        return {
            "mu diff": mu - mu_posterior,
            "log sigma ratio": pt.log(sigma) - pt.log(sigma_posterior),
            "mu p": mu,
            "sigma p": sigma,
            "mu q posterior": mu_posterior,
            "sigma q posterior": sigma_posterior,
            "X_noiseless": X_noiseless.reshape(noise.type.shape),
            "X_noisy": X_noisy,
        }


def argument_types() -> dict:
    """What each argument of `DiffusionModel` may be, by name."""
    return settings.declared(DiffusionModel.__init__) | variants.TYPES


def model_arguments() -> dict:
    """All arguments of `DiffusionModel` if left out; None is what the variant says."""
    own = settings.defaults_of(DiffusionModel)
    return own | dict.fromkeys(variants.VARIANTS["reference"])
