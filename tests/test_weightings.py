"""What the divergence at each time counts, and what of it trains which output."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from modes import REWRITTEN_FOR_NUMBA
from small_images import GUESSED, model_of_images

from dpm import evaluation
from dpm.blocks.backend import numbers
from dpm.blocks.bricks import Dropout, no_dropout
from dpm.weightings import DOUBT, FAINT, WEIGHTINGS


def test_a_weighted_cost_is_for_one_random_time():
    with pytest.raises(ValueError, match="weighting = 'picture' is for one random"):
        model_of_images(sum_over_t="exact", weighting="picture")


def test_between_is_the_root_of_pictures_weights():
    """Of divergences that are all one, at each time."""
    model = model_of_images(**GUESSED)
    t = pt.as_tensor(np.arange(1.0, 300.0)[:, None])
    picture, between, bound = (
        numbers(WEIGHTINGS[name](model, t, lambda held=None: np.ones(299)))
        for name in ("picture", "between", "bound")
    )
    np.testing.assert_array_equal(bound, 1)
    b, beta = numbers(model.beta_cumulative), numbers(model.beta_arr)
    expected = b**2 / beta / (1 - b + FAINT)
    np.testing.assert_allclose(picture / picture[0], (expected / expected[1])[1:])
    np.testing.assert_allclose(between / between[0], (picture / picture[0]) ** 0.5)
    for weights in (picture, between):
        assert weights.mean() == pytest.approx(1, rel=1e-6)
        assert weights.max() > 10 * weights.min()


def cost_and_gradients(weighting, mode=None, dropout=None):
    """Of the same model and draws, by what the gradient is of."""
    model = model_of_images(**GUESSED, weighting=weighting)
    rng = np.random.default_rng(1)
    X = pt.as_tensor(rng.standard_normal((5, 32)))
    noise = pt.as_tensor(rng.standard_normal((5, *model.sample_shape)))
    t = pt.as_tensor(np.array([[1.0], [40.0], [150.0], [220.0], [299.0]]))
    draw = [(noise, t, None)]
    drop = Dropout(dropout) if dropout else no_dropout
    cost = model.cost(X, draw, drop)
    gradients = pytensor.grad(cost, list(model.parameters.values()))
    masks = getattr(drop, "masks", [])
    function = pytensor.function(masks, [cost, *gradients], mode=mode)
    cost, *gradients = function(*(rng.random(m.type.shape) for m in masks))
    gradients = dict(zip(model.parameters, map(np.asarray, gradients), strict=True))
    gradients["mean"], gradients["variance"] = [], []
    for letter in "Wb":  # of the last layer: (..., colours, 2, bumps)
        last = gradients.pop(
            f"diffusionmodel/mlp_conv_dense/MLP dense upper/linear_1.{letter}"
        )
        last = last.reshape(-1, model.n_colors, 2, model.n_temporal_basis)
        gradients["mean"].append(last[:, :, 0].ravel())
        gradients["variance"].append(last[:, :, 1].ravel())
    for name in ("mean", "variance"):
        gradients[name] = np.concatenate(gradients[name])
    return float(cost), gradients


@pytest.mark.parametrize("dropout", [None, 0.4])
def test_mean_and_variance_can_be_trained_apart(dropout):
    """What feeds one of them alone has the gradient that it is meant to have."""
    (cost, apart), (by_bound, bound), (by_picture, picture) = (
        cost_and_gradients(name, dropout=dropout)
        for name in ("apart", "bound", "picture")
    )
    assert cost == pytest.approx(by_bound, rel=1e-12) != by_picture  # K is shown
    np.testing.assert_allclose(apart["mean"], picture["mean"], rtol=1e-9, atol=1e-12)
    expected = DOUBT * bound["variance"]
    np.testing.assert_allclose(apart["variance"], expected, rtol=1e-9, atol=1e-12)
    for wrong, name in ((bound, "mean"), (picture, "variance")):
        assert not np.allclose(apart[name], wrong[name], rtol=0.1)
    shared = [name for name in apart if name not in ("mean", "variance")]
    assert len(shared) == 6 and all(apart[name].any() for name in shared)


def test_both_modes_train_them_apart_alike(compiled):
    (cost, jax), (other, numba) = (
        cost_and_gradients("apart", mode) for mode in ("JAX", REWRITTEN_FOR_NUMBA)
    )
    assert cost == pytest.approx(other, rel=1e-9)
    for name in jax:
        np.testing.assert_allclose(jax[name], numba[name], rtol=1e-7, atol=1e-10)


def test_the_bound_of_a_model_does_not_depend_on_how_it_is_trained():
    X = np.random.default_rng(0).standard_normal((6, 32))
    found = []
    for weighting in WEIGHTINGS:
        model = model_of_images(
            **{**GUESSED, "trajectory_length": 6}, weighting=weighting
        )
        model.initialize(np.random.default_rng(1))
        found.append(evaluation.bound_all_t(model, X, progress=False)[0])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_rates_that_are_learned_belong_to_neither():
    with pytest.raises(
        ValueError, match="says nothing of the rates: choose learn_beta"
    ):
        model_of_images(**{**GUESSED, "learn_beta": True}, weighting="apart")
    with pytest.raises(ValueError, match="weighting = 'apart' is for one random time"):
        model_of_images(**{**GUESSED, "sum_over_t": "exact"}, weighting="apart")
