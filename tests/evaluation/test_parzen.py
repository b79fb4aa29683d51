"""The Parzen window against a loop, in double precision, and on MNIST itself."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp

from dpm import datasets
from dpm.datasets import standard
from dpm.evaluation import parzen


def by_loop(X, samples, sigma):
    """The definition, one pair at a time in double precision."""
    n_dim = X.shape[1]
    out = []
    for x in X.astype(float):
        terms = [-((x - s) ** 2).sum() / (2 * sigma**2) for s in samples.astype(float)]
        out.append(logsumexp(terms) - np.log(len(samples)))
    return np.array(out) - n_dim / 2 * np.log(2 * np.pi * sigma**2)


@pytest.fixture
def pictures():
    """Pixels in [0, 1], most of them at an end, as in MNIST."""
    rng = np.random.default_rng(0)
    shape = rng.random((8, 784))
    X = (rng.random((90, 784)) < 0.3 * shape[rng.integers(8, size=90)]) * 1.0
    return X[:60].astype(np.float32), X[60:].astype(np.float32)


@pytest.mark.parametrize("sigma", [0.05, 0.2, 1.0])
def test_it_is_the_definition(pictures, sigma, monkeypatch):
    monkeypatch.setattr(parzen, "BLOCK", 7)  # the last block is not full
    samples, X = pictures
    fast = parzen.log_density(X, samples, sigma, progress=False)
    exact = by_loop(X, samples, sigma)
    np.testing.assert_allclose(fast, exact, atol=6e-5 / sigma**2, rtol=0)


def test_single_precision_does_not_mind_where_the_pictures_lie(pictures):
    samples, X = pictures
    near = parzen.log_density(X, samples, 0.2, progress=False)
    moved = (a.astype(float) + 100.3 for a in (X, samples))
    far = parzen.log_density(*moved, 0.2, progress=False)
    np.testing.assert_allclose(near, far, atol=0.01)
    found = parzen.log_density(samples, samples, 0.01, progress=False)
    assert np.isfinite(found).all()  # a distance of zero, and others out of reach


def test_it_integrates_to_one():
    samples = np.random.default_rng(1).standard_normal((20, 1))
    x = np.linspace(-8, 8, 4001)[:, None]
    density = np.exp(parzen.log_density(x, samples, 0.3, progress=False))
    assert density.sum() * (x[1, 0] - x[0, 0]) == pytest.approx(1, abs=1e-5)


def test_samples_of_a_gaussian_approach_its_entropy():
    """With many samples in one dimension the window finds the density itself."""
    rng = np.random.default_rng(2)
    samples, valid, test = (rng.standard_normal((n, 1)) for n in (5000, 500, 2000))
    result = parzen.score(samples, valid, test, progress=False)
    exact = -0.5 * test**2 - 0.5 * np.log(2 * np.pi)
    assert result.log_p == pytest.approx(exact.mean(), abs=0.02)
    spread = exact.std(ddof=1) / np.sqrt(len(test))
    assert result.standard_error == pytest.approx(spread, rel=0.05)
    assert result.n_samples == 5000


def test_the_width_is_chosen_on_the_validation_data_alone():
    rng = np.random.default_rng(3)
    samples = rng.standard_normal((300, 4))
    valid, test = 1.2 * rng.standard_normal((200, 4)), rng.standard_normal((200, 4))
    result = parzen.score(samples, valid, test, progress=False)
    single = [parzen.log_density(valid, samples, s, False).mean() for s in result.grid]
    np.testing.assert_allclose(result.validation, single)
    assert result.sigma == result.grid[np.argmax(single)]
    assert result.log_p == pytest.approx(
        parzen.log_density(test, samples, result.sigma, False).mean()
    )


def test_a_model_is_scored_in_pixels_with_a_width_from_the_training_part(monkeypatch):
    rng, given = np.random.default_rng(0), {}
    data = SimpleNamespace(X_train=rng.random((60, 4)), X_test=rng.random((9, 4)) + 5,
                           scale=2.0, shift=0.5)  # fmt: skip
    drawn = rng.standard_normal((5, 1, 2, 2))
    monkeypatch.setattr(parzen, "N_VALIDATION", 20)
    monkeypatch.setattr(parzen, "SAMPLE_BATCH", 5)
    monkeypatch.setattr(parzen, "compile_get_mu_sigma", lambda model, n: None)
    monkeypatch.setattr(parzen, "sample", lambda model, n, rng, **more: drawn[:n])
    monkeypatch.setattr(parzen, "score", lambda *parts: given.update(parts=parts))
    parzen.score_model(None, data, n_samples=7)
    samples, validation, test = given["parts"]
    twice = np.concatenate([drawn, drawn])[:7].reshape(7, 4)
    np.testing.assert_allclose(samples, 2 * twice + 0.5)
    np.testing.assert_allclose(test, 2 * data.X_test + 0.5)
    learned = {row.tobytes() for row in 2 * data.X_train + 0.5}
    assert len({row.tobytes() for row in validation} & learned) == 20


@pytest.mark.parametrize("sigma", [0.0, -0.2, np.nan, [[0.1]]])
def test_bad_widths_are_refused(sigma):
    X = np.zeros((2, 3))
    with pytest.raises(ValueError, match="width must be positive"):
        parzen.log_density(X, X, sigma, progress=False)


def test_bad_samples_are_refused():
    X = np.zeros((2, 3))
    with pytest.raises(ValueError, match="samples holds nan in row 0"):
        parzen.log_density(X, X * np.nan, 0.2)
    with pytest.raises(ValueError, match=r"data has shape \(2, 2\)"):
        parzen.log_density(X[:, :2], X, 0.2)


@pytest.mark.skipif(not datasets.at_hand("MNIST"), reason="MNIST is not at hand")
def test_training_images_as_samples_are_the_papers_perfect_model():
    """Table 2: 349 +- 3.3 bits for 10,000 training images as samples."""
    train, test = (
        a.reshape(len(a), -1) / np.float32(255) for a in standard.load_mnist()
    )
    result = parzen.score(train[:10_000], train[50_000:51_000], test, progress=False)
    bits, error = np.array([result.log_p, result.standard_error]) / np.log(2)
    assert bits == pytest.approx(349, abs=4)
    assert error == pytest.approx(3.3, abs=0.6)
