"""K over every t, scores of grey levels, and log p by Eq. 9, against exact values."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.stats import norm

from dpm import evaluation, exact
from dpm.blocks.backend import precision
from dpm.datasets import Dataset
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.schedule import FixedSchedule
from dpm.diffusion.vectors import GaussianDiffusion
from dpm.evaluation import estimates, likelihood, parzen
from dpm.exact.known import KnownBits, KnownMixture
from dpm.model import DiffusionModel

SMALL = dict(
    spatial_width=4,
    n_colors=2,
    trajectory_length=6,
    n_temporal_basis=3,
    n_hidden_dense_lower=5,
    n_hidden_dense_upper=4,
    n_hidden_conv=0,
    n_layers_dense_lower=2,
)


def model_of_images(size=0.3, dtype="float64", **more):
    """A small model whose parameters are normal draws times `size`."""
    with precision(dtype):
        model = DiffusionModel(**{**SMALL, **more})
    rng = np.random.default_rng(0)
    for variable in model.parameters.values():
        shape = variable.get_value().shape
        variable.set_value(size * rng.standard_normal(shape).astype(dtype))
    return model


def dataset(model, X_train, X_test, **more):
    more = {"shift": np.zeros(1), "scale": 1.0, **more}
    return Dataset(
        "", X_train, X_test, per="pixel", image_shape=model.sample_shape, **more
    )


# -- K of images -----


def test_the_sum_over_all_t_is_the_sum(monkeypatch):
    """Batches of three, the last one filled up, against the graph of the whole sum."""
    monkeypatch.setattr(estimates, "ALL_T_BATCH", 3)
    model = model_of_images(uniform_noise=0.7)
    X = np.random.default_rng(1).standard_normal((7, 32))
    K, KL = evaluation.bound_all_t(model, X, seed=5, progress=False)
    drawn = np.empty((2, 5, 9, *model.sample_shape))
    for t in range(1, 6):
        rng = np.random.default_rng([5, t])
        for start in (0, 3, 6):
            part = np.s_[start : start + 3]
            drawn[0, t - 1, part] = rng.standard_normal((3, *model.sample_shape))
            drawn[1, t - 1, part] = rng.random((3, *model.sample_shape))
    noise, uniform = (pt.as_tensor(d[:, :7]) for d in drawn)
    exactly = model.get_bound(pt.as_tensor(X), noise, uniform_draws=uniform).eval()
    np.testing.assert_allclose(K, exactly, rtol=1e-10)
    for t in (1, 5):
        one = model.get_KL(pt.as_tensor(X), noise[t - 1], [t], uniform[t - 1])
        assert KL[t - 1] == pytest.approx(one.eval().mean())


def test_few_steps_estimate_the_sum_without_bias():
    model = model_of_images()
    X = np.repeat(np.random.default_rng(1).standard_normal((1, 32)), 4000, axis=0)
    full, _ = evaluation.bound_all_t(model, X, seed=1, progress=False)
    few = {n: evaluation.estimate_bound(model, X, n, seed=2)[0] for n in (1, 3, 5)}
    for K in few.values():
        spread = np.hypot(K.std(), full.std()) / np.sqrt(len(X))
        assert K.mean() == pytest.approx(full.mean(), abs=4 * spread)
    assert few[1].std() > 1.7 * few[3].std() > 1.7 * few[5].std()
    # with as many draws as steps each step comes once: no less noise can be had
    assert few[5].std() == pytest.approx(full.std(), rel=0.1)


@pytest.mark.parametrize("n_draws", [1, 2, 5, 7])
def test_steps_are_evenly_spaced_and_none_is_preferred(n_draws):
    times = evaluation.spread_times(6, n_draws, 6000, np.random.default_rng(0))
    counts = np.bincount(times.ravel(), minlength=6)[1:]
    assert times.shape == (n_draws, 6000) and counts.sum() == times.size
    np.testing.assert_allclose(counts / times.size, 0.2, atol=0.025)
    gaps = np.diff(times, axis=0)
    assert n_draws == 1 or gaps.max() <= np.ceil(5 / n_draws) and gaps.min() >= 0


def test_grey_levels_of_a_known_gaussian():
    """Against the entropy of the rounded Gaussian, summed over its levels."""
    deviation, rng = 6.0, np.random.default_rng(2)
    levels = np.arange(256)
    P = np.diff(norm.cdf(np.arange(257) - 0.5, 128, deviation))
    entropy = -(P[P > 0] * np.log2(P[P > 0])).sum()
    drawn = rng.choice(levels, size=(4000, 10), p=P / P.sum())
    X = (drawn + rng.random(drawn.shape) - 0.5 - 128) / deviation
    density = norm(0, np.sqrt(1 + 1 / (12 * deviation**2)))
    bits = evaluation.bits_per_dimension(density.logpdf(X).sum(1), 10, 1 / deviation)
    mean, error = evaluation.mean_and_error(bits)
    assert mean == pytest.approx(entropy, abs=4 * error) and error < 0.01
    assert bits.shape == (4000,)


def test_the_report_says_what_was_asked_for():
    model = model_of_images(uniform_noise=0.1)
    rng = np.random.default_rng(3)
    X_train, X_test = rng.standard_normal((40, 32)), 2 * rng.standard_normal((30, 32))
    data = dataset(model, X_train, X_test, grey_level=0.1)
    report = evaluation.evaluate(model, data, all_t=True, n_images=20, on_train=True)
    assert report["samples"] == report["train"]["samples"] == {"n": 20, "all_t": True}
    for part, X in ((report, X_test), (report["train"], X_train)):
        K, KL = evaluation.bound_all_t(model, evaluation.some_rows(X, 20))
        mean, error = evaluation.mean_and_error(K / 16 / np.log(2))
        assert part["K"] == {
            "value": pytest.approx(mean),
            "standard_error": pytest.approx(error),
            "unit": "bits/pixel",
        }
        np.testing.assert_allclose(part["kl_per_step"], KL / 16 / np.log(2))
        bits = -K.mean() / 32 / np.log(2) + np.log2(10)
        assert part["grey levels"]["value"] == pytest.approx(bits)
    data.grey_level = 0.2  # not the noise that the model was trained with
    assert "grey levels" not in evaluation.evaluate(model, data)
    with pytest.raises(ValueError, match="n = 0: it must be at least 1"):
        evaluation.evaluate(model, data, n_images=0)
    with pytest.raises(ValueError, match="n_draws = 2 and all_t"):
        evaluation.evaluate(model, data, 2, all_t=True)


def test_some_rows_are_drawn_from_all():
    X = np.arange(100)[:, None]
    rows = evaluation.some_rows(X, 30)[:, 0]
    assert len(set(rows)) == 30 and rows.max() > 80 and (np.diff(rows) > 0).all()
    assert (
        evaluation.some_rows(X, None) is X and len(evaluation.some_rows(X, 200)) == 100
    )


# -- log p by Eq. 9 -----


def test_log_p_of_a_mixture_is_the_integral_over_the_way_back():
    """Five coarse steps on the line, against quadrature from x^T down to x^0."""
    beta = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    model = KnownMixture(beta, [[-1.2], [0.9]], 0.3, [0.4, 0.6])
    grid = np.linspace(-8, 8, 2001)
    p = norm.pdf(grid)
    for t in range(4, -1, -1):
        x = pt.as_tensor(grid[:, None])
        step = model.reverse_step(x, pt.as_tensor(t)) if t else model.first_step(x)
        mu, sigma = (np.broadcast_to(part.eval(), (2001, 1))[:, 0] for part in step)
        p = norm.pdf(grid[:, None], mu, sigma) @ p * (grid[1] - grid[0])
    X = np.array([[-1.3], [0.0], [0.8]])
    found = likelihood.log_likelihood(model, X, 4000, progress=False)
    log_p = np.log(np.interp(X[:, 0], grid, p))
    assert (found.standard_error < 0.04).all()
    np.testing.assert_array_less(abs(found.log_p - log_p), 4 * found.standard_error)


def test_log_p_of_bits_is_the_sum_over_all_ways_back():
    """The last step forgets everything, as in the paper's binomial schedule."""
    beta, rho, states = np.array([0.25, 1 / 3, 0.5, 1.0]), 0.3, exact.bit_strings(2)
    model = KnownBits(beta, [0.5, 0.1, 0.1, 0.3], rho)
    p = np.where(states == 1, rho, 1 - rho).prod(axis=1)
    for t in range(3, -1, -1):
        x = pt.as_tensor(states)
        step = model.reverse_step(x, pt.as_tensor(t)) if t else model.first_step(x)
        rate = np.asarray(step.eval())  # (state after, bit)
        kernel = np.where(states[:, None] == 1, rate, 1 - rate).prod(axis=2)
        p = kernel @ p
    assert p.sum() == pytest.approx(1)
    found = likelihood.log_likelihood(model, states, 4000, progress=False)
    assert (found.standard_error < 0.04).all()
    misses = abs(found.log_p - np.log(p)) / found.standard_error
    assert misses.max() < 4


