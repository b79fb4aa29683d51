"""Step rules on three steps worked out by hand."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.algorithms import Adam, GradientDescent, RMSProp


def three_steps(rule, second=False):
    """Parameter values after each step down p^2 from p = 3."""
    p = pytensor.shared(np.array([3.0]), name="p")
    parameters = {"p": p}
    if second:
        parameters["q"] = pytensor.shared(np.array([3.0]), name="q")
    cost = sum((v**2).sum() for v in parameters.values())
    algorithm = GradientDescent(cost, parameters, rule, [])
    values = []
    for _ in range(3):
        algorithm.process_batch()
        values.append([float(v.get_value()[0]) for v in parameters.values()])
    return np.array(values)


def test_rmsprop():
    p, mean_square, expected = 3.0, 0.0, []
    for _ in range(3):
        g = 2 * p
        mean_square = 0.9 * mean_square + 0.1 * g * g
        p -= 0.1 * g / mean_square**0.5
        expected.append([p])
    np.testing.assert_allclose(three_steps(RMSProp(0.1)), expected, rtol=1e-12)


def test_rmsprop_never_scales_beyond_its_limit():
    steps = three_steps(RMSProp(0.1, max_scaling=0.01))  # divides by 100 at least
    np.testing.assert_allclose(steps[0], 3 - 0.1 * 6 / 100)


def test_adam_with_one_clock_for_all_parameters():
    p, m, v, expected = 3.0, 0.0, 0.0, []
    for n in range(1, 4):
        g = 2 * p
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p -= 0.1 * (m / (1 - 0.9**n)) / ((v / (1 - 0.999**n)) ** 0.5 + 1e-8)
        expected.append([p, p])
    np.testing.assert_allclose(three_steps(Adam(0.1), True), expected, rtol=1e-12)


def test_uninitialised_parameters_are_named():
    p = pytensor.shared(np.array([np.nan]), name="p")
    with pytest.raises(ValueError, match="parameter a/b.p is still NaN"):
        GradientDescent((p**2).sum(), {"a/b.p": p}, RMSProp(), [pt.scalar()])


@pytest.mark.parametrize("rate", [0.0, -1.0, np.inf, np.nan])
def test_learning_rate_must_be_positive(rate):
    with pytest.raises(ValueError, match="learning_rate"):
        RMSProp(rate)
