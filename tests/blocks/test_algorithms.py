"""Step rules on three steps worked out by hand."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks.algorithms import (
    Adam,
    CompositeRule,
    GradientDescent,
    RemoveNotFinite,
    RMSProp,
)


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


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scaler", [1.0, 0.9])
def test_a_gradient_that_is_not_finite_is_removed(lost, scaler):
    """One bad element loses the whole parameter's gradient, and no other's."""
    p = pytensor.shared(np.array([3.0, 2.0]), name="p")
    q = pytensor.shared(np.array([1.0]), name="q")
    factor = pt.vector("factor")
    cost = (p * factor).sum() + 5.0 * q.sum()
    rule = CompositeRule([RemoveNotFinite(scaler), PlainStep(0.1)])
    descent = GradientDescent(cost, {"p": p, "q": q}, rule, [factor])
    descent.process_batch(np.array([1.0, lost]))
    np.testing.assert_allclose(p.get_value(), [3.0, 2.0] * np.array(0.9 + 0.1 * scaler))
    np.testing.assert_allclose(q.get_value(), [0.5])
    descent.process_batch(np.array([1.0, 2.0]))
    assert p.get_value()[1] == pytest.approx(2.0 * (0.9 + 0.1 * scaler) - 0.2)


class PlainStep(RMSProp):
    """The gradient times the learning rate."""

    def compute_step(self, path, parameter, gradient):
        return self.learning_rate * gradient, []


def test_composite_rule_is_its_rules_in_a_row():
    alone = three_steps(RMSProp(0.1))
    rules = CompositeRule([RemoveNotFinite(), RMSProp(0.1)])
    np.testing.assert_allclose(three_steps(rules), alone)
    assert list(rules.state) == ["p.mean_square"]
    twice = three_steps(CompositeRule([PlainStep(0.5), PlainStep(0.2)]))
    np.testing.assert_allclose(twice.ravel(), 3 * 0.8 ** np.arange(1, 4))
    with pytest.raises(ValueError, match="at least one rule"):
        CompositeRule([])


@pytest.mark.parametrize("rule", [Adam, RMSProp])
def test_rows_move_as_parameters_of_their_own_would(rule):
    """Two of three rows a step, against one dense parameter for each row."""
    rng = np.random.default_rng(0)
    start, target = rng.standard_normal((2, 3, 2))
    table, index = pytensor.shared(start.copy(), shape=(3, 2)), pt.lvector("index")
    cost = ((table[index] - pt.as_tensor(target)[index]) ** 2).sum()
    sparse = GradientDescent(cost, {"p": table}, rule(0.1), [index], ["p"])
    rows = [pytensor.shared(row.copy()) for row in start]
    alone = [
        GradientDescent(((row - goal) ** 2).sum(), {"p": row}, rule(0.1), [])
        for row, goal in zip(rows, target, strict=True)
    ]
    for visited in ([0, 2], [2, 1], [0, 1], [0, 2]):
        cost = sparse.process_batch(np.array(visited))
        assert cost == pytest.approx(sum(alone[i].process_batch() for i in visited))
    found = np.array([row.get_value() for row in rows])
    np.testing.assert_allclose(table.get_value(), found, rtol=1e-12)


def test_a_table_that_is_used_otherwise_is_refused():
    table, index = pytensor.shared(np.ones((3, 2))), pt.lvector("index")
    twice = table[index].sum() + table.sum()
    with pytest.raises(ValueError, match="uses parameter p in 2 places, and 1 of them"):
        GradientDescent(twice, {"p": table}, Adam(), [index], ["p"])
