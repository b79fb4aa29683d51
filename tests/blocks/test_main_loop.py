"""The main loop: what it records, and when it gives up."""

from types import SimpleNamespace

import numpy as np
import pytensor
import pytest

from dpm.blocks.extensions import FinishAfter
from dpm.blocks.main_loop import TOLERATED, MainLoop
from dpm.recipes import SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)


def test_a_cost_that_is_not_a_number_stops_the_run():
    loop = SMALL.main_loop(SMALL.load_data().X_train)
    readout = loop.model.mlp.readout.b
    readout.set_value(readout.get_value() * np.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        loop.run()


def a_loop(costs, tolerant):
    """A run of which only the costs are given."""
    rate = pytensor.shared(np.float64(0.5))
    rule = SimpleNamespace(learning_rate=rate, removes_not_finite=tolerant)
    algorithm = SimpleNamespace(process_batch=lambda c: c, step_rule=rule, state={})
    return MainLoop(algorithm, SimpleNamespace(get_data=lambda step: [costs[step]]))


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_costs_in_a_row_may_be_lost_where_their_gradient_is_removed(lost):
    few = [1.0, *[lost] * (TOLERATED - 1), 2.0, *[lost] * TOLERATED]
    loop = a_loop(few, tolerant=True)
    for _ in few[:-1]:
        loop.take_step()
    with pytest.raises(FloatingPointError, match=f"at step {len(few) - 1}"):
        loop.take_step()
    with pytest.raises(FloatingPointError, match="at step 1"):
        strict = a_loop(few, tolerant=False)
        strict.take_step()
        strict.take_step()


def test_what_was_recorded_comes_back_with_a_snapshot():
    loop, other = a_loop([3.0, 1.0], False), a_loop([3.0, 1.0], False)
    loop.take_step()
    loop.record("K", 2.5)
    loop.algorithm.step_rule.learning_rate.set_value(0.25)
    arrays, meta = loop.snapshot({"name": "stub"})
    assert meta["name"] == "stub" and arrays["record/K"].tolist() == [[1, 2.5]]
    other.restore(arrays, meta)
    assert other.records == {"K": [(1, 2.5)]} and other.costs == [3.0]
    assert other.iterations_done == 1
    assert other.algorithm.step_rule.learning_rate.get_value() == 0.25
    other.take_step()
    assert other.costs == [3.0, 1.0]
    del arrays["rule/learning_rate"]
    with pytest.raises(ValueError, match="the checkpoint lacks 'rule/learning_rate'"):
        other.restore(arrays, meta)


def test_seconds_count_those_before_the_run_was_resumed():
    first, resumed = (a_loop([3.0, 1.0], tolerant=False) for _ in range(2))
    first.take_step()
    first.seconds = 1000.0
    resumed.restore(*first.snapshot({}))
    resumed.extensions = [FinishAfter(2)]
    assert 1000 < resumed.run().seconds < 1600
