"""A reader of pictures against pictures whose density is known."""

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.stats import multivariate_normal

from dpm.evaluation import mean_and_error
from dpm.evaluation.picture_model import PictureModel, neighbourhood


def autoregressive(n, width, a=0.7, b=0.6, sigma=0.5, seed=0):
    """Gaussian pictures: a times the left pixel, b times the upper, -ab of both."""
    noise = sigma * np.random.default_rng(seed).standard_normal(
        (n, width + 60, width + 60)
    )
    X = lfilter([1], [1, -a], lfilter([1], [1, -b], noise, axis=1), axis=2)
    return X[:, 60:, 60:]


@pytest.fixture(scope="module")
def reader():
    """Knows Gaussian pictures of 6 x 6 pixels."""
    images = autoregressive(2500, 6)
    return PictureModel(images, 1, 10_000, 2, 1, epochs=60, progress=False)


def test_an_autoregressive_process_has_its_entropy_rate(reader):
    """Inside; and over whole small pictures, the exact Gaussian density."""
    width, a, b, sigma = 6, 0.7, 0.6, 0.5
    test = autoregressive(1500, width, seed=1)
    log_p = reader.log_prob(test)
    rate = -0.5 * np.log(2 * np.pi * np.e * sigma**2)
    mean, error = mean_and_error(reader.inside(log_p))
    assert mean == pytest.approx(rate, abs=4 * error) and error < 0.01
    along, down = (toeplitz(k ** np.arange(width)) / (1 - k**2) for k in (a, b))
    whole = multivariate_normal(cov=sigma**2 * np.kron(down, along))
    exact = whole.logpdf(test.reshape(len(test), -1))
    gap, error = mean_and_error((exact - log_p.sum(axis=(1, 2))) / width**2)
    assert -4 * error < gap < 0.02  # nats a pixel; the edge has many cases


def test_pixels_are_read_in_order(reader):
    """A pixel's score does not change with those that are read later."""
    images = autoregressive(1, 6)
    before = reader.log_prob(images)
    r, c = 2, 3
    changed = images.copy()
    changed[0, r, c + 1 :] += 1.0
    changed[0, r + 1 :] -= 1.0
    after = reader.log_prob(changed)
    np.testing.assert_allclose(before[0, :r], after[0, :r])
    np.testing.assert_allclose(before[0, r, : c + 1], after[0, r, : c + 1])
    assert (abs(before - after)[0, r, c + 1 :] > 1e-3).all()


def test_neighbours_are_where_they_should_be():
    images = np.arange(2 * 5 * 6, dtype=float).reshape(2, 5, 6)
    model = PictureModel.__new__(PictureModel)
    model.offsets, model.shape = neighbourhood(1), (5, 6)
    assert model.offsets.tolist() == [[-1, -1], [-1, 0], [-1, 1], [0, -1]]
    at = np.array([1]), np.array([2]), np.array([3])
    assert model.context(images, *at, "inside").tolist() == [[38, 39, 40, 44]]
    corner = np.array([1]), np.array([1]), np.array([5])
    told = model.context(images, *corner, "edge").tolist()
    assert told == [[34, 35, 0, 40, 1, 1, 0, 1]]


def test_pictures_are_drawn_as_they_were(reader):
    """Of the upper left corner, where edge and inside meet, all covariances."""
    drawn = reader.sample(4000, np.random.default_rng(5), progress=False)
    corner = drawn[:, :2, :3].reshape(4000, -1)
    along, down = (0.7, 3), (0.6, 2)
    along, down = (toeplitz(k ** np.arange(n)) / (1 - k**2) for k, n in (along, down))
    exact = 0.25 * np.kron(down, along)
    np.testing.assert_allclose(np.cov(corner.T), exact, atol=0.12)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.06)


def test_bad_input_is_refused():
    images = autoregressive(3, 8)
    with pytest.raises(ValueError, match="no pixel with a full neighbourhood"):
        PictureModel(images, 4)
    with pytest.raises(ValueError, match=r"of shape \(3, 64\)"):
        PictureModel(images.reshape(3, 64))
