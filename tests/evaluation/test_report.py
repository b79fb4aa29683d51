"""K over every t, scores of grey levels, and log p by Eq. 9, against exact values."""

import numpy as np
import pytest
from scipy.stats import norm
from small_images import dataset, model_of_images

from dpm import evaluation
from dpm.evaluation import parzen

# -- K of images -----


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
