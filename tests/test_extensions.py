"""What is drawn and changed while a run of images goes on."""

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm import extensions
from dpm.blocks.backend import numbers
from dpm.blocks.bricks import Constant, Linear


def test_learning_rate_falls_as_in_the_reference():
    rate, rates = 1e-3, []
    for epoch in range(3000):
        rate = extensions.decay_learning_rate(500 * epoch, rate)
        rates.append(rate)
    assert rates[999] == pytest.approx(1e-4, rel=1e-9)
    assert rates[499] == pytest.approx(1e-3 * 10**-0.5, rel=1e-9)
    assert set(rates[1001:]) == {1e-4}


def test_norms_are_those_of_each_parameter_and_its_gradient():
    layer = Linear(2, 3, Constant(2.0), "layer")
    layer.initialize(np.random.default_rng(0))
    cost = (layer.W**2).sum() + 5.0 * layer.b.sum()
    gradients = {path: pt.grad(cost, v) for path, v in layer.parameters.items()}
    norms, grad_norms = extensions.get_norms(layer, gradients)
    found = {norm.name: float(numbers(norm)) for norm in norms + grad_norms}
    assert found == {
        "norm layer.W": pytest.approx(24**0.5 / 6),
        "norm layer.b": 0.0,
        "grad norm layer.W": pytest.approx(96**0.5 / 6),
        "grad norm layer.b": pytest.approx(75**0.5 / 3),
    }


def test_names_are_short_but_tell_layers_apart():
    assert extensions.short_name("model/mlp/linear_0.W") == "mlp-linear_0.W"
    assert extensions.short_name("linear_0.W") == "linear_0.W"
