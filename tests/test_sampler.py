"""Trajectories: forward against the closed form, reverse against the model."""

from types import SimpleNamespace

import numpy as np
import pytest

from dpm import sampler
from dpm.blocks.backend import numbers
from dpm.diffusion import gaussian, schedule
from dpm.diffusion.factors import Denoising, Known, KnownWithNoise, Smooth
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


# -- what is known beside what is drawn: a Gaussian whose posterior is known ---------

RHO, SEEN = 0.9, 1.5  # correlation of two coordinates; the first of them is known


def two_coordinates(T):
    """What the sampler asks of a model, its steps, and their slopes and variances.

    The data are N(0, C) with C = [[1, RHO], [RHO, 1]]. The step's variance is that of
    each coordinate alone; nobody looks at the other draws than those of the second.
    """
    beta = np.asarray(schedule.log_snr(T, 1e-4, -9.0), dtype=float)
    b = np.concatenate([[0.0], 1 - np.cumprod(1 - beta)])
    C = [(1 - x) * np.array([[1, RHO], [RHO, 1]]) + x * np.eye(2) for x in b]
    A = [
        np.sqrt(1 - beta[t]) * C[t] @ np.linalg.inv(C[t + 1]) for t in range(T)
    ]  # E[x^t | x^(t+1)] = A x^(t+1)
    S = [np.diag(C[t] - A[t] @ C[t + 1] @ A[t].T) for t in range(T)]
    model = SimpleNamespace(
        kernels=gaussian, prior=(0.0, 1.0), sample_shape=(2,), dtype="float64",
        trajectory_length=T, beta_arr=beta,
    )  # fmt: skip
    return model, lambda X, t: (X @ A[t].T, np.sqrt(S[t])), (A, S, beta, b)


def moments(kind, repeats, A, S, beta, b):
    """Mean and variance of the second coordinate at x^0, by recursion."""
    m, v, known = 0.0, 1.0, (0.0, 1.0)  # at x^T nothing is put in yet
    if kind is Known:
        known = SEEN, 0.0
    else:
        known = SEEN * np.sqrt(1 - b[-1]), b[-1]
    for t in range(len(A) - 1, -1, -1):
        for again in range(repeats if t else 1):
            if again:
                m, v = m * np.sqrt(1 - beta[t]), v * (1 - beta[t]) + beta[t]
                known = (SEEN, 0.0)
                if kind is KnownWithNoise:
                    known = SEEN * np.sqrt(1 - b[t + 1]), b[t + 1]
            m = A[t][1] @ [known[0], m]
            v = A[t][1] ** 2 @ [known[1], v] + S[t][1]
        known = (SEEN, 0.0)
        if kind is KnownWithNoise:
            known = SEEN * np.sqrt(1 - b[t]), b[t]
    return m, v


def ends(kind, T, repeats, n=20_000):
    """Moments of a walk's end, and those that the recursion says."""
    model, step, given = two_coordinates(T)
    X_true, mask = np.tile([SEEN, np.nan], (n, 1)), np.tile([True, False], (n, 1))
    factor = kind(X_true, mask)
    X = sampler.sample(
        model, n, 0, factor, get_mu_sigma=step, repeats=repeats, progress=False
    )
    assert (X[:, 0] == SEEN).all()
    return (X[:, 1].mean(), X[:, 1].var()), moments(kind, repeats, *given)


@pytest.mark.parametrize("kind", [Known, KnownWithNoise])
def test_known_pixels_are_not_exact_but_taking_steps_again_mends_it(kind):
    """Neither way of putting them back is the posterior, with the exact reverse steps.

    It is N(RHO SEEN, 1 - RHO^2). More steps do not help; the same steps again do.
    """
    exact, wide = RHO * SEEN, 1 - RHO**2
    off = {}
    for T, repeats in ((60, 1), (60, 4), (240, 1)):
        (mean, variance), (m, v) = ends(kind, T, repeats)
        assert abs(mean - m) < 4 * np.sqrt(v / 20_000)
        assert variance == pytest.approx(v, rel=0.05)
        off[T, repeats] = abs(m - exact), v / wide - 1
    short, again, long = (np.array(pair) for pair in off.values())
    assert (short > [0.2, 0.6]).all() and (long > 0.85 * short).all()
    assert (again < 0.35 * short).all()


@pytest.mark.parametrize("repeats", [1, 3])
def test_each_step_taken_again_sees_the_known_with_the_noise_of_its_time(repeats):
    """With all draws held at one number that is a formula, whatever the repeats."""
    model, step, (_, _, _, b) = two_coordinates(4)
    held = SimpleNamespace(standard_normal=lambda size: np.full(size, 0.8))
    seen = []

    def watched(X, t):
        seen.append((t, X[0, 0]))
        return step(X, t)

    factor = KnownWithNoise([[SEEN, np.nan]], [[True, False]])
    walk = sampler.reverse_trajectory(
        model, 1, held, factor, get_mu_sigma=watched, repeats=repeats
    )
    assert [t for t, _ in walk] == [4, 3, 2, 1, 0]
    assert [t for t, _ in seen] == [3] * repeats + [2] * repeats + [1] * repeats + [0]
    for t, known_now in seen:
        expected = SEEN * np.sqrt(1 - b[t + 1]) + 0.8 * np.sqrt(b[t + 1])
        assert known_now == pytest.approx(expected)


def test_the_noise_of_time_t_leaves_more_of_a_bias_than_the_clean_pixels():
    """Where the reverse steps are exact: the shrunken pixels pull less."""
    means = [ends(kind, 60, 1)[1][0] for kind in (KnownWithNoise, Known)]
    assert means[0] + 0.1 < means[1] < RHO * SEEN


def test_steps_again_are_refused_where_they_cannot_be():
    model = known.KnownMixture(schedule.log_snr(10), [[0.0]], 1.0)
    with pytest.raises(ValueError, match="repeats = 0"):
        sampler.sample(model, 3, 0, repeats=0)
    factor = Smooth(lambda X, t: X.sum(axis=1))
    with pytest.raises(ValueError, match="repeats = 2: a smooth factor"):
        sampler.sample(model, 3, 0, factor, repeats=2)


def test_steps_again_leave_a_walk_without_a_factor_as_it_was():
    """Of Gaussians and of bits: forward and reverse steps of one chain agree."""
    model = known.KnownMixture(schedule.log_snr(60), [[0.8]], 0.5)
    X = sampler.sample(model, 10_000, 0, repeats=3, progress=False)
    assert X.mean() == pytest.approx(0.8, abs=0.02)
    assert X.var() == pytest.approx(0.25, rel=0.05)
    two = np.outer([0.3, 0.7], [0.4, 0.6]).ravel()  # bits without a bond
    model = known.KnownBits(schedule.binomial(60), two, 0.3)
    X = sampler.sample(model, 10_000, 0, repeats=3, progress=False)
    once = sampler.sample(model, 10_000, 1, progress=False)
    np.testing.assert_allclose(X.mean(axis=0), once.mean(axis=0), atol=0.025)
