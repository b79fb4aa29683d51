"""A minibatch in parts gives the cost and the gradients of all of it at once."""

import dataclasses

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks import parts
from dpm.blocks.backend import INTERPRETED
from dpm.recipes import ImageRecipe

ARGS = dict(
    spatial_width=4,
    n_colors=2,
    trajectory_length=5,
    n_temporal_basis=3,
    n_hidden_conv=3,
    n_layers_conv=1,
    n_hidden_dense_lower=4,
    n_hidden_dense_upper=4,
    uniform_noise=0.1,
)
KINDS = {
    "one time for all": {"model_args": {"n_t_per_minibatch": 2}},
    "a time an image": {"t_per_image": True, "dropout_rate": 0.3},
}


def function(recipe, model, mode=None):
    cost, inputs, gradients = recipe.gradients(model)
    parameters = list(model.parameters.values())
    if gradients is None:
        gradients = pt.grad(cost, parameters)
    return pytensor.function(inputs, [cost, *gradients], mode=mode), inputs


@pytest.mark.parametrize("kind", KINDS)
def test_parts_add_up_to_the_whole(kind, monkeypatch, compiled):
    changes = dict(KINDS[kind])
    args = {**ARGS, **changes.pop("model_args", {})}
    recipe = ImageRecipe(batch_size=6, model_args=args, dtype="float64", **changes)
    X = np.random.default_rng(0).standard_normal((6, 32))
    model = recipe.initialized_model(X)
    for variable in model.parameters.values():  # readouts start at zero
        shape = variable.get_value().shape
        variable.set_value(np.random.default_rng(1).normal(0, 0.3, shape))
    two_images = 2 * 8 * 3 * 16
    found = []
    for room, mode in ((1 << 20, INTERPRETED), (two_images, "JAX")):
        monkeypatch.setattr(parts, "PART_BYTES", room)
        compute, inputs = function(recipe, model, mode)
        found.append(compute(X, *recipe.draws(0, inputs[1:])))
        scans = [n for n in compute.maker.fgraph.apply_nodes if "Scan" in str(n.op)]
        assert len(scans) == (room == two_images)
    for whole, in_parts in zip(*found, strict=True):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-10, atol=1e-13)


def test_parts_are_cut_along_the_axis_that_differs(compiled):
    """As noise of every time is: (times, images, ...)."""
    x, X = (pt.tensor(shape=(4, n, 3), dtype="float64") for n in (2, 6))
    w = pytensor.shared(np.arange(1.0, 4.0))
    scale, order = pt.dscalar(), np.arange(1.0, 5.0)[:, None, None]
    cost = (scale * order * pt.sin(x * w)).mean()
    whole = parts.cost_and_gradients(cost, [x, scale], [w], [X, scale])
    value = np.random.default_rng(0).standard_normal((4, 6, 3))
    found = pytensor.function([X, scale], [whole[0], *whole[1]])(value, 2.0)
    w = w.get_value()
    expected = (2 * order * np.sin(value * w)).mean()
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)
    slope = (2 * order * np.cos(value * w) * value).sum(axis=(0, 1)) / value.size
    np.testing.assert_allclose(found[1], slope, rtol=1e-12)


def test_dense_layers_take_the_minibatch_whole():
    args = {**ARGS, "n_hidden_conv": 0}
    recipe = ImageRecipe(batch_size=512, model_args=args)
    model = recipe.build_model()
    assert recipe.gradients(model)[2] is None
    wide = dataclasses.replace(recipe, model_args={**ARGS, "spatial_width": 28})
    assert len(wide.gradients(wide.build_model())[2]) == len(
        wide.build_model().parameters
    )


@pytest.mark.parametrize(
    "n, bytes_per_sample, size",
    [(512, 28 * 28 * 20 * 4, 32), (6, 1 << 20, 2), (7, 1 << 20, 1), (4, 1 << 30, 1),
     (10, 1, 10)],
)  # fmt: skip
def test_parts_are_equal_and_fit(n, bytes_per_sample, size):
    assert parts.part_size(n, bytes_per_sample) == size


@pytest.mark.parametrize(
    "few, many, match",
    [
        ((4, 3), (6, 3), r"\[\(4, 6\)\]: give one pair, the second a multiple"),
        ((6, 3), (6, 3), r"\[\]: give one pair"),
        ((2, 3), (6, 4), "more than one axis differs"),
    ],
)
def test_what_cannot_be_cut_is_refused(few, many, match):
    x, X = (pt.tensor(shape=shape, dtype="float64") for shape in (few, many))
    w = pytensor.shared(np.ones(3))
    with pytest.raises(ValueError, match=match):
        parts.cost_and_gradients((x[:, :3] * w).mean(), [x], [w], [X])
