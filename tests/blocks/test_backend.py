"""The mode is chosen in one place, yields to the user, and gives the same numbers."""

import os
import subprocess
import sys

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from modes import REWRITTEN_FOR_NUMBA
from small_images import model_of_images

from dpm.blocks.backend import INTERPRETED, aligned, as_tensor, numbers, precision
from dpm.diffusion.factors import as_tuple
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.schedule import LearnedSchedule, log_snr
from dpm.diffusion.vectors import GaussianDiffusion
from dpm.recipes import HeartbeatRecipe

pytestmark = pytest.mark.usefixtures("compiled")

SHOW = "import dpm, pytensor; print(pytensor.config.mode)"
PRECISE = """\
import dpm, jax, numpy as np, pytensor
from dpm.blocks.backend import precision
with precision("float64"):
    x = pytensor.shared(np.float64(1) / 3)
    print(repr(float(pytensor.function([], x * 3 - 1 + 1e-12)())))
"""
NO_JAX = "import sys; sys.modules['jax'] = None; import importlib.util as u; \
f = u.find_spec; u.find_spec = lambda n, *a: None if n == 'jax' else f(n, *a); "


def run(code, flags=None):
    env = {k: v for k, v in os.environ.items() if k != "PYTENSOR_FLAGS"}
    if flags:
        env["PYTENSOR_FLAGS"] = flags
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr.strip()


def test_default_is_jax_without_a_word():
    assert run(SHOW) == ("JAX", "")


@pytest.mark.parametrize("flags", ["mode=NUMBA", "floatX=float32,mode=NUMBA"])
def test_yields_to_pytensor_flags(flags):
    assert run(SHOW, flags) == ("NUMBA", "")


def test_other_flags_do_not_count():
    assert run(SHOW, "floatX=float32")[0] == "JAX"


def test_double_precision_is_double_whatever_a_file_of_settings_says(
    tmp_path, monkeypatch
):
    """In single precision the digits from 1e-12 on would be lost."""
    (tmp_path / ".pytensorrc").write_text("[global]\nfloatX = float32\n")
    monkeypatch.setenv("PYTENSORRC", str(tmp_path / ".pytensorrc"))
    check = "import pytensor; assert pytensor.config.floatX == 'float32'\n"
    found, said = run(check + PRECISE)
    assert float(found) == pytest.approx(1e-12, rel=1e-3) and not said


def test_without_jax_numba_and_one_clear_message():
    mode, message = run(NO_JAX + SHOW)
    assert mode == "NUMBA"
    assert "pip install jax" in message and len(message.splitlines()) == 1


def a_roll(rng):
    model = GaussianDiffusion(LearnedSchedule(log_snr(5)), RBFNetwork(2, 3, 5), 2)
    model.initialize(rng)
    return model, rng.standard_normal((7, 2))


def a_heartbeat(rng):
    recipe = HeartbeatRecipe(
        trajectory_length=5,
        n_hidden=4,
        n_layers=2,
        n_t_per_minibatch=4,
        dtype="float64",
    )
    model = recipe.build_model()
    model.initialize(rng)
    return model, rng.integers(0, 2, (7, 20)).astype(float)


def images(**variant):
    """A model of small pictures with both pathways, two scales and two colours."""
    return lambda rng: (
        model_of_images(n_hidden_conv=3, n_layers_conv=2, n_scales=2, **variant),
        rng.standard_normal((3, 32)),
    )


MODELS = {  # the images of 2015 are in test_parity
    "roll": a_roll,
    "heartbeat": a_heartbeat,
    "images of the paper": images(variant="paper", sum_over_t="random"),
    "images, a guess": images(mean="guess", weighting="picture", sum_over_t="random"),
}


def what_is_computed(name, mode):
    """Cost, gradients, K, and a reverse step of a small model, on fixed draws."""
    rng = np.random.default_rng(3)
    model, X = MODELS[name](rng)
    T = model.trajectory_length
    draws = rng.random((3, len(X), *model.sample_shape))
    t = np.array([[1], [T - 1], [2]]) * np.ones((1, len(X)), dtype=int)
    x, noise = pt.matrix("X"), pt.tensor("noise", shape=draws.shape)
    times = pt.tensor("t", shape=t.shape, dtype="int64")
    K = model.get_bound(x, noise, times)
    state = x.reshape((len(X), *model.sample_shape))
    outputs = [K, *as_tuple(model.reverse_step(state, pt.as_tensor([2])))]
    if hasattr(model, "cost"):  # of images, weighted as they are trained
        cost = model.cost(x, [(noise[0], times[0][:, None].astype("float64"), None)])
    else:
        cost = -K.mean()
    parameters = list(model.parameters.values())
    outputs += [cost, *pt.grad(cost, parameters, disconnected_inputs="ignore")]
    f = pytensor.function([x, noise, times], outputs, mode=mode)
    return [np.asarray(value) for value in f(X, draws, t)]


@pytest.mark.parametrize("name", MODELS)
def test_all_modes_agree(name):
    interpreted = what_is_computed(name, INTERPRETED)
    assert len(interpreted) > 6
    more = [] if name == "images of the paper" else [REWRITTEN_FOR_NUMBA]
    for mode in ("JAX", *more):
        for a, b in zip(interpreted, what_is_computed(name, mode), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_numbers_are_what_the_compiled_graph_gives():
    rates = pytensor.shared(np.array([-1.0, 0.5]))
    graph = pt.log1p(pt.cumsum(pt.sigmoid(rates))) @ pt.as_tensor([[1.0], [2.0]])
    np.testing.assert_allclose(numbers(graph), graph.eval(), rtol=1e-14)
    assert numbers(2.5) == 2.5 and type(numbers(graph)) is np.ndarray


@pytest.mark.parametrize("shape", [(), (3,), (5, 1, 7)])
def test_aligned_copies_begin_at_a_multiple_of_64_bytes(shape):
    for _ in range(5):
        array = np.random.default_rng(0).standard_normal(shape)
        copy = aligned(array, "float32")
        assert copy.ctypes.data % 64 == 0 and copy.dtype == "float32"
        assert copy.flags.writeable and copy.shape == shape
        np.testing.assert_array_equal(copy, array.astype("float32"))


@pytest.mark.parametrize("number", [0.5, np.float32(0.25), np.array([0.5, 1.0]), 1])
def test_numbers_enter_in_the_precision_in_force(number):
    """Else 0.5, which single precision holds exactly, would be computed with in it."""
    assert as_tensor(number).dtype == "float64"
    with precision("float32"):
        assert as_tensor(number).dtype == "float32"
        symbol = pt.dscalar()
        assert as_tensor(symbol) is symbol
