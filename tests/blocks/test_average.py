"""The moving average of parameters, on steps worked out by hand and as it is read."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks.algorithms import GradientDescent, RMSProp
from dpm.blocks.average import MovingAverage, check_decay, chosen_parameters


class PlainStep(RMSProp):
    """The gradient times the learning rate."""

    def compute_step(self, path, parameter, gradient):
        return self.learning_rate * gradient, []


def descent(decay):
    """Steps of one tenth of 2p down p^2 from p = (3, -1)."""
    parameters = {"a/b.p": pytensor.shared(np.array([3.0, -1.0]), name="p")}
    average = MovingAverage(decay, parameters)
    cost = (parameters["a/b.p"] ** 2).sum()
    return GradientDescent(cost, parameters, PlainStep(0.1), [], average=average)


@pytest.mark.parametrize("decay", [0.5, 0.25, 0.95])
def test_the_average_moves_a_share_of_the_way_which_falls_to_what_is_asked_for(decay):
    algorithm, p = descent(decay), np.array([3.0, -1.0])
    average = p
    for n in range(1, 21):
        algorithm.process_batch()
        p = 0.8 * p
        kept = min(decay, n / (n + 9))  # as TensorFlow has it, with n - 1 steps before
        average = kept * average + (1 - kept) * p
        (found,) = algorithm.average.values().values()
        np.testing.assert_allclose(found, average, rtol=1e-12)
    np.testing.assert_allclose(algorithm.parameters["a/b.p"].get_value(), p)
    assert algorithm.average.steps.get_value() == 20


def test_steps_do_not_know_of_the_average():
    with_it, without = descent(0.9), descent(0.9)
    without = GradientDescent(
        (without.parameters["a/b.p"] ** 2).sum(), without.parameters, PlainStep(0.1), []
    )
    for _ in range(3):
        assert with_it.process_batch() == without.process_batch()
    assert with_it.state.keys() - without.state.keys() == {
        "average/a/b.p",
        "average_steps",
    }


def test_a_table_has_no_average():
    table, index = pytensor.shared(np.ones((3, 2)), shape=(3, 2)), pt.lvector("index")
    average = MovingAverage(0.9, {"p": table})
    with pytest.raises(ValueError, match="all rows of a table"):
        GradientDescent(
            (table[index] ** 2).sum(), {"p": table}, RMSProp(), [index], ["p"], average
        )


def test_the_average_is_put_in_place_for_a_while_also_if_that_ends_badly():
    algorithm = descent(0.9)
    for _ in range(4):
        algorithm.process_batch()
    p = algorithm.parameters["a/b.p"]
    last = p.get_value()
    (average,) = algorithm.average.values().values()
    with pytest.raises(KeyError), algorithm.averaged():
        np.testing.assert_array_equal(p.get_value(), average)
        assert not np.allclose(average, last)
        raise KeyError
    np.testing.assert_array_equal(p.get_value(), last)
    algorithm.average = None
    with algorithm.averaged():  # as good as nothing
        np.testing.assert_array_equal(p.get_value(), last)


ARRAYS = {"param/a.b": np.ones(2), "rule/a.b.mean": np.zeros(2)}
KEPT = {**ARRAYS, "average/a.b": np.full(2, 5.0), "average_steps": np.array(3.0)}


@pytest.mark.parametrize(
    "arrays, meta, which, value, said",
    [
        (ARRAYS, {}, None, 1, None),
        (ARRAYS, {}, "last", 1, None),
        (KEPT, {}, None, 5, "average"),
        (KEPT, {}, "average", 5, "average"),
        (KEPT, {}, "last", 1, "last"),
        (ARRAYS, {"parameters": "average"}, None, 1, "average"),  # exported
        (ARRAYS, {"parameters": "average"}, "average", 1, "average"),
        (ARRAYS, {"parameters": "last"}, None, 1, "last"),
    ],
)
def test_the_average_is_read_where_there_is_one(arrays, meta, which, value, said):
    values, found = chosen_parameters(arrays, meta, which)
    assert list(values) == ["a.b"] and found == said
    np.testing.assert_array_equal(values["a.b"], value)


@pytest.mark.parametrize(
    "arrays, meta, which, match",
    [
        (ARRAYS, {}, "average", "'average': this run kept no average: train with --em"),
        (ARRAYS, {"parameters": "average"}, "last", "exported with the other ones"),
        (ARRAYS, {"parameters": "last"}, "average", "exported with the other ones"),
        (KEPT, {}, "mean", "unknown parameters 'mean': there are average, last"),
    ],
)
def test_parameters_that_are_not_kept_are_refused(arrays, meta, which, match):
    with pytest.raises(ValueError, match=match) as error:
        chosen_parameters(arrays, meta, which)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("decay", [1, -0.1, np.nan, "0.9", True, None])
def test_a_decay_lies_below_one(decay):
    with pytest.raises(ValueError, match="ema = "):
        check_decay(decay)
