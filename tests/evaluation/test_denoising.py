"""What a model sees in noise: against filters and posteriors that are known."""

import numpy as np
import pytest

from dpm.blocks.backend import precision
from dpm.diffusion import schedule
from dpm.evaluation import denoising
from dpm.exact.known import KnownMixture
from dpm.model import DiffusionModel

STEPS = (1, 20, 60, 99)


@pytest.mark.parametrize("T", [100, 12])
def test_the_known_model_of_one_gaussian_is_the_wiener_filter(T):
    beta, sigma = schedule.log_snr(T, 1e-3, -6.0), 1.7
    model = KnownMixture(beta, [[0.5, -1.0, 2.0]], sigma)
    X = [0.5, -1.0, 2.0] + sigma * np.random.default_rng(0).standard_normal((20_000, 3))
    steps = [1, T // 5, 2 * T // 3, T - 1]
    found = denoising.picture_error(model, X, steps)
    at = denoising.log_snr(model)[steps]
    np.testing.assert_allclose(at, np.linspace(np.log(999), -6, T)[steps])
    expected = denoising.wiener_error([sigma**2] * 3, at)
    np.testing.assert_allclose(found, expected, rtol=0.02)


def test_a_mixture_is_seen_better_than_by_any_linear_filter():
    beta = schedule.log_snr(100, 1e-3, -6.0)
    model = KnownMixture(beta, [[3.0, 0.0], [-3.0, 0.0]], 0.1)
    rng = np.random.default_rng(1)
    X = rng.choice([-3.0, 3.0], (5_000, 1)) * [1, 0] + 0.1 * rng.standard_normal(
        (5_000, 2)
    )
    steps = [40, 60]
    found = denoising.picture_error(model, X, steps)
    linear = denoising.wiener_error(X.var(axis=0), denoising.log_snr(model)[steps])
    assert (found < 0.9 * linear).all()


def test_wiener_error_is_that_of_least_squares():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((50_000, 3)) @ np.diag([2.0, 1.0, 0.3])
    b = 0.4
    X_noisy = np.sqrt(1 - b) * X + np.sqrt(b) * rng.standard_normal(X.shape)
    W, *_ = np.linalg.lstsq(X_noisy, X, rcond=None)
    expected = ((X_noisy @ W - X) ** 2).mean()
    found = denoising.wiener_error([4.0, 1.0, 0.09], np.log((1 - b) / b))
    assert found == pytest.approx(expected, rel=0.02)
    other = np.sqrt([1.0, 3.0, 0.5]) * rng.standard_normal(X.shape)
    noisy = np.sqrt(1 - b) * other + np.sqrt(b) * rng.standard_normal(X.shape)
    squares = (other**2).mean(axis=0)
    found = denoising.wiener_error([4.0, 1.0, 0.09], np.log((1 - b) / b), squares)
    assert found == pytest.approx(((noisy @ W - other) ** 2).mean(), rel=0.02)


@pytest.mark.parametrize("mean", ["guess", "forward"])
def test_what_a_network_sees_is_read_from_its_mean(mean):
    """With z = 0: pi, to be multiplied by what x^t says, or the forward mean itself."""
    with precision("float64"):
        model = DiffusionModel(
            4, 1, 50, n_hidden_conv=2, n_hidden_dense_lower=0, mean=mean,
            beta_start="log_snr", final_log_snr=-4.0,
        )  # fmt: skip
        model.initialize(np.random.default_rng(0))
        for variable in model.mlp.parameters.values():
            variable.set_value(0 * variable.get_value())
        X = np.random.default_rng(3).standard_normal((2_000, 16))
        found = denoising.picture_error(model, X, STEPS[:2])
    b = 1 / (1 + np.exp(denoising.log_snr(model)))[list(STEPS[:2])]
    # of unit variance and white: the best guess is sqrt(1 - b) x^t, and both say so
    np.testing.assert_allclose(found, b, rtol=0.05)


def test_bad_steps_and_variances_are_refused():
    model = KnownMixture(schedule.log_snr(10), [[0.0]], 1.0)
    with pytest.raises(ValueError, match="step 10: the last of this model is 9"):
        denoising.picture_error(model, np.zeros((2, 1)), [10])
    with pytest.raises(ValueError, match="a step = 0"):
        denoising.picture_error(model, np.zeros((2, 1)), [0])
    with pytest.raises(ValueError, match="variances = "):
        denoising.wiener_error([-1.0], 0.0)
    with pytest.raises(ValueError, match="squares = "):
        denoising.wiener_error([1.0], 0.0, [1.0, 2.0])
