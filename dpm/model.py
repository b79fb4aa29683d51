"""The reference's model of images, whole: objective, and estimators of mu and sigma.

Reads in the order of the argument: schedule, forward, reverse, bound. Draws enter
explicitly: every method is a pure function of data, time and noise.
"""

import functools

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm import bound, gaussian
from dpm.backend import precision
from dpm.bricks import no_dropout
from dpm.checks import check_count, check_positive, check_trajectory_length
from dpm.gaussian_diffusion import GaussianDiffusion
from dpm.regression import MLP_conv_dense
from dpm.schedule import FIXED, FixedSchedule, PerturbedSchedule, log_snr
from dpm.variants import choose

GUESS = 3.0, -14.0, 3.0  # what scales the log variance of a guess, and its ends
FAINT = 0.02  # share of the variance, below which weighting "picture" counts less
AT_LEAST_ONE = ("spatial_width", "n_colors", "n_temporal_basis", "n_t_per_minibatch")
COUNTS = AT_LEAST_ONE + (
    "n_hidden_dense_lower",
    "n_hidden_dense_lower_output",
    "n_hidden_dense_upper",
    "n_hidden_conv",
    "n_layers_conv",
    "n_layers_dense_lower",
    "n_layers_dense_upper",
    "n_scales",
)


