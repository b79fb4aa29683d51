"""What may be chosen of `DiffusionModel`: the paper's way, the 2015 code's, and ours.

Each kind of mean, weighting, nonlinearity and start is a function in a table. A new one
is a function and a line in its table; the model calls it by its name.
"""

import functools
from typing import Literal

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.backend import as_tensor
from dpm.blocks.bricks import IsotropicGaussian, Orthogonal
from dpm.blocks.checks import check_choice, check_positive
from dpm.blocks.settings import Number, Positive, check_settings
from dpm.diffusion import gaussian
from dpm.diffusion.schedule import baseline, log_snr
from dpm.regression import LeakyRelu, interpolated, repeated
from dpm.weightings import WEIGHTINGS

GUESS = 3.0, -14.0, 3.0  # what scales the log variance of a guess, and its ends


# -- the mean and deviation of a reverse step, from what the network says -----


def forward(model, X_noisy, t, mu_coeff, beta_coeff):
    """A perturbation of the forward kernel, as in the 2015 code."""
    beta = model.get_beta_forward(t)
    return model.perturb_forward(X_noisy, beta, mu_coeff, beta_coeff)


def equilibrium(model, X_noisy, t, mu_coeff, beta_coeff):
    """The paper's decay towards what the network says."""
    _, sigma = forward(model, X_noisy, t, mu_coeff, beta_coeff)
    return decay_towards(mu_coeff, X_noisy, sigma), sigma


def decay_towards(z, X_noisy, sigma):
    """The mean of Eq. 65."""
    return (X_noisy - z) * (1.0 - sigma**2) + z


def guess(model, X_noisy, t, z, log_variance):
    """Mean and deviation of q(x^(t-1) | x^t, x^0), averaged over a Gaussian x^0.

    That Gaussian is the network's guess N(z, e) times the likelihood of x^t. Where the
    guess has tails, `widened`.
    """
    scale, least, most = GUESS
    if model.guess_limit is not None:
        limit = as_tensor(model.guess_limit).astype(model.dtype)
        most = pt.minimum(most, pt.log(limit))
    sigma_guess = pt.exp(pt.clip(scale * log_variance, least, most) / 2)
    b = model.at(model.beta_cumulative, t)
    likelihood = X_noisy / pt.sqrt(1 - b), pt.sqrt(b / (1 - b))
    if model.guess_tails is not None:
        sigma_guess = widened(z, sigma_guess, *likelihood, model.guess_tails)
    x0, sigma_x0 = gaussian.product(z, sigma_guess, *likelihood)
    mu, sigma = model.get_posterior(x0, X_noisy, t)
    per_x0, _ = model.get_posterior(1.0, 0.0, t)
    return mu, pt.sqrt(sigma**2 + (per_x0 * sigma_x0) ** 2)


def widened(z, sigma_guess, x, sigma, freedom: float):
    """Deviation of a guess with the tails of Student's t, once x has been seen.

    .. math:: e' = e\\,\\frac{\\nu + d^2}{\\nu + 1}, \\qquad
        d^2 = \\frac{(x - z)^2}{e + \\sigma^2}

    Such a guess is a Gaussian of a variance that is itself in doubt, e / w. One
    observation x of it turns the mean of w from 1 into (nu + 1) / (nu + d^2) (Lange et
    al., 1989; that is exact where the noise sigma of x is small beside the guess's).
    So a guess that is wrong by many of its deviations stands back, and x is believed.

    Parameters
    ----------
    z, sigma_guess, x, sigma : symbolic
        Guess and observation, of one shape, or of shapes that broadcast.
    freedom : float
        nu, the degrees of freedom.
    """
    d2 = (x - z) ** 2 / (sigma_guess**2 + sigma**2)
    return sigma_guess * pt.sqrt((freedom + d2) / (freedom + 1.0))


MEANS = {"forward": forward, "equilibrium": equilibrium, "guess": guess}


# -- the network: nonlinearities with the gain that makes up for them, and starts -----

NONLINEARITIES = {
    "leaky_relu": (LeakyRelu, 2**0.5),
    "softplus": (pt.softplus, 2.0),
    "tanh": (pt.tanh, 1.0),
}


PIXEL_GAIN = 0.5  # of `start_with_pixels`: small enough for tanh to be nearly linear


