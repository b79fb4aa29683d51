"""The mixture of conditional Gaussian scale mixtures against densities that we know."""

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.stats import multivariate_normal, norm

from dpm.evaluation import mcgsm, mean_and_error


def planted(n_in=3, C=2, S=2, seed=0):
    """An MCGSM whose components and scales differ clearly."""
    model, rng = mcgsm.MCGSM(n_in, C, S), np.random.default_rng(seed)
    model.initialize(rng)
    log_precision = np.linspace(-1, 3, C * S).reshape(C, S)
    model.mean.set_value(np.linspace(-1, 1, C))
    model.predictor.set_value(rng.standard_normal((n_in, C)))
    model.log_precision.set_value(log_precision)
    model.prior.set_value(0.7 * log_precision + 0.3 * rng.standard_normal((C, S)))
    model.weight.set_value(0.6 * rng.standard_normal((n_in, C)))
    model.compile()
    return model


def by_loop(model, x, y):
    """The definition, one component and scale at a time."""
    value = {k.split(".")[1]: v for k, v in model.get_parameter_values().items()}
    C, S = value["prior"].shape
    choice, each = np.empty((2, C, S))
    for c, s in np.ndindex(C, S):
        precision = np.exp(value["log_precision"][c, s])
        form = sum(
            value["weight"][k, c] ** 2 * (value["feature"][:, k] @ x) ** 2
            for k in range(len(x))
        )
        choice[c, s] = np.exp(value["prior"][c, s] - precision * form / 2)
        mu = value["mean"][c] + value["predictor"][:, c] @ x
        each[c, s] = norm.pdf(y, mu, precision**-0.5)
    return np.log((choice / choice.sum() * each).sum())


def autoregressive(n, width, a=0.7, b=0.6, sigma=0.5, seed=0):
    """Gaussian pictures: a times the left pixel, b times the upper, -ab of both."""
    noise = sigma * np.random.default_rng(seed).standard_normal(
        (n, width + 60, width + 60)
    )
    X = lfilter([1], [1, -a], lfilter([1], [1, -b], noise, axis=1), axis=2)
    return X[:, 60:, 60:]


def test_it_is_the_definition_and_integrates_to_one():
    model, rng = planted(), np.random.default_rng(1)
    X, y = rng.standard_normal((5, 3)), rng.standard_normal(5)
    expected = [by_loop(model, x, at) for x, at in zip(X, y, strict=True)]
    np.testing.assert_allclose(model.score(X, y), expected)
    line = np.linspace(-30, 30, 8001)
    density = np.exp(model.score(np.repeat(X[:1], 8001, axis=0), line))
    assert density.sum() * (line[1] - line[0]) == pytest.approx(1, abs=1e-6)


def test_slopes_are_those_of_differences():
    model, rng = planted(), np.random.default_rng(2)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    cost, theta = mcgsm.objective(model, X, y)
    _, slope = cost(theta)
    assert len(theta) == 2 + 6 + 4 + 4 + 9 + 6
    for i, step in enumerate(1e-6 * np.eye(len(theta))):
        by_differences = (cost(theta + step)[0] - cost(theta - step)[0]) / 2e-6
        assert slope[i] == pytest.approx(by_differences, rel=1e-5, abs=1e-8), i


def test_samples_have_the_density():
    """The mean of log p over samples is minus the entropy, found by quadrature."""
    model, rng = planted(), np.random.default_rng(3)
    x = rng.standard_normal((1, 3))
    line = np.linspace(-30, 30, 8001)
    log_p = np.asarray(model.score(np.repeat(x, 8001, axis=0), line))
    minus_entropy = (np.exp(log_p) * log_p).sum() * (line[1] - line[0])
    X = np.repeat(x, 20_000, axis=0)
    y = model.sample(X, rng)
    mean, error = mean_and_error(np.asarray(model.score(X, y)))
    assert mean == pytest.approx(minus_entropy, abs=4 * error)
    p_mean = (np.exp(log_p) * line).sum() * (line[1] - line[0])
    assert y.mean() == pytest.approx(p_mean, abs=4 * y.std() / np.sqrt(len(y)))


def test_fitting_finds_a_planted_mixture():
    """On new data it scores as the truth does, where one Gaussian falls far short."""
    truth, rng = planted(), np.random.default_rng(4)
    turn = rng.standard_normal((3, 3))

    def draw(n):
        U = rng.standard_normal((n, 3))
        return 5.0 + U @ turn, 40.0 + 10.0 * truth.sample(U, rng), U

    X, y, _ = draw(6000)
    X_new, y_new, U = draw(6000)
    exact = np.asarray(truth.score(U, (y_new - 40.0) / 10.0)) - np.log(10.0)
    found = mcgsm.fit(X, y, 3, 2, max_iter=150, progress=False)
    gap, error = mean_and_error(exact - found.log_prob(X_new, y_new))
    assert -4 * error < gap < 0.01 + 4 * error and error < 0.01
    plain = mcgsm.fit(X, y, 1, 1, max_iter=100, progress=False)
    assert (exact - plain.log_prob(X_new, y_new)).mean() > 0.1


@pytest.fixture(scope="module")
def reader():
    """Knows Gaussian pictures of 6 x 6 pixels."""
    images = autoregressive(2500, 6)
    return mcgsm.PictureModel(images, 1, 10_000, 2, 1, max_iter=150, progress=False)


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
    model = mcgsm.PictureModel.__new__(mcgsm.PictureModel)
    model.offsets, model.shape = mcgsm.neighbourhood(1), (5, 6)
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
        mcgsm.PictureModel(images, 4)
    with pytest.raises(ValueError, match=r"of shape \(3, 64\)"):
        mcgsm.PictureModel(images.reshape(3, 64))
    with pytest.raises(ValueError, match="they have no density"):
        mcgsm.fit(images[:, :, 0], images[:, 0, 0])
    with pytest.raises(ValueError, match="3 rows of X, but 2"):
        mcgsm.fit(images[:, :, 0], [1.0, 2.0])
