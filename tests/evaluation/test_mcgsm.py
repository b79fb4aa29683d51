"""The mixture of conditional Gaussian scale mixtures against densities that we know."""

import numpy as np
import pytest
from scipy.stats import norm

from dpm.evaluation import mcgsm, mean_and_error

LONG = {"epochs": 50, "batch_size": 200, "learning_rate": 1e-2, "progress": False}


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


def test_it_is_the_definition_and_integrates_to_one():
    model, rng = planted(), np.random.default_rng(1)
    X, y = rng.standard_normal((5, 3)), rng.standard_normal(5)
    expected = [by_loop(model, x, at) for x, at in zip(X, y, strict=True)]
    np.testing.assert_allclose(model.score(X, y), expected)
    line = np.linspace(-30, 30, 8001)
    density = np.exp(model.score(np.repeat(X[:1], 8001, axis=0), line))
    assert density.sum() * (line[1] - line[0]) == pytest.approx(1, abs=1e-6)


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


def test_fitting_finds_a_planted_mixture(compiled):
    """On new data it scores as the truth does, where one Gaussian falls far short."""
    truth, rng = planted(), np.random.default_rng(4)
    turn = rng.standard_normal((3, 3))

    def draw(n):
        U = rng.standard_normal((n, 3))
        return 5.0 + U @ turn, 40.0 + 10.0 * truth.sample(U, rng), U

    X, y, _ = draw(6000)
    X_new, y_new, U = draw(6000)
    exact = np.asarray(truth.score(U, (y_new - 40.0) / 10.0)) - np.log(10.0)
    found = mcgsm.fit(X, y, 3, 2, **LONG)
    gap, error = mean_and_error(exact - found.log_prob(X_new, y_new))
    assert -4 * error < gap < 0.01 + 4 * error and error < 0.01
    plain = mcgsm.fit(X, y, 1, 1, **LONG)
    assert (exact - plain.log_prob(X_new, y_new)).mean() > 0.1


def test_each_row_is_seen_once_an_epoch_at_a_rate_that_falls(monkeypatch):
    rng, seen, rates = np.random.default_rng(6), [], []
    X, y = rng.standard_normal((23, 3)), rng.standard_normal(23)

    def learner(*given):
        twin, algorithm = real(*given)
        take = algorithm.process_batch

        def process_batch(X, y):
            seen.append(y)
            rates.append(float(algorithm.step_rule.learning_rate.get_value()))
            return take(X, y)

        algorithm.process_batch = process_batch
        return twin, algorithm

    real = mcgsm.learner
    monkeypatch.setattr(mcgsm, "learner", learner)
    sizes = {"epochs": 2, "batch_size": 10, "learning_rate": 0.5}
    mcgsm.fit(X, y, 2, 2, **sizes, progress=False)
    assert [len(batch) for batch in seen] == [10] * 4
    for epoch in (seen[:2], seen[2:]):
        assert len(np.unique(np.concatenate(epoch))) == 20
    assert not np.array_equal(seen[0], seen[2])
    falling = [0.5, 0.5 * (0.5 + 0.5 * np.sqrt(0.5)), 0.25, 0.25 * (1 - np.sqrt(0.5))]
    assert rates == pytest.approx(falling)


def test_bad_input_is_refused():
    images = np.random.default_rng(8).random((3, 8, 8))
    with pytest.raises(ValueError, match="they have no density"):
        mcgsm.fit(images[:, :, 0], images[:, 0, 0])
    with pytest.raises(ValueError, match="3 rows of X, but 2"):
        mcgsm.fit(images[:, :, 0], [1.0, 2.0])
    with pytest.raises(ValueError, match="batch_size = 0"):
        mcgsm.fit(images[:, :, 0], images[:, 0, 0], batch_size=0)
    with pytest.raises(ValueError, match="learning_rate = 0"):
        mcgsm.fit(images[:, :, 0], images[:, 0, 0], learning_rate=0.0)
