"""What is drawn and changed while a run of images goes on."""

import contextlib
from types import SimpleNamespace

import matplotlib.pyplot as plt
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


SHAPE = (1, 2, 2)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that an extension would have written, by the names of their files."""
    found = {}

    def save(fig, path):
        found[path.name] = fig
        plt.close(fig)

    monkeypatch.setattr(extensions.viz, "save_figure", save)
    return found


def loop_at(step):
    """A main loop after so many steps, whose data are the number of the step."""
    layer = Linear(2, 2, Constant(1.0), "layer")
    layer.initialize(np.random.default_rng(0))
    model = SimpleNamespace(sample_shape=SHAPE, trajectory_length=5, dtype="float32",
                            parameters=layer.parameters)  # fmt: skip
    records = {}
    return SimpleNamespace(
        model=model, iterations_done=step, records=records, costs=[1.0, 2.0],
        algorithm=SimpleNamespace(gradients={"layer.W": None}, inputs=[]),
        data_stream=SimpleNamespace(get_data=lambda number: [number]),
        record=lambda name, value: records.update({name: [(step, value)]}),
    )  # fmt: skip


def test_gradients_and_norms_are_of_the_data_of_the_step(drawn, tmp_path):
    gradients = extensions.PlotGradients(tmp_path, 1)
    gradients.grad_f = lambda number: [np.full((2, 2), float(number))]
    recipe = SimpleNamespace(cost_in_bits=lambda costs: -costs, cost_name="K",
                             cost_unit="bits")  # fmt: skip
    monitors = extensions.PlotMonitors(recipe, tmp_path, 1)
    monitors.names, monitors.norms_f = ["norm"], lambda number: [number / 2]
    for step in (0, 7):
        loop = loop_at(step)
        for extension in (gradients, monitors):
            extension.do(loop)
        assert loop.records == {"norm": [(step, step / 2)]}
        shown = drawn[f"grads-layer.W_batch{step:06d}.png"]
        assert shown.axes[0].images[0].get_array().tolist() == [[step] * 2] * 2
        cost = drawn[f"monitors_batch{step:06d}.png"].axes[0].get_lines()[0]
        assert cost.get_ydata().tolist() == [-1.5]


def test_the_state_inside_is_drawn_with_noise_and_a_time_of_each_step(drawn, tmp_path):
    seen = []

    def state(X, noise, t, uniform):
        seen.append((noise, uniform, int(t[0, 0])))
        return [noise, np.float32(3.0)]

    X = np.arange(8.0).reshape(2, 4)
    extension = extensions.PlotInternalState(X, tmp_path, 1, n_images=2)
    extension.names, extension.internal_state_f = ["mu", "sigma"], state
    for step in [*range(40), 3]:
        extension.do(loop_at(step))
    assert {t for _, _, t in seen} == {1, 2, 3, 4}
    for k in range(2):
        values = {draw[k].tobytes() for draw in seen}
        assert len(values) == 40  # each step has its own, and always the same
        assert seen[0][k].shape == (2, *SHAPE) and seen[0][k].dtype == np.float32
    title = drawn["state-mu_batch000003.png"].get_suptitle()
    assert title.startswith(f"mu, t = {seen[3][2]}: ")
    assert "3 to 3" in drawn["state-sigma_batch000003.png"].get_suptitle()


def test_samples_of_three_kinds_are_drawn_with_the_average(monkeypatch, tmp_path):
    inside, drawn = [], []

    @contextlib.contextmanager
    def averaged():
        inside.append(True)
        yield
        inside.clear()

    def generate(model, get_mu_sigma, **options):
        drawn.append((bool(inside), sorted(options.keys() & KINDS), options))

    KINDS = {"inpaint", "denoise_sigma", "X_true"}
    monkeypatch.setattr(extensions.sampler, "generate_samples", generate)
    loop = loop_at(500)
    loop.algorithm.averaged = averaged
    X = np.ones((3, 4))
    extension = extensions.PlotSamples(X, tmp_path, 1)
    extension.get_mu_sigma = lambda: None
    for _ in range(2):
        extension.do(loop)
    assert [kinds for _, kinds, _ in drawn] == 2 * [
        [],
        ["X_true", "inpaint"],
        ["X_true", "denoise_sigma"],
    ]
    for averages, kinds, options in drawn:
        assert averages and options["n_samples"] == 3 and options["seed"] == 12345
        assert options["base_fname_part2"] == "_batch000500"
        assert not kinds or options["X_true"] is X
