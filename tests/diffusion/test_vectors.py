"""The model and its bound K against a naive NumPy computation."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import softmax

from dpm.blocks.backend import numbers
from dpm.diffusion import bound, schedule
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.vectors import GaussianDiffusion

T, N_HIDDEN, BATCH = 6, 4, 3


@pytest.fixture(scope="module")
def model():
    net = RBFNetwork(2, N_HIDDEN, T)
    m = GaussianDiffusion(schedule.LearnedSchedule(schedule.log_snr(T, 0.01)), net, 2)
    rng = np.random.default_rng(1)
    m.initialize(rng)
    m.mlp.readout.W.set_value(rng.standard_normal((T - 1, N_HIDDEN, 4)))
    return m


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(2)
    return rng.standard_normal((BATCH, 2)), rng.standard_normal((T - 1, BATCH, 2))


def naive_reverse_kernel(p, beta, x, t):
    """Mean and variance of p(x^(t-1) | x^t) from the parameters, for one point."""
    c, w = p["diffusionmodel/mlp/rbf.centers"], p["diffusionmodel/mlp/rbf.log_width"]
    h = softmax([-sum((x - c[j]) ** 2) / (2 * np.exp(w[j]) ** 2) for j in range(4)])
    W = p["diffusionmodel/mlp/readout.W"][t - 1]
    z = h @ W + p["diffusionmodel/mlp/readout.b"][t - 1][0]
    mu = x * np.sqrt(1 - beta[t]) + z[:2] * np.sqrt(beta[t])
    u = z[2:] + np.log(beta[t] / (1 - beta[t]))
    return mu, 1 / (1 + np.exp(-u))


def naive_K(model, X, noise):
    """Eq. 14 with loops, KL by numerical integration of the densities."""
    p = model.get_parameter_values()
    beta = numbers(model.beta_arr)
    kept = np.cumprod(1 - beta)
    grid = np.linspace(-15, 15, 60_001)
    K = np.empty(len(X))
    entropy = lambda v: stats.norm(0, np.sqrt(v)).entropy()  # noqa: E731
    for i, x0 in enumerate(X):
        K[i] = 2 * (entropy(1 - kept[-1]) - entropy(beta[0]) - entropy(1.0))
        for t in range(1, T):
            x = np.sqrt(kept[t]) * x0 + np.sqrt(1 - kept[t]) * noise[t - 1, i]
            precision = 1 / (1 - kept[t - 1]) + (1 - beta[t]) / beta[t]
            mean = (
                x0 * np.sqrt(kept[t - 1]) / (1 - kept[t - 1])
                + x * np.sqrt(1 - beta[t]) / beta[t]
            ) / precision
            mu, var = naive_reverse_kernel(p, beta, x, t)
            for d in range(2):
                q = stats.norm(mean[d], precision**-0.5)
                log_ratio = q.logpdf(grid) - stats.norm(mu[d], var[d] ** 0.5).logpdf(
                    grid
                )
                K[i] -= np.trapezoid(q.pdf(grid) * log_ratio, grid)
    return K


def test_bound_is_eq_14(model, draws):
    X, noise = pt.matrix("X"), pt.tensor3("noise")
    K = pytensor.function([X, noise], model.get_bound(X, noise))(*draws)
    np.testing.assert_allclose(K, naive_K(model, *draws), rtol=1e-5)


def test_random_t_estimate_averages_to_the_exact_sum(model, draws):
    """Over all T-1 choices of one t, the estimate's mean is K itself."""
    X, noise = pt.matrix("X"), pt.tensor3("noise")
    t = pt.tensor("t", shape=(1, 1), dtype="int64")
    exact = pytensor.function([X, noise], model.get_bound(X, noise))(*draws)
    one = pytensor.function([X, noise, t], model.get_bound(X, noise, t))
    X, noise = draws
    single = [np.asarray(one(X, noise[k - 1 : k], [[k]])) for k in range(1, T)]
    np.testing.assert_allclose(np.mean(single, axis=0), exact, rtol=1e-10)
    assert np.std(single) > 0.1