def test_steps_forth_of_bits_end_at_the_models_own_pi():
    """Any steps forth would do for Eq. 9; these must be those of the model's rho."""
    model = KnownBits([0.25, 1.0], [0.5, 0.1, 0.1, 0.3], 0.3)
    states = exact.bit_strings(2).astype(float)
    step = likelihood.compile_step(model, 4)
    after, _, log_q, log_pi = step(states, 1, np.full((4, 2), 0.4))
    assert not after.any()  # 0.4 is above rho
    np.testing.assert_allclose(log_q, 2 * np.log(0.7))
    np.testing.assert_allclose(log_pi, 2 * np.log(0.7))


def untrained_toy():
    model = GaussianDiffusion(FixedSchedule([0.1, 0.2, 0.3]), RBFNetwork(2, 3, 3), 2)
    for variable in model.parameters.values():
        variable.set_value(np.zeros_like(variable.get_value()))
    return model


@pytest.mark.parametrize("kind", ["toy", "images"])
def test_a_model_that_learned_nothing_gives_pi_from_every_trajectory(kind):
    """Its steps back are those forth, so all weights are equal, by detailed balance."""
    images = kind == "images"
    model = model_of_images(0.0, "float32") if images else untrained_toy()
    X = np.random.default_rng(4).standard_normal((35, model.n_dim))
    found = evaluation.log_likelihood(model, X, 4, progress=False)  # 140 is not 200
    np.testing.assert_allclose(found.log_p, norm.logpdf(X).sum(axis=1), atol=2e-3)
    np.testing.assert_allclose(found.effective_sample_size, 4, rtol=1e-5)


