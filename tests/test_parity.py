"""The port against recorded values of the 2015 code, in Theano and Blocks.

Every ``reference_*.npz`` in ``tests/data`` and in the folder that DPM_REFERENCE_DIR
names is read; nothing here depends on which files those are, and a key that nobody
compares is an error.
"""

import json
import re

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from modes import REWRITTEN_FOR_NUMBA
from pytensor.compile.mode import predefined_modes
from recorded import FOLDERS, recorded_files

from dpm import sampler
from dpm.blocks import algorithms
from dpm.diffusion import factors
from dpm.model import DiffusionModel

pytestmark = pytest.mark.usefixtures("compiled")

TOLERANCE = 1e-6
FILES = recorded_files("reference_*.npz")
GIVEN = re.compile(  # what goes in; all other keys are what must come out
    r"config|note|X|t_list|t_fractional|noise_\d+|param/.*|XT|sampler_noise_seed"
)


def load(path):
    with np.load(path, allow_pickle=False) as file:
        values = {key: file[key] for key in file.files}
    config = values["config"][()]
    config = json.loads(config.decode() if isinstance(config, bytes) else str(config))
    model = DiffusionModel(**config)
    prefix = "param/"
    model.set_parameter_values(
        {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
    )
    return values, model


def symbolic(model, n_images):
    """Inputs of a cost: X, noise and t."""
    return (
        pt.tensor("X", shape=(n_images, model.n_dim), dtype=model.dtype),
        pt.tensor("noise", shape=(n_images, *model.sample_shape), dtype=model.dtype),
        pt.tensor("t", shape=(1, 1), dtype=model.dtype),
    )


def schedule_values(values, model):
    t = pt.tensor("t", shape=(1, 1), dtype=model.dtype)
    outputs = {
        "beta_arr": model.beta_arr,
        "beta_full_trajectory": model.get_beta_full_trajectory(),
        "t_weights_fractional": model.get_t_weights(t),
        "beta_forward_fractional": model.get_beta_forward(t),
    }
    f = pytensor.function([t], list(outputs.values()))
    found = f(values["t_fractional"].reshape(1, 1))
    return {
        **dict(zip(outputs, found, strict=True)),
        "temporal_basis": model.temporal_basis,
    }


def cost_values(values, model, gradients=True):
    """Everything on the way from data to the cost, and to its gradients."""
    X, noise, t = symbolic(model, len(values["X"]))
    X_noisy, *posterior = model.generate_forward_diffusion_sample(X, noise, t)
    Z = model.mlp.apply(X_noisy)
    mu_coeff, beta_coeff = model.temporal_readout(Z, t)
    mu, sigma = model.get_mu_sigma(X_noisy, t)
    cost = model.get_negL_bound(mu, sigma, *posterior)
    parameters = model.parameters if gradients else {}
    slopes = pt.grad(cost, list(parameters.values())) if gradients else []
    outputs = {
        "X_noisy": X_noisy,
        "mu_posterior": posterior[0],
        "sigma_posterior": posterior[1],
        "Z": Z,
        "mu_coeff": mu_coeff,
        "beta_coeff": beta_coeff,
        "mu": mu,
        "sigma": sigma,
        "negL_bound": cost,
        **dict(zip(parameters, slopes, strict=True)),
    }
    f = pytensor.function([X, noise, t], list(outputs.values()))
    found = {}
    for k, t_k in enumerate(values["t_list"]):
        out = f(values["X"], values[f"noise_{k}"], np.reshape(t_k, (1, 1)))
        for name, value in zip(outputs, out, strict=True):
            if name in parameters:
                found[f"grad_{k}/{name}"] = value
                found[f"gradnorm_{k}/{name}"] = np.linalg.norm(np.asarray(value))
            else:
                found[f"{name}_{k}"] = value
    return found


def sampler_values(values, model):
    XT, seed = values["XT"], int(values["sampler_noise_seed"])
    n = len(XT)
    X_true = values["X"].reshape(XT.shape)
    get_mu_sigma = sampler.compile_get_mu_sigma(model, n)
    mask = sampler.generate_inpaint_mask(n, model.n_colors, model.spatial_width)
    found = {"inpaint_mask": mask}

    class FirstXT:
        """Gives the recorded start of the trajectory, then draws."""

        def __init__(self):
            self.rng, self.first = np.random.RandomState(seed), XT  # noqa: NPY002

        def standard_normal(self, size):
            start, self.first = self.first, None
            return self.rng.standard_normal(size) if start is None else start

    for kind, factor in {
        "sample": None,
        "denoise": factors.Denoising(X_true, 1.0),
        "inpaint": factors.Known(X_true, mask),
    }.items():
        walk = sampler.reverse_trajectory(
            model, n, FirstXT(), factor, get_mu_sigma=get_mu_sigma
        )
        found[f"sampler_{kind}_start"] = next(walk)[1]
        for key in values:
            if match := re.fullmatch(rf"sampler_{kind}_after(\d+)", key):
                for _ in range(int(match[1])):
                    _, X = next(walk)
                found[key] = X
    return found


def training_values(values, model):
    X, noise, t = symbolic(model, len(values["X"]))
    rule = algorithms.CompositeRule(
        [
            algorithms.RemoveNotFinite(),
            algorithms.RMSProp(1e-3, decay_rate=0.9, max_scaling=1e10),
        ]
    )
    descent = algorithms.GradientDescent(
        model.cost_single_t(X, noise, t), model.parameters, rule, [X, noise, t]
    )
    batch = values["X"], values["noise_1"], values["t_list"][1].reshape(1, 1)
    costs, after = [], {}
    wanted = {
        int(m[1]) for k in values if (m := re.match(r"rmsprop_after(\d+)/", k))
    }  # fmt: skip
    for done in range(1, len(values["rmsprop_costs"]) + 1):
        costs.append(descent.process_batch(*batch))
        if done in wanted:
            for name, value in model.get_parameter_values().items():
                after[f"rmsprop_after{done}/{name}"] = value
    return {"rmsprop_costs": costs, **after}


PARTS = (schedule_values, cost_values, sampler_values, training_values)


def compare(found, values):
    for key in sorted(found):
        recorded, ours = values[key], np.asarray(found[key])
        assert ours.size == recorded.size, key
        scale = np.abs(recorded).max()
        error = np.abs(ours.reshape(recorded.shape) * 1.0 - recorded).max()
        assert error <= TOLERANCE * scale, f"{key}: off by {error / scale:.1e}"


@pytest.mark.parametrize("mode", ["JAX", "NUMBA"])
@pytest.mark.parametrize("path", FILES, ids=FILES.get)
def test_every_recorded_value(path, mode, monkeypatch):
    """Compiled by JAX; for Numba, which takes minutes, what it would get, interpreted.

    That Numba computes our own Ops as the interpreter does is for
    blocks/test_conv_numba.py.
    """
    monkeypatch.setitem(predefined_modes, "NUMBA", REWRITTEN_FOR_NUMBA)
    values, model = load(path)
    found = {}
    with pytensor.config.change_flags(mode=mode):
        for part in PARTS:
            found |= part(values, model)
    assert found.keys() == {key for key in values if not GIVEN.fullmatch(key)}
    compare(found, values)


def test_numba_compiles_the_cost():
    """And here Numba's compiler does it, for one model, from the data to the cost."""
    values, model = load(FOLDERS[0] / "reference_gray.npz")
    with pytensor.config.change_flags(mode="NUMBA"):
        found = cost_values(values, model, gradients=False)
    assert len(found) == 9 * len(values["t_list"])
    compare(found, values)


def test_there_is_something_to_compare():
    assert {"reference_gray", "reference_color"} <= set(FILES.values())
