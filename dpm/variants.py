"""Where the reference departs from the paper, `DiffusionModel` lets the user choose."""

from dpm.checks import check_choice
from dpm.regression import NONLINEARITIES

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
        "dense_lower_depth": "n_layers_conv",
        "dense_start": "orthogonal",
        "conv_start": "isotropic",
        "weighting": "bound",
        "sum_over_t": "reference",
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
        "dense_lower_depth": "n_layers_dense_lower",
        "dense_start": "orthogonal",
        "conv_start": "isotropic",
        "weighting": "bound",
        "sum_over_t": "exact",
    },
}
CHOICES = {
    "mean": ("forward", "equilibrium", "posterior", "guess"),
    "scale_beta_coeff": (True, False),
    "conv_nonlinearity": tuple(NONLINEARITIES),
    "dense_nonlinearity": tuple(NONLINEARITIES),
    "nonlinearity_after_sum": (True, False),
    "beta_start": ("baseline", "log_snr"),
    "learn_beta": (True, False),
    "tied_biases": (True, False),
    "dense_lower_depth": ("n_layers_conv", "n_layers_dense_lower"),
    "dense_start": ("orthogonal", "pixels"),
    "conv_start": ("isotropic", "pixels"),
    "weighting": ("bound", "noise", "both", "picture"),
    "sum_over_t": ("reference", "random", "exact"),
}


def choose(variant: str, given: dict) -> dict:
    """The choices of a variant, with those that are `given` and not None in place.

    Raises
    ------
    ValueError
        For an unknown variant or value; the message lists those there are.
    """
    check_choice(variant, VARIANTS, "variant")
    choices = dict(VARIANTS[variant])
    choices |= {k: given[k] for k in choices if given[k] is not None}
    for name, allowed in CHOICES.items():
        check_choice(choices[name], allowed, name)
    return choices