def test_log_p_of_grey_levels_is_that_with_noise_on_them():
    model = model_of_images(0.0, uniform_noise=1.0)
    X = np.zeros((400, 32))
    found = likelihood.log_likelihood(model, X, 2, progress=False)
    in_cell = -0.5 * np.log(2 * np.pi) - 1 / 24  # of a uniform draw, mean square 1/12
    assert found.log_p.mean() / 32 == pytest.approx(in_cell, abs=0.005)
    np.testing.assert_allclose(found.effective_sample_size, 2)  # one draw an image


def test_log_p_lies_above_K():
    """More trajectories than one raise the estimate towards log p."""
    model = model_of_images()
    X = np.random.default_rng(5).standard_normal((200, 32))
    data = dataset(model, X, X)
    K = evaluation.evaluate(model, data, all_t=True)["K"]
    one, many = (evaluation.score_log_p(model, data, 200, n) for n in (1, 50))
    assert one["log p"]["value"] < many["log p"]["value"]
    assert many["log p"]["value"] > K["value"] + 4 * K["standard_error"]
    assert one["effective_sample_size"] == 1 < many["effective_sample_size"] < 50
    assert many["n"] == 200 and many["log p"]["unit"] == "bits/pixel"


# -- the Parzen window of a model -----


def test_samples_are_brought_back_to_the_scale_of_pixels():
    """A model that learned nothing draws pi: pixels N(shift, scale^2)."""
    model, rng = model_of_images(0.0), np.random.default_rng(6)
    X_train, X_test = rng.standard_normal((2, 300, 32))
    data = dataset(model, X_train, X_test, shift=np.array(0.3), scale=0.2)
    found = parzen.score_model(model, data, 450)
    pixels = [X * 0.2 + 0.3 for X in (rng.standard_normal((450, 32)), X_train, X_test)]
    expected = parzen.score(*pixels, progress=False)
    assert found.n_samples == 450
    assert found.log_p == pytest.approx(expected.log_p, abs=0.5)
    assert found.log_p > 0  # of unscaled pixels it would be near -50 nats