def in_precision(method):
    """Build the graph of a method in the floating point type of its model."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with precision(self.dtype):
            return method(self, *args, **kwargs)

    return wrapped


class DiffusionModel(GaussianDiffusion):
    """Gaussian diffusion of images: the class at the heart of the reference.

    Images enter as rows (batch, n_colors * spatial_width**2), in the order colour, row,
    column, scaled to unit variance; inside they are (batch, n_colors, spatial_width,
    spatial_width). Time t is a matrix (n_t, 1) of numbers in 1..T-1: n_t = 1 is one
    time for the whole batch, n_t = batch a time of its own for each image. Between
    whole numbers the schedule is interpolated.

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
        Where the arguments that follow come from when they are left out.
    mean : {"forward", "equilibrium", "posterior", "guess"}
        What the network's output z is for: x sqrt(1 - beta) + z sqrt(beta), a
        perturbation of the forward mean; Eq. 65, decay towards z; or the mean of
        q(x^(t-1) | x^t, x^0) for x^0 = z, the picture that the network sees in x^t.
        With "guess" the outputs are mean and log variance of a guess of x^0, which is
        multiplied by what x^t itself says of x^0. Where x^t is the more precise of the
        two, it is believed.
    scale_beta_coeff : bool
        Whether z of Eq. 64 is divided by sqrt(T).
    conv_nonlinearity, dense_nonlinearity : {"leaky_relu", "softplus", "tanh"}
    nonlinearity_after_sum : bool
        Over the scales; see `dpm.regression.MultiScaleConvolution`.
    bump_width : float
        w of Eq. 63, in units of the spacing of the bumps' centres.
    beta_start : {"baseline", "log_snr"}
        The rates of `dpm.schedule` that are held fixed, or learned from there on.
    learn_beta : bool
        Whether the rates have parameters; see `dpm.schedule.PerturbedSchedule`.
    tied_biases : bool
        Whether a convolution's bias is the same for all pixels. Then, and without the
        dense pathway, the parameters fit a model of any `spatial_width`.
    dense_lower_depth : {"n_layers_conv", "n_layers_dense_lower"}
    dense_start : {"orthogonal", "pixels"}
    conv_start : {"isotropic", "pixels"}
        See `dpm.regression.MLP_conv_dense`.
    weighting : {"bound", "noise", "both", "picture"}
        Of the terms in `cost`. "bound" weights all alike: the cost is then K, or an
        estimate of it. With "noise" every step asks for the noise in the picture with
        the same accuracy, as Ho et al. (2020) do, and the cost is not K any more.
        "both" is the mean of the two. With "picture" every step asks for the picture
        in x^t with the same accuracy, but for the last steps, of whose variance the
        picture is less than `FAINT`. So the noisy steps count most.
    sum_over_t : {"reference", "random", "exact"}
        The sum of Eq. 14 in `cost`: T times the term of one random t; T-1 times, as
        many as there are terms; or every term.
    final_log_snr : float, optional
        Where the rates "log_snr" end, -5 if left out. After the last forward step the
        pictures' principal components have variances v (1 - b_T) + b_T: only if v
        exp(final_log_snr) is small do samples start where they should, from pi.
    guess_limit : float, optional
        For mean "guess": the largest variance that a guess may have. With a small one
        the network is believed where x^t would have been. Meant for a model that was
        trained without: samples lose their grain, and K falls.

    Notes
    -----
    Reference: ``DiffusionModel`` in ``model.py``, with the same method names. The
    arguments from `variant` on are this port's.
    """

    def __init__(
        self,
        spatial_width: int,
        n_colors: int,
        trajectory_length: int = 1000,
        n_temporal_basis: int = 10,
        n_hidden_dense_lower: int = 500,
        n_hidden_dense_lower_output: int = 2,
        n_hidden_dense_upper: int = 20,
        n_hidden_conv: int = 20,
        n_layers_conv: int = 4,
        n_layers_dense_lower: int = 4,
        n_layers_dense_upper: int = 2,
        n_t_per_minibatch: int = 1,
        n_scales: int = 1,
        step1_beta: float = 0.001,
        uniform_noise: float = 0.0,
        *,
        variant: str = "reference",
        mean: str | None = None,
        scale_beta_coeff: bool | None = None,
        conv_nonlinearity: str | None = None,
        dense_nonlinearity: str | None = None,
        nonlinearity_after_sum: bool | None = None,
        bump_width: float | None = None,
        beta_start: str | None = None,
        learn_beta: bool | None = None,
        tied_biases: bool | None = None,
        dense_lower_depth: str | None = None,
        dense_start: str | None = None,
        conv_start: str | None = None,
        weighting: str | None = None,
        sum_over_t: str | None = None,
        final_log_snr: float | None = None,
        guess_limit: float | None = None,
    ):
        given = dict(locals())
        choices = choose(variant, given)
        for name in COUNTS:
            check_count(given[name], name, least=int(name in AT_LEAST_ONE))
        self.spatial_width, self.n_colors = spatial_width, n_colors
        self.n_temporal_basis = n_temporal_basis
        self.n_t_per_minibatch = n_t_per_minibatch
        self.uniform_noise = uniform_noise
        self.mean, self.scale_beta_coeff = choices["mean"], choices["scale_beta_coeff"]
        self.sum_over_t, self.weighting = choices["sum_over_t"], choices["weighting"]
        if self.weighting != "bound" and self.sum_over_t != "random":
            raise ValueError(
                f"weighting = {self.weighting!r} is for one random time step, not for "
                f"sum_over_t = {self.sum_over_t!r}: choose 'random'"
            )
        self.trajectory_length = check_trajectory_length(trajectory_length)
        self.temporal_basis = self.generate_temporal_basis(
            trajectory_length, n_temporal_basis, choices["bump_width"]
        )
        network = MLP_conv_dense(
            n_layers_conv,
            n_layers_dense_lower,
            n_layers_dense_upper,
            n_hidden_conv,
            n_hidden_dense_lower,
            n_hidden_dense_lower_output,
            n_hidden_dense_upper,
            spatial_width,
            n_colors,
            n_scales,
            n_temporal_basis,
            conv_nonlinearity=choices["conv_nonlinearity"],
            dense_nonlinearity=choices["dense_nonlinearity"],
            dense_lower_depth=choices["dense_lower_depth"],
            dense_start=choices["dense_start"],
            conv_start=choices["conv_start"],
            nonlinearity_after_sum=choices["nonlinearity_after_sum"],
            tied_biases=choices["tied_biases"],
        )
        self.guess_limit = None
        if guess_limit is not None:
            self.limit_guess(guess_limit)
        rates = choices["beta_start"]
        if final_log_snr is not None:
            if rates != "log_snr":
                raise ValueError(
                    f"final_log_snr = {final_log_snr:g} is for beta_start = 'log_snr', "
                    f"not {rates!r}: leave it out, or choose those rates"
                )
            rates = functools.partial(log_snr, final_log_snr=final_log_snr)
        schedule = self.generate_beta_arr(step1_beta, choices["learn_beta"], rates)
        n_dim = n_colors * spatial_width**2
        super().__init__(schedule, network, n_dim)

    def generate_temporal_basis(self, trajectory_length, n_basis, bump_width=0.5):
        """The bump functions g_j(t) of Eq. 63.

        Returns
        -------
        ndarray, shape (n_basis, T)
            They sum to one at every t. Centres are spread evenly from the first step to
            the last.
        """
        if not 0 < bump_width < np.inf:
            raise ValueError(f"bump_width = {bump_width!r}: it must be positive")
        xx = np.linspace(-1, 1, trajectory_length)
        x_centers = np.linspace(-1, 1, n_basis)
        width = bump_width * 2 / max(1, n_basis - 1)
        exponent = -((xx - x_centers[:, None]) ** 2) / (2 * width**2)
        bumps = np.exp(exponent - exponent.max(axis=0))
        return bumps / bumps.sum(axis=0)

    def generate_beta_arr(self, step1_beta: float, learn_beta=False, start="baseline"):
        """The schedule: a brick whose ``beta_arr`` has shape (T,).

        `start` is a name of `dpm.schedule.FIXED`, or a function like those there.
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

    def _at(self, array, t):
        """Entries of a (T,) vector at t, ready to broadcast over images."""
        picked = (self.get_t_weights(t) * array[:, None]).sum(axis=0)
        return picked[:, None, None, None]  # (n_t, 1, 1, 1)

    @in_precision
    def get_beta_forward(self, t):
        """beta of the forward step at t (n_t, 1), shape (n_t, 1, 1, 1)."""
        return self._at(self.beta_arr, t)

    @in_precision
    def get_beta_full_trajectory(self):
        """Noise variance after the whole forward trajectory, 1 - prod(1 - beta_t)."""
        return self.beta_cumulative[-1]

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
        return self._split(
            self.mlp.apply_at(X_noisy, self._temporal_weights(t), drop=drop)
        )

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
        return self._perturb(X_noisy, t, *self.get_coefficients(X_noisy, t, drop))

    @property
    def sample_shape(self) -> tuple:
        """Shape of one image on its way through a trajectory."""
        return (self.n_colors, self.spatial_width, self.spatial_width)

    def reverse_step(self, X_noisy, t):
        """`get_mu_sigma` of a whole batch at one scalar t."""
        return self.get_mu_sigma(X_noisy, t.reshape((1, 1)))

    @in_precision
    def _perturb(self, X_noisy, t, mu_coeff, beta_coeff):
        """Mean and deviation as perturbations of the forward kernel (Eqs. 64, 65)."""
        if self.scale_beta_coeff:
            beta_coeff = beta_coeff / float(np.sqrt(self.trajectory_length))
        if self.mean == "guess":
            return self._by_guess(X_noisy, t, mu_coeff, beta_coeff)
        mu, sigma = self._perturb_forward(
            X_noisy, self.get_beta_forward(t), mu_coeff, beta_coeff
        )
        if self.mean == "equilibrium":
            mu = (X_noisy - mu_coeff) * (1.0 - sigma**2) + mu_coeff
        elif self.mean == "posterior":
            mu, _ = self._posterior(mu_coeff, X_noisy, t)
        return mu, sigma

    def limit_guess(self, variance: float) -> None:
        """Set `guess_limit`, for the graphs that are built from now on.

        Raises
        ------
        ValueError
            If the network does not guess, or `variance` is not positive.
        """
        if self.mean != "guess":
            raise ValueError(
                f"guess_limit = {variance!r} is for mean = 'guess', not {self.mean!r}: "
                "leave it out, or choose another model"
            )
        check_positive(variance, "guess_limit")
        self.guess_limit = variance

    def _by_guess(self, X_noisy, t, z, log_variance):
        """Mean and deviation of q(x^(t-1) | x^t, x^0), averaged over a Gaussian x^0.

        That Gaussian is the network's guess N(z, e) times the likelihood of x^t.
        """
        scale, least, most = GUESS
        if self.guess_limit is not None:
            most = min(most, float(np.log(self.guess_limit)))
        sigma_guess = pt.exp(pt.clip(scale * log_variance, least, most) / 2)
        b = self._at(self.beta_cumulative, t)
        likelihood = X_noisy / pt.sqrt(1 - b), pt.sqrt(b / (1 - b))
        x0, sigma_x0 = gaussian.product(z, sigma_guess, *likelihood)
        mu, sigma = self._posterior(x0, X_noisy, t)
        per_x0, _ = self._posterior(1.0, 0.0, t)
        return mu, pt.sqrt(sigma**2 + (per_x0 * sigma_x0) ** 2)

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
    def get_negL_bound(self, mu, sigma, mu_posterior, sigma_posterior):
        """Minus K, from one time step, relative to a unit Gaussian.

        Returns
        -------
        symbolic scalar
            L_null - K in bits per pixel, all colours summed, averaged over the batch.
        """
        KL = self._divergence(mu, sigma, mu_posterior, sigma_posterior)
        n_terms = self.trajectory_length - (self.sum_over_t != "reference")
        K = self._bound(KL[None], n_terms)
        return self._bits_per_pixel_below_null(K)

    def _divergence(self, mu, sigma, mu_posterior, sigma_posterior):
        """From the posterior to the reverse kernel, nats per image, (batch,)."""
        return gaussian.kl(mu_posterior, sigma_posterior, mu, sigma).sum(axis=(1, 2, 3))

    def _both_kernels(self, X_noiseless, noise, t, uniform_draws, drop):
        """Mean and deviation of the reverse kernel, then of the posterior."""
        X_noisy, *posterior = self.generate_forward_diffusion_sample(
            X_noiseless, noise, t, uniform_draws
        )
        return *self.get_mu_sigma(X_noisy, t, drop), *posterior

    def _bits_per_pixel_below_null(self, K):
        """L_null - K, averaged, in bits per pixel."""
        gap = bound.null_log_likelihood(self.n_dim) - K.mean()
        return bound.to_bits(gap) / self.spatial_width**2

    @in_precision
    def cost_single_t(self, X_noiseless, noise, t, uniform_draws=None, drop=no_dropout):
        """`get_negL_bound` of a batch at the times t."""
        kernels = self._both_kernels(X_noiseless, noise, t, uniform_draws, drop)
        if self.weighting == "bound":
            return self.get_negL_bound(*kernels)
        weights = self._weights(t)
        if self.weighting == "both":
            weights = (1.0 + weights) / 2.0
        KL = self._divergence(*kernels) * weights
        return self._bits_per_pixel_below_null(
            self._bound(KL[None], self.trajectory_length - 1)
        )

    def _weights(self, t):
        """Of the divergences at t, scaled to an average of one over all steps, (n_t,).

        A divergence is about beta_t / (2 b_t) times the squared error of the noise that
        the model sees in x^t (Ho et al., 2020), b_t being `beta_cumulative`. That is
        (1 - b_t) / b_t times the squared error of the picture.
        """
        b = self.beta_cumulative
        weights = b / self.beta_arr
        if self.weighting == "picture":
            weights = weights * b / (1.0 - b + FAINT)
        weights = weights / weights[1:].mean()
        weights = pytensor.gradient.disconnected_grad(weights)
        return (self.get_t_weights(t) * weights[:, None]).sum(axis=0)

    @in_precision
    def get_KL(self, X_noiseless, noise, t, uniform_draws=None, drop=no_dropout):
        """The divergence inside Eq. 14 at t, in nats per image, shape (batch,)."""
        kernels = self._both_kernels(X_noiseless, noise, t, uniform_draws, drop)
        return self._divergence(*kernels)

    @in_precision
    def get_bound(self, X_noiseless, noise, t=None, uniform_draws=None):
        """K of Eq. 14 for each image, in nats, shape (batch,).

        With t (batch, 1) an unbiased estimate from one time step an image. Without t,
        the sum over all steps: `noise` then holds (T-1) * batch images, all images of
        t = 1 first.
        """
        if t is not None:
            KL = self.get_KL(X_noiseless, noise, t, uniform_draws)
            return self._bound(KL[None], self.trajectory_length - 1)
        n_t, n = self.trajectory_length - 1, X_noiseless.type.shape[0]
        t = np.repeat(np.arange(1, n_t + 1, dtype=self.dtype), n)[:, None]
        X_noiseless = pt.tile(X_noiseless, (n_t, 1))
        KL = self.get_KL(X_noiseless, noise, t, uniform_draws)
        return self._bound(KL.reshape((n_t, n)))

    @in_precision
    def cost(self, X_noiseless, draws, drop=no_dropout):
        """What training lowers: L_null - K in bits per pixel.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, n_colors * width**2)
        draws : list of (noise, t, uniform_draws)
            `n_t_per_minibatch` of them, over which the cost is averaged; t may be None
            in the only one where ``sum_over_t`` is 'exact'.
        drop : callable
            Applied to the input of every layer of the network.
        """
        if self.sum_over_t == "exact":
            ((noise, _, uniform_draws),) = draws
            K = self.get_bound(X_noiseless, noise, None, uniform_draws)
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
