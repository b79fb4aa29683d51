"""The mode is chosen in one place, yields to the user, and gives the same numbers."""

import os
import subprocess
import sys

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks.backend import aligned, as_tensor, numbers, precision
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.schedule import LearnedSchedule, log_snr
from dpm.diffusion.vectors import GaussianDiffusion

SHOW = "import dpm, pytensor; print(pytensor.config.mode)"
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


def test_without_jax_numba_and_one_clear_message():
    mode, message = run(NO_JAX + SHOW)
    assert mode == "NUMBA"
    assert "pip install jax" in message and len(message.splitlines()) == 1


def cost_and_gradients(mode):
    """Cost and gradients of a small swiss roll model, on fixed draws."""
    rng = np.random.default_rng(3)
    T, batch = 5, 7
    model = GaussianDiffusion(LearnedSchedule(log_snr(T)), RBFNetwork(2, 3, T), 2)
    model.initialize(rng)
    X = pt.matrix("X")
    noise = pt.tensor3("noise")
    parameters = list(model.parameters.values())
    cost = -model.get_bound(X, noise).mean()
    f = pytensor.function([X, noise], [cost, *pt.grad(cost, parameters)], mode=mode)
    return f(rng.standard_normal((batch, 2)), rng.standard_normal((T - 1, batch, 2)))


def test_both_modes_agree():
    jax, numba = cost_and_gradients("JAX"), cost_and_gradients("NUMBA")
    assert len(jax) == 6
    for a, b in zip(jax, numba, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_numbers_are_what_the_compiled_graph_gives():
    rates = pytensor.shared(np.array([-1.0, 0.5]))
    graph = pt.log1p(pt.cumsum(pt.sigmoid(rates))) @ pt.as_tensor([[1.0], [2.0]])
    np.testing.assert_allclose(numbers(graph), numbers(graph), rtol=1e-14)
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
