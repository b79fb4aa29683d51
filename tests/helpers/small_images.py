"""Small models of images, and data for them."""

import numpy as np

from dpm.blocks.backend import precision
from dpm.datasets import Dataset
from dpm.model import DiffusionModel

SMALL = dict(
    spatial_width=4,
    n_colors=2,
    trajectory_length=6,
    n_temporal_basis=3,
    n_hidden_dense_lower=5,
    n_hidden_dense_upper=4,
    n_hidden_conv=0,
    n_layers_dense_lower=2,
)
GUESSED = dict(  # dense layers that guess the picture, and rates of equal steps
    trajectory_length=300,
    n_hidden_conv=0,
    n_hidden_dense_lower=6,
    variant="paper",
    sum_over_t="random",
    learn_beta=False,
    beta_start="log_snr",
    mean="guess",
)


def model_of_images(size=0.3, dtype="float64", **more):
    """A small model whose parameters are normal draws times `size`."""
    with precision(dtype):
        model = DiffusionModel(**{**SMALL, **more})
    rng = np.random.default_rng(0)
    for variable in model.parameters.values():
        shape = variable.get_value().shape
        variable.set_value(size * rng.standard_normal(shape).astype(dtype))
    return model


def dataset(model, X_train, X_test, **more):
    more = {"shift": np.zeros(1), "scale": 1.0, **more}
    return Dataset(
        "", X_train, X_test, per="pixel", image_shape=model.sample_shape, **more
    )
