"""Several devices compute what one does: the two Ops, and two processes on loopback."""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import one_of_two
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks import checkpoint, devices, parts
from dpm.recipes import HeartbeatRecipe, SwissRollRecipe

COMMAND = [sys.executable, one_of_two.__file__]
WAIT = 300  # seconds, on a busy machine


class Mesh:
    """Stands for one of JAX: graphs are shared out, and the interpreter runs them."""

    def __init__(self, size):
        self.size = size


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(devices._State, "mesh", Mesh(3))


def test_without_others_no_graph_is_changed():
    X = pt.matrix("X", shape=(4, 2))
    assert devices.share_out(X) is X and devices.whole([X]) == [X]
    assert devices.n_devices() == 1 and devices.described() == {}
    assert devices.filled_up(7) == 7


def test_placing_changes_no_number_and_no_gradient(three):
    X = pt.tensor("X", shape=(6, 2), dtype="float64")
    shared = devices.share_out(X)
    assert shared.owner.op == devices.Placed(0) and shared.type == X.type
    (y,) = devices.whole([(shared**3).sum()])
    slope = pt.grad(y, X)
    twice = pt.grad((slope**2).sum(), X)
    given = np.random.default_rng(0).standard_normal((6, 2))
    found = pytensor.function([X], [y, slope, twice])(given)
    for value, wanted in zip(
        found, ((given**3).sum(), 3 * given**2, 36 * given**3), strict=True
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-12)


def test_what_cannot_be_shared_evenly_is_done_by_each(three):
    X = pt.tensor("X", shape=(7, 6), dtype="float64")
    assert devices.share_out(X) is X
    assert devices.share_out(X, 1).owner.op.axis == 1


def test_missing_samples_are_filled_up_and_cut_off(three):
    assert [devices.filled_up(n) for n in (1, 3, 7)] == [3, 3, 9]
    X = pt.tensor("X", shape=(2, 9), dtype="float64")
    t = pt.lscalar("t")
    function = pytensor.function([X, t], [X.sum(axis=0), X * t])
    given = np.arange(14.0).reshape(2, 7)
    total, times = devices.filling_up(function, 7, axis=-1)(given, 2)
    np.testing.assert_array_equal(total, given.sum(axis=0))
    np.testing.assert_array_equal(times, 2 * given)


def test_averages_over_devices_are_those_of_all_samples(three):
    w = pytensor.shared(np.array([1.0, -2.0]), "w")
    own, X = (pt.tensor(shape=(n, 2), dtype="float64") for n in (2, 6))
    t, same = pt.dscalar(), pt.dscalar()
    cost = (t * (own * w).sum(axis=1) ** 2).mean()
    outputs = devices.mean_over_devices([cost, pt.grad(cost, w)], [own, t], [X, same])
    all_at_once = (same * (X * w).sum(axis=1) ** 2).mean()
    wanted = [all_at_once, pt.grad(all_at_once, w)]
    given = np.random.default_rng(0).standard_normal((6, 2))
    found = pytensor.function([X, same], [*outputs, *wanted])(given, 0.7)
    for value, right in zip(found[:2], found[2:], strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-12)


@pytest.mark.parametrize(
    "recipe, match",
    [
        (
            SwissRollRecipe(trajectory_length=5),
            "has 32 samples, which 3 devices cannot",
        ),
        (HeartbeatRecipe(trajectory_length=60), "has 50 samples"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(recipe, match, three):
    X = np.zeros((40, recipe.build_model().n_dim))
    with pytest.raises(ValueError, match=f"{match}.*multiple of 3"):
        recipe.initialized_model(X)


def test_more_devices_than_there_are(refuse, monkeypatch):
    words = ["--dataset", "SWISS_ROLL", "--devices"]
    refuse("--devices 3: JAX finds 1 here (CPU): ask for 1 to 1", *words, 3)
    refuse("--devices 0", *words, 0)
    refuse("'many' is neither a number nor all", *words, "many")
    monkeypatch.setattr(pytensor.config, "mode", "NUMBA")
    refuse("PyTensor compiles by NUMBA: unset PYTENSOR_FLAGS", *words, "all")
    assert devices.n_devices() == 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two processes that have trained and scored, and then go on training."""
    folder, port = tmp_path_factory.mktemp("pair"), str(free_port())
    started = []
    for number in "01":
        (folder / number).mkdir()
        with (folder / f"{number}.txt").open("wb") as out:
            words = [*COMMAND, port, number, str(folder)]
            started.append(subprocess.Popen(words, stdout=out, stderr=out))
    until = time.monotonic() + WAIT
    while not (folder / checkpoint.FILE_NAME).exists():
        said = "".join(path.read_text() for path in folder.glob("?.txt"))
        assert all(one.poll() is None for one in started), said
        assert time.monotonic() < until, said
        time.sleep(0.1)
    yield folder, started
    for one in started:
        one.kill()
        one.wait()


def test_two_processes_find_what_one_finds(pair, monkeypatch):
    """In 50 steps, with the convolution's images in parts; and what is scored after."""
    folder, _ = pair
    loop, wanted = one_of_two.trained("images")
    wanted |= one_of_two.scores(loop.model) | one_of_two.trained("roll")[1]
    for number in "01":
        with np.load(folder / f"{number}.npz") as found:
            for name, value in wanted.items():
                bound = 1e-6 if name.endswith("costs") else 1e-5
                np.testing.assert_allclose(
                    found[name], value, rtol=bound, atol=bound, err_msg=name
                )
    costs = wanted["images costs"]
    assert np.ptp(costs) > 0.1 and len(costs) == one_of_two.N_STEPS


def test_what_the_processes_differ_in_is_said_by_both(pair):
    folder, _ = pair
    for number in "01":
        with np.load(folder / f"{number}.npz") as found:
            seeds, folders = str(found["other seeds"]), str(found["other folders"])
        assert seeds.startswith("the processes differ in seed: 1 in process 1, 0 in ")
        assert folders.startswith("process 1 does not see the files that process 0 wri")
        assert not list((folder / number).iterdir())


def test_when_one_is_killed_the_other_ends_and_the_checkpoint_is_whole(pair):
    folder, (first, second) = pair
    second.kill()
    started = time.monotonic()
    assert first.wait(timeout=60) != 0
    assert time.monotonic() - started < 60
    said = (folder / "0.txt").read_text()
    assert re.search("^error: .*another process of this run has ended", said, re.M)
    arrays, meta = checkpoint.load(folder)
    loop = one_of_two.RECIPES["roll"].main_loop(one_of_two.DATA["roll"])
    loop.restore(arrays, meta)
    assert meta["number"] == 0 and loop.iterations_done >= one_of_two.N_STEPS
    loop.take_step()
    assert np.isfinite(loop.costs[-1])
    assert not [path for path in Path(folder).glob(".dpm-*") if path.suffix != ".tmp"]


def test_parts_are_for_processors(monkeypatch):
    assert parts.part_size(512, parts.PART_BYTES // 10) == 8
    monkeypatch.setattr(parts, "on_cpu", lambda: False)
    assert parts.part_size(512, parts.PART_BYTES // 10) == 512
