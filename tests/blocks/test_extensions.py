"""Extensions on a run of a stub, whose steps cost nothing."""

import functools
from types import SimpleNamespace

import numpy as np
import pytensor
import pytest

from dpm.blocks import checkpoint, extensions
from dpm.blocks.main_loop import MainLoop

RECIPE = SimpleNamespace(
    cost_name="K", cost_unit="bits", cost_in_bits=lambda cost: -2.0 * float(cost)
)


class Noting(extensions.Extension):
    """Notes the steps at which it was called, and -1 when training ended."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def do(self, main_loop):
        self.seen.append(main_loop.iterations_done)

    def finish(self, main_loop):
        self.seen.append(-1)


def a_run(*more, n_steps=6, fail_at=None):
    """A run whose cost at step k is k."""

    def step(k):
        if k == fail_at:
            raise RuntimeError("lost")
        return k

    rule = SimpleNamespace(
        learning_rate=pytensor.shared(np.float64(0.5)), removes_not_finite=False
    )
    algorithm = SimpleNamespace(process_batch=step, step_rule=rule, state={})
    stream = SimpleNamespace(get_data=lambda k: [float(k)])
    loop = MainLoop(algorithm, stream)
    loop.extensions = [*more, extensions.FinishAfter(n_steps)]
    return loop


@pytest.mark.parametrize(
    "options, seen",
    [
        ({"every_n_steps": 2}, [2, 4, 6, -1]),
        ({"every_n_steps": 0}, [-1]),
        ({"every_n_steps": 4, "before_training": True}, [0, 4, -1]),
        ({"every_n_steps": 4, "after_training": True}, [4, 6, -1]),
    ],
)
def test_an_extension_is_called_when_it_says(options, seen):
    noting = Noting(**options)
    a_run(noting).run()
    assert noting.seen == seen


def test_the_run_ends_after_its_steps_and_takes_none_where_they_are_done():
    loop = a_run(n_steps=6).run()
    assert loop.iterations_done == 6 and loop.costs == [0, 1, 2, 3, 4, 5]
    assert loop.run().iterations_done == 6  # a second time there are none left


def test_finish_is_called_after_an_error_too():
    noting = Noting(1)
    with pytest.raises(RuntimeError, match="lost"):
        a_run(noting, fail_at=2).run()
    assert noting.seen == [1, 2, -1]


def test_a_shared_variable_follows_its_function_in_its_own_precision():
    variable = pytensor.shared(np.float32(1.0))
    halve = extensions.SharedVariableModifier(
        variable, lambda step, old: old / 2 + step, every_n_steps=2
    )
    a_run(halve, n_steps=4).run()
    assert variable.get_value() == (1 / 2 + 2) / 2 + 4  # after steps 2 and 4
    assert variable.get_value().dtype == "float32"


def test_recent_bits_are_of_the_last_costs_alone():
    loop = a_run()
    assert extensions.recent_bits(RECIPE, loop, 2) is None
    loop.run()
    assert extensions.recent_bits(RECIPE, loop, 2) == -2.0 * (4 + 5) / 2


def test_seconds_a_step_are_those_since_the_last_time():
    loop, timing = a_run(), extensions.Timing(2)
    for steps, seconds, expected in ((2, 3.0, 1.5), (6, 5.0, 0.5)):
        loop.iterations_done, loop.seconds = steps, seconds
        timing.do(loop)
        assert loop.records["seconds_per_step"][-1] == (steps, expected)


def test_what_is_printed_leaves_out_the_norms(capsys):
    loop = a_run(extensions.Printing(RECIPE, 6))
    loop.record("grad norm W", 7.25)
    loop.record("test K", 3.25)
    loop.run()
    out = capsys.readouterr().out
    assert out == "step 6  learning rate 0.5  K -5.0000 bits  test K 3.25\n"


def test_the_bar_shows_the_cost_and_is_closed_at_the_end(monkeypatch):
    shown = functools.partial(extensions.tqdm, disable=False)
    monkeypatch.setattr(extensions, "tqdm", shown)
    bar = extensions.ProgressBar(RECIPE, 6, refresh=2)
    a_run(bar, n_steps=5).run()
    assert bar.bar.n == 5 and bar.bar.total == 6
    assert "K -5.000 bits" in bar.bar.postfix  # steps 2 and 3


def test_checkpoints_are_saved_before_within_and_at_the_end(tmp_path, monkeypatch):
    saved, save = [], checkpoint.save
    path = tmp_path / checkpoint.FILE_NAME

    def noting(path, arrays, meta):
        saved.append(meta["iterations_done"])
        save(path, arrays, meta)

    monkeypatch.setattr(checkpoint, "save", noting)
    a_run(extensions.Checkpoint(path, {"name": "stub"}, 4)).run()
    assert saved == [0, 4, 6]
    arrays, meta = checkpoint.load(path)
    assert meta["name"] == "stub" and arrays["costs"].tolist() == [0, 1, 2, 3, 4, 5]