def test_each_sample_may_have_a_time_of_its_own(model, draws):
    """In one draw, and in two: rows of the divergences of all times."""
    X, noise = (pt.as_tensor(draw) for draw in draws)
    KL = numbers(model.get_KL(X, noise))
    for times in ([2, 5, 1], [[2, 5, 1], [4, 4, 3]]):
        times = np.array(times)
        which = times - 1, np.broadcast_to(np.arange(BATCH), times.shape)
        own = numbers(model.get_KL(X, pt.as_tensor(draws[1][which]), times))
        np.testing.assert_allclose(own, KL[which], rtol=1e-10)
        K = numbers(model.get_bound(X, pt.as_tensor(draws[1][which]), times))
        part = KL[which].reshape(-1, BATCH).mean(axis=0) * (T - 1)
        ends = numbers(model.get_bound(X, noise)) + KL.sum(axis=0)
        np.testing.assert_allclose(K, ends - part, rtol=1e-10)


def test_an_untrained_model_of_pi_loses_nothing():
    """Data from pi, network output zero: K equals L_null up to sampling noise.

    The model then reverses a stationary chain, so the bound is tight.
    """
    n, T = 4000, 20
    s = schedule.FixedSchedule(schedule.log_snr(T, 0.05))
    m = GaussianDiffusion(s, RBFNetwork(2, 3, T), 2)
    m.initialize(np.random.default_rng(0))
    m.mlp.readout.W.set_value(np.zeros((T - 1, 3, 4)))
    rng = np.random.default_rng(5)
    X, noise = pt.matrix("X"), pt.tensor3("noise")
    f = pytensor.function([X, noise], m.get_bound(X, noise))
    K = np.asarray(f(rng.standard_normal((n, 2)), rng.standard_normal((T - 1, n, 2))))
    error = K.std() / np.sqrt(n)
    assert K.mean() == pytest.approx(bound.null_log_likelihood(2), abs=4 * error)


def test_gradient_by_beta_is_the_frozen_noise_one(model, draws):
    """pt.grad with noise held fixed against finite differences."""
    X, noise = pt.matrix("X"), pt.tensor3("noise")
    cost = -model.get_bound(X, noise).mean()
    parameter = model.schedule.logit_beta
    f = pytensor.function([X, noise], [cost, pt.grad(cost, parameter)])
    start = parameter.get_value()
    gradient = np.array(f(*draws)[1])
    for k in range(T - 1):
        values = []
        for h in (1e-5, -1e-5):
            moved = start.copy()
            moved[k] += h
            parameter.set_value(moved)
            values.append(float(f(*draws)[0]))
        parameter.set_value(start)
        assert gradient[k] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)


def test_parameters_have_paths_and_are_born_as_nan():
    m = GaussianDiffusion(
        schedule.LearnedSchedule(schedule.log_snr(T)), RBFNetwork(2, 3, T), 2
    )
    assert sorted(m.parameters) == [
        "diffusionmodel/mlp/rbf.centers",
        "diffusionmodel/mlp/rbf.log_width",
        "diffusionmodel/mlp/readout.W",
        "diffusionmodel/mlp/readout.b",
        "diffusionmodel/schedule.logit_beta",
    ]
    assert all(np.isnan(v).all() for v in m.get_parameter_values().values())
    m.initialize(np.random.default_rng(0))
    assert all(np.isfinite(v).all() for v in m.get_parameter_values().values())


def test_parameters_are_set_all_or_none(model):
    before = model.get_parameter_values()
    bad = {k: v + 1 for k, v in before.items()}
    bad["diffusionmodel/mlp/readout.b"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"readout.b has shape \(3,\)"):
        model.set_parameter_values(bad)
    del bad["diffusionmodel/mlp/readout.b"]
    with pytest.raises(ValueError, match="missing .*readout.b"):
        model.set_parameter_values(bad)
    for k, v in model.get_parameter_values().items():
        np.testing.assert_array_equal(v, before[k])