class CentredFilters:
    """Initialise filters that pass pixels on: a matrix at their centre, plus noise.

    Noise filters alone average: of one pixel's own noise, which the model must tell
    from the picture, each layer would pass on a third or less.

    Parameters
    ----------
    std : float
        Of the normal draws at all places.
    gain : float
        Of the orthogonal matrix between channels and filters at the centre.
    """

    def __init__(self, std: float, gain: float):
        self.std, self.gain = std, gain

    def __call__(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        W = IsotropicGaussian(self.std)(rng, shape)
        W[:, :, shape[2] // 2, shape[3] // 2] += self.gain * Orthogonal()(
            rng, shape[:2]
        )
        return W


def isotropic(std: float, gain: float):
    """Filters of noise alone."""
    return IsotropicGaussian(std)


def as_drawn(network) -> None:
    """Leave the dense layers as they were drawn."""


def start_with_pixels(network) -> None:
    """Let the last dense layer undo the others, were it not for nonlinearities.

    Each pixel, made smaller, is then the first of its own features. To tell noise from
    picture a pixel must know its own noise, which is learned slowly through dense
    layers.
    """
    if network.mlp_dense_lower is None:
        return
    *before, last = (layer.W for layer in network.mlp_dense_lower.children)
    product = np.eye(network.n_colors * network.spatial_width**2)
    for W in before:
        product = product @ W.get_value()
    n_features = network.n_hidden_dense_lower_output
    W = last.get_value().reshape(product.shape[1], -1, n_features)
    back = product.T.reshape(product.shape[1], network.n_colors, -1)
    for feature in range(min(n_features, network.n_colors)):
        W[:, :, feature] = PIXEL_GAIN * back[:, feature]
    last.set_value(W.reshape(product.shape[1], -1))


UPSAMPLINGS = {"repeat": repeated, "linear": interpolated}
CONV_STARTS = {"isotropic": isotropic, "pixels": CentredFilters}
DENSE_STARTS = {"orthogonal": as_drawn, "pixels": start_with_pixels}


# -- the rates that are held fixed, or learned from there on -----

BETA_STARTS = {"baseline": baseline, "log_snr": log_snr}


# -- all of them -----

CHOICES = {
    "mean": tuple(MEANS),
    "scale_beta_coeff": (True, False),
    "conv_nonlinearity": tuple(NONLINEARITIES),
    "dense_nonlinearity": tuple(NONLINEARITIES),
    "nonlinearity_after_sum": (True, False),
    "beta_start": tuple(BETA_STARTS),
    "learn_beta": (True, False),
    "tied_biases": (True, False),
    "upsampling": tuple(UPSAMPLINGS),
    "dense_lower_depth": ("n_layers_conv", "n_layers_dense_lower"),
    "dense_start": tuple(DENSE_STARTS),
    "conv_start": tuple(CONV_STARTS),
    "weighting": tuple(WEIGHTINGS),
    "sum_over_t": ("reference", "random", "exact"),
}

TYPES = {  # what each may be; None is what the variant says
    **{
        name: (bool if allowed == (True, False) else Literal[allowed]) | None
        for name, allowed in CHOICES.items()
    },
    "bump_width": Positive | None,
    "final_log_snr": Number | None,
    "guess_limit": Positive | None,
    "guess_tails": Positive | None,
}

VARIANTS = {
    "reference": {
        "mean": "forward",
        "scale_beta_coeff": True,
        "conv_nonlinearity": "leaky_relu",
        "dense_nonlinearity": "leaky_relu",
        "nonlinearity_after_sum": False,
        "bump_width": 0.5,
        "beta_start": "baseline",
        "learn_beta": False,
        "tied_biases": False,
        "upsampling": "repeat",
        "dense_lower_depth": "n_layers_conv",
        "dense_start": "orthogonal",
        "conv_start": "isotropic",
        "weighting": "bound",
        "sum_over_t": "reference",
        "final_log_snr": None,
        "guess_limit": None,
        "guess_tails": None,
    },
    "paper": {
        "mean": "equilibrium",
        "scale_beta_coeff": False,
        "conv_nonlinearity": "softplus",
        "dense_nonlinearity": "tanh",
        "nonlinearity_after_sum": True,
        "bump_width": 1.0,
        "beta_start": "baseline",
        "learn_beta": True,
        "tied_biases": True,
        "upsampling": "repeat",
        "dense_lower_depth": "n_layers_dense_lower",
        "dense_start": "orthogonal",
        "conv_start": "isotropic",
        "weighting": "bound",
        "sum_over_t": "exact",
        "final_log_snr": None,
        "guess_limit": None,
        "guess_tails": None,
    },
}


def choose(variant: str, given: dict) -> dict:
    """The choices of a variant, with those that are `given` and not None in place.

    Parameters
    ----------
    variant : {"reference", "paper"}
        Where those that follow come from when they are left out.
    given : dict
        Of these:

        mean : {"forward", "equilibrium", "guess"}
            What the network's output z is for: x sqrt(1 - beta) + z sqrt(beta), a
            perturbation of the forward mean; or Eq. 65, decay towards z. With "guess"
            the outputs are mean and log variance of a guess of x^0, which is multiplied
            by what x^t itself says of x^0. Where x^t is the more precise of the two, it
            is believed.
        scale_beta_coeff : bool
            Whether z of Eq. 64 is divided by sqrt(T).
        conv_nonlinearity, dense_nonlinearity : {"leaky_relu", "softplus", "tanh"}
            Of the convolutions and of all other layers.
        nonlinearity_after_sum : bool
            Over the scales; see `dpm.regression.MultiScaleConvolution`.
        bump_width : float
            w of Eq. 63, in units of the spacing of the bumps' centres.
        beta_start : {"baseline", "log_snr"}
            The rates of `dpm.diffusion.schedule` that are held fixed, or learned from
            there on.
        learn_beta : bool
            Whether the rates have parameters: see
            `dpm.diffusion.schedule.PerturbedSchedule`.
        upsampling : {"repeat", "linear"}
            How a convolution's coarse scales are blown up. Repeated, each square has
            one value and ends in a jump, which samples show as blocks; linear between
            the squares' centres they have none. The parameters are the same.
        tied_biases : bool
            Whether a convolution's bias is the same for all pixels. Then, and without
            the dense pathway, the parameters fit a model of any `spatial_width`.
        dense_lower_depth : {"n_layers_conv", "n_layers_dense_lower"}
            Which argument says how many layers the dense pathway has. The reference
            takes the first, surely by a slip.
        dense_start : {"orthogonal", "pixels"}
            Whether the dense pathway starts at random altogether, or with each pixel,
            made smaller, as the first of the pixel's own features. To tell noise from
            picture a pixel must know its own noise, which is learned slowly through
            dense layers.
        conv_start : {"isotropic", "pixels"}
            The same for the convolutions, by `CentredFilters`.
        weighting : {"bound", "between", "picture", "apart"}
            Of the terms in `cost`. "bound" weights all alike: the cost is then K, or an
            estimate of it. With "picture" every step asks for the picture in x^t with
            the same accuracy, but for the last steps, of whose variance the picture is
            less than a fiftieth. So the noisy steps count most. "between" takes the
            root of those weights. With "apart" the network's output for the mean has
            the gradient of "picture", that for the variance the one of "bound" times a
            hundredth, and the cost is again K; for rates that are not learned. See
            `dpm.weightings`.
        sum_over_t : {"reference", "random", "exact"}
            The sum of Eq. 14 in `cost`: T times the term of one random t; T-1 times, as
            many as there are terms; or every term.
        final_log_snr : float
            Where the rates "log_snr" end, -5 if left out. After the last forward step
            the pictures' principal components have variances v (1 - b_T) + b_T: only if
            v exp(final_log_snr) is small do samples start where they should, from pi.
        guess_limit : float
            For mean "guess": the largest variance that a guess may have. With a small
            one the network is believed where x^t would have been. Meant for a model
            that was trained without: samples lose their grain, and K falls.
        guess_tails : float
            For mean "guess": degrees of freedom of Student's t that the guess is then,
            see `widened`. The fewer, the heavier its tails. Of data with surprises,
            such as ink where no digit of the training set has any, a Gaussian guess
            loses all that it gains elsewhere.

    Raises
    ------
    ValueError
        For an unknown variant or value, the message then lists those there are; and
        for choices that do not go together.
    """
    check_choice(variant, VARIANTS, "variant")
    check_settings(given, TYPES)
    choices = VARIANTS[variant] | {k: v for k, v in given.items() if v is not None}
    for name in ("guess_limit", "guess_tails"):
        check_of_guess(choices[name], choices["mean"], name)
    weighting, sum_over_t = choices["weighting"], choices["sum_over_t"]
    if weighting != "bound" and sum_over_t != "random":
        raise ValueError(
            f"weighting = {weighting!r} is for one random time step, not for "
            f"sum_over_t = {sum_over_t!r}: choose 'random'"
        )
    if weighting == "apart" and choices["learn_beta"]:
        raise ValueError(
            "weighting = 'apart' trains two outputs by two costs, and says nothing of "
            "the rates: choose learn_beta = False"
        )
    if choices["final_log_snr"] is not None and choices["beta_start"] != "log_snr":
        raise ValueError(
            f"final_log_snr = {choices['final_log_snr']:g} is for beta_start = "
            f"'log_snr', not {choices['beta_start']!r}: leave it out, or choose those "
            "rates"
        )
    return choices


def check_of_guess(value, mean: str, name: str) -> None:
    """Raise ValueError unless a guess may have that setting; None is none."""
    if value is None:
        return
    if mean != "guess":
        raise ValueError(
            f"{name} = {value!r} is for mean = 'guess', not {mean!r}: leave it out, or "
            "choose another model"
        )
    if not hasattr(value, "owner"):  # a PyTensor variable: not known yet
        check_positive(value, name)


def network_choices(choices: dict) -> dict:
    """Those of the choices that `MLP_conv_dense` takes, names become functions."""
    conv, gain = NONLINEARITIES[choices["conv_nonlinearity"]]
    dense, _ = NONLINEARITIES[choices["dense_nonlinearity"]]
    same = ("dense_lower_depth", "nonlinearity_after_sum", "tied_biases")
    return {
        "conv_nonlinearity": conv,
        "dense_nonlinearity": dense,
        "conv_start": functools.partial(CONV_STARTS[choices["conv_start"]], gain=gain),
        "dense_start": DENSE_STARTS[choices["dense_start"]],
        "upsample": UPSAMPLINGS[choices["upsampling"]],
        **{name: choices[name] for name in same},
    }


def first_rates(choices: dict):
    """The function of T and step1_beta that gives the rates, or where they start."""
    rates = BETA_STARTS[choices["beta_start"]]
    if choices["final_log_snr"] is None:
        return rates
    return functools.partial(rates, final_log_snr=choices["final_log_snr"])
