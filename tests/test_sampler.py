"""Trajectories: forward against the closed form, reverse against the model."""

import numpy as np
import pytest

from dpm import sampler
from dpm.blocks.backend import numbers
from dpm.diffusion import schedule
from dpm.diffusion.factors import Denoising
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.vectors import GaussianDiffusion
from dpm.exact import known


def untrained(T=15, step1_beta=0.3):
    """A model whose reverse kernel is exactly the forward kernel of pi."""
    s = schedule.FixedSchedule(schedule.log_snr(T, step1_beta))
    m = GaussianDiffusion(s, RBFNetwork(2, 3, T), 2)
    m.initialize(np.random.default_rng(0))
    m.mlp.readout.W.set_value(np.zeros((T - 1, 3, 4)))
    return m


def test_forward_steps_reach_the_closed_form():
    beta = [0.1, 0.3, 0.2]
    X0 = np.full((20_000, 1), 1.5)
    states = dict(sampler.forward_trajectory(X0, beta, np.random.default_rng(0)))
    total = numbers(schedule.beta_cumulative(beta))
    assert sorted(states) == [0, 1, 2, 3]
    for t in (1, 2, 3):
        x, b = states[t], total[t - 1]
        error = np.sqrt(b / len(x))
        assert x.mean() == pytest.approx(1.5 * np.sqrt(1 - b), abs=4 * error)
        assert x.var() == pytest.approx(b, rel=0.05)


def test_binomial_forward_steps_reach_the_closed_form():
    beta = schedule.binomial(4)
    X0 = np.ones((20_000, 1))
    states = dict(sampler.forward_trajectory(X0, beta, np.random.default_rng(0), 0.2))
    for t in range(1, 5):
        expected = (4 - t) / 4 + 0.2 * t / 4
        assert states[t].mean() == pytest.approx(expected, abs=0.015)


def test_reverse_walk_of_a_stationary_model_stays_at_pi():
    model = untrained()
    walk = list(sampler.reverse_trajectory(model, 8000, np.random.default_rng(1)))
    assert [t for t, _ in walk] == list(range(15, -1, -1))
    for _, X in walk:
        assert X.shape == (8000, 2)
        np.testing.assert_allclose(np.cov(X.T), np.eye(2), atol=0.07)


def test_reverse_step_uses_mean_and_spread_of_the_model():
    model = untrained()
    b = model.mlp.readout.b.get_value()
    b[4, 0] = [3.0, 0.0, 0.0, -1.0]  # time index 5: shift axis 0, narrow axis 1
    model.mlp.readout.b.set_value(b)
    kernel = sampler.compile_get_mu_sigma(model, 1)
    beta = float(numbers(model.beta_arr)[5])
    mu, sigma = kernel(np.array([[0.7, -0.2]]), 5)
    np.testing.assert_allclose(
        mu[0],
        [
            0.7 * np.sqrt(1 - beta) + 3 * np.sqrt(beta),
            -0.2 * np.sqrt(1 - beta),
        ],
    )
    logit = np.log(beta / (1 - beta))
    np.testing.assert_allclose(
        sigma[0] ** 2, [beta, 1 / (1 + np.exp(1 - logit))], rtol=1e-10
    )


def test_no_samples_is_refused():
    with pytest.raises(ValueError, match="n_samples = 0"):
        sampler.sample(untrained(), 0, np.random.default_rng(0))


@pytest.mark.parametrize("bad", [0.0, 1.0, np.nan])
def test_forward_rates_outside_are_refused(bad):
    walk = sampler.forward_trajectory(np.zeros((2, 1)), [0.1, bad], None)
    with pytest.raises(ValueError, match="outside"):
        next(walk)


def test_a_walk_from_noisy_data_draws_from_their_posterior():
    """Noisy data are a forward state: the mean and variance that Bayes' rule gives."""
    model = known.KnownMixture(schedule.log_snr(200), [[-0.8], [0.8]], 0.6)
    n, sigma, y = 20_000, 0.7, 0.4
    mean, covariance = model.posterior_moments([y], [sigma])
    start = sampler.noisy_as_state(model, np.full((n, 1), y), sigma)
    X = sampler.sample(model, n, 0, start=start)
    assert abs(X.mean() - mean[0]) < 4 * np.sqrt(covariance[0, 0] / n)
    assert abs(X.var() / covariance[0, 0] - 1) < 0.04


def test_noisy_data_have_the_noise_of_their_state():
    model = known.KnownMixture(schedule.log_snr(100), [[0.0]], 1.0)
    b = 1 - np.cumprod(1 - numbers(model.beta_arr))
    for t in (1, 30, 100):
        sigma = np.sqrt(b[t - 1] / (1 - b[t - 1]))
        found, X = sampler.noisy_as_state(model, [[2.0]], sigma)
        assert found == t and np.allclose(X, 2 * np.sqrt(1 - b[t - 1]))


def test_a_walk_may_begin_at_any_state():
    model = known.KnownMixture(schedule.log_snr(10), [[0.0]], 1.0)
    states = list(sampler.reverse_trajectory(model, 3, 0, start=(4, np.ones((3, 1)))))
    assert [t for t, _ in states] == [4, 3, 2, 1, 0]
    assert (states[0][1] == 1).all()


@pytest.mark.parametrize("t", [0, 11, 2.5])
def test_a_start_outside_the_trajectory_is_refused(t):
    model = known.KnownMixture(schedule.log_snr(10), [[0.0]], 1.0)
    with pytest.raises(ValueError, match="start"):
        next(sampler.reverse_trajectory(model, 3, 0, start=(t, np.ones((3, 1)))))


def test_two_starts_and_noise_out_of_reach_are_refused():
    model = known.KnownMixture(schedule.log_snr(10), [[0.0]], 1.0)
    X = np.ones((3, 1))
    with pytest.raises(ValueError, match="has its own"):
        walk = sampler.reverse_trajectory(model, 3, 0, Denoising(X, 1.0), start=(4, X))
        next(walk)
    for sigma in (1e-4, 1e4):
        with pytest.raises(ValueError, match="the states of this model have"):
            sampler.noisy_as_state(model, X, sigma)
