"""Models of known data, and the sampler's factors r with them."""

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm import datasets, exact, sampler
from dpm.blocks.backend import numbers
from dpm.diffusion import factors, gaussian, schedule
from dpm.exact import known
from dpm.exact.known import KnownBits, KnownMixture, KnownStrings

MEANS, SIGMA = [[-1.0, 0.3], [0.8, -0.5], [0.5, 1.0]], 0.25
WEIGHTS = [0.5, 0.3, 0.2]


def mixture(T=30, **kwargs):
    return KnownMixture(schedule.log_snr(T), MEANS, SIGMA, WEIGHTS, **kwargs)


def heart_q0(X):  # over all strings, uniform over the rows of X
    n = X.shape[1]
    q0 = np.zeros(2**n)
    q0[(X @ 2 ** np.arange(n)[::-1]).astype(int)] = 1 / len(X)
    return q0


def test_reverse_step_of_a_mixture_is_bayes_rule_on_a_grid():
    """Mean and variance of q(x^(t-1) | x^t), by sums over a fine line."""
    beta = [0.1, 0.3, 0.4]
    model = KnownMixture(beta, [[-1.0], [0.7]], 0.4, [0.3, 0.7])
    grid = np.linspace(-6, 6, 2401)
    bump = lambda m: np.exp(-((grid - m) ** 2) / (2 * 0.4**2))  # noqa: E731
    q = exact.normalize(0.3 * bump(-1.0) + 0.7 * bump(0.7))
    q = exact.gaussian_kernel(grid, beta[0]) @ q  # x^1
    X = np.array([[-0.9], [0.2], [1.6]])
    for t in (1, 2):  # index t is the paper's step t+1
        kernel = exact.gaussian_kernel(grid, beta[t])
        back = exact.reverse_kernel(kernel, q)
        mu, sigma = (numbers(v) for v in model.reverse_step(pt.as_tensor(X), t))
        for i, x in enumerate(X[:, 0]):
            column = back[:, np.argmin(np.abs(grid - x))]
            mean = grid @ column
            assert mu[i, 0] == pytest.approx(mean, abs=1e-6)
            assert sigma[i, 0] ** 2 == pytest.approx(
                grid**2 @ column - mean**2, rel=1e-4
            )
        q = kernel @ q


@pytest.mark.parametrize("T", [7, 60])
def test_other_rates_serve_in_functions_compiled_before(T):
    model, other, X = mixture(30), mixture(T), np.array([[0.3, -0.6], [1.0, 0.2]])
    y, sigma_r = np.array([0.4, 0.0]), np.array([0.6, np.inf])
    for r in (None, factors.Expected(model, y, sigma_r)):
        model.set_rates(schedule.log_snr(30))
        step = sampler.compile_get_mu_sigma(model, 2, r)
        thirty = step(X, 5)
        model.set_rates(schedule.log_snr(T))
        anew = None if r is None else factors.Expected(other, y, sigma_r)
        anew = sampler.compile_get_mu_sigma(other, 2, anew)
        for t in (0, 1, T - 1):
            np.testing.assert_allclose(step(X, t), anew(X, t), rtol=1e-12)
        assert not np.allclose(step(X, 5), thirty)
    assert model.trajectory_length == T
    np.testing.assert_array_equal(*numbers(model.beta_arr, other.beta_arr))


def test_samples_of_a_mixture_have_its_moments():
    model = mixture(80)
    n = 20_000
    X = sampler.sample(model, n, np.random.default_rng(0), progress=False)
    data = model.sample(n, np.random.default_rng(1))
    mean, covariance = model.posterior_moments(0.0, np.inf)
    for sample, tolerance in ((data, 0.02), (X, 0.04)):
        np.testing.assert_allclose(sample.mean(axis=0), mean, atol=tolerance)
        np.testing.assert_allclose(np.cov(sample.T), covariance, atol=tolerance)


def test_posterior_moments_are_integrals():
    model = mixture()
    x = np.linspace(-4, 4, 401)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    distance = ((points[:, None] - np.array(MEANS)) ** 2).sum(axis=-1)
    p = np.exp(-distance / (2 * SIGMA**2)) @ np.array(WEIGHTS)
    y, sigma_r = np.array([0.4, 9.0]), np.array([0.6, np.inf])
    p = exact.normalize(p * np.exp(-((points[:, 0] - 0.4) ** 2) / (2 * 0.6**2)))
    mean, covariance = model.posterior_moments(y, sigma_r)
    np.testing.assert_allclose(mean, p @ points, atol=1e-8)
    centred = points - mean
    np.testing.assert_allclose(covariance, (centred.T * p) @ centred, atol=1e-8)


def test_log_expected_is_the_mean_of_r_over_what_x_t_leads_to():
    model = mixture(5)
    total = np.cumprod(1 - schedule.log_snr(5))
    y, sigma_r = np.array([0.4, 0.0]), np.array([0.6, np.inf])
    X = np.array([[0.3, -0.2], [1.0, 0.5]])
    t = 3
    log_r = numbers(model.log_expected(y, sigma_r)(pt.as_tensor(X), pt.as_tensor(t)))
    x0 = model.sample(400_000, np.random.default_rng(0))
    for row, found in zip(X, np.asarray(log_r), strict=True):
        misfit = ((row - x0 * np.sqrt(total[t - 1])) ** 2).sum(axis=1)
        weight = np.exp(-misfit / (2 * (1 - total[t - 1])))
        r = np.exp(-((x0[:, 0] - 0.4) ** 2) / (2 * 0.6**2)) / (0.6 * np.sqrt(2 * np.pi))
        assert found == pytest.approx(np.log(weight @ r / weight.sum()), abs=0.02)


def test_posterior_samples_with_the_expected_factor_have_the_exact_moments():
    model = mixture(80)
    y, sigma_r = np.array([0.4, 0.0]), np.array([0.6, np.inf])
    mean, covariance = model.posterior_moments(y, sigma_r)
    X = sampler.sample(
        model,
        10_000,
        np.random.default_rng(0),
        factors.Expected(model, y, sigma_r),
        progress=False,
    )
    np.testing.assert_allclose(X.mean(axis=0), mean, atol=0.04)
    np.testing.assert_allclose(np.cov(X.T), covariance, atol=0.04)


def test_a_gaussian_factor_and_its_logarithm_do_nearly_the_same():
    """Exact product against first order: closer the more steps there are."""
    y, s = np.array([0.4, -0.2]), 0.8
    log_r = lambda X, t: gaussian.log_prob(X, y, s).sum(axis=-1)  # noqa: E731
    gaps = []
    for T in (20, 80):
        model, ends = mixture(T), []
        get_mu_sigma = sampler.compile_get_mu_sigma(model, 1, factors.Smooth(log_r))
        plain = sampler.compile_get_mu_sigma(model, 1)
        X = np.array([[0.3, -0.6]])
        for t in range(1, T):
            mean, _ = gaussian.product(*plain(X, t), y, s)
            ends.append(np.abs(get_mu_sigma(X, t)[0] - mean).max())
        gaps.append(max(ends))
    assert gaps[1] < gaps[0] / 4 and gaps[0] > 0


def test_fading_weakens_the_factor_with_t():
    model, X = mixture(10), np.array([[0.3, -0.6]])
    factor = factors.Smooth(lambda X, t: 2.0 * X[:, 0])
    plain = sampler.compile_get_mu_sigma(model, 1)
    full = sampler.compile_get_mu_sigma(model, 1, factor)
    fading = sampler.compile_get_mu_sigma(model, 1, factors.Fading(factor))
    for t in (0, 1, 5, 9):
        mu, sigma = plain(X, t)
        shift = np.broadcast_to(sigma, mu.shape) ** 2 * [[2.0, 0.0]]
        np.testing.assert_allclose(full(X, t)[0], mu + shift)
        np.testing.assert_allclose(fading(X, t)[0], mu + shift * (1 - t / 10))


def test_the_first_step_is_the_forward_kernel():
    model, X = mixture(10), np.array([[0.3, -0.6]])
    mu, sigma = sampler.compile_get_mu_sigma(model, 1)(X, 0)
    np.testing.assert_allclose(mu, X * np.sqrt(1 - 1e-4))
    np.testing.assert_allclose(sigma, np.sqrt(1e-4))


def beats():
    """Strings of six bits with a pulse in every third place."""
    strings = exact.bit_strings(6)
    right = np.array([[(i - phase) % 3 == 0 for i in range(6)] for phase in range(3)])
    numbers = [np.flatnonzero((strings == r).all(axis=1))[0] for r in right]
    q0 = np.zeros(64)
    q0[numbers] = [0.5, 0.3, 0.2]
    return strings, numbers, q0


@pytest.mark.parametrize("fading", [False, True])
@pytest.mark.parametrize("by_slope", [False, True])
def test_bits_are_sampled_as_the_exact_world_says(fading, by_slope):
    """A factor a bit, multiplied exactly or through its logarithm: the same chain."""
    strings, _, q0 = beats()
    T, n = 12, 20_000
    model = KnownBits(schedule.binomial(T), q0, 0.3)
    d = np.array([0.8, 0.2, 0.5, 0.3, 0.5, 0.6])
    log_odds = np.log(d / (1 - d))
    factor = factors.Smooth(lambda X, t: (X * log_odds).sum(axis=-1))
    factor = factor if by_slope else factors.Bits(d)
    factor = factors.Fading(factor) if fading else factor
    X = sampler.sample(model, n, 0, factor, progress=False)
    r = np.where(strings == 1, d, 1 - d).prod(axis=1)
    if fading:
        r = r ** ((T - np.arange(T + 1)[:, None]) / T)
    expected = model.world.multiplied(r).p(0)
    error = np.sqrt(expected / n) + 1 / n
    assert (np.abs(share(X) - expected) < 5 * error).all()


def share(X):
    """How often each string of six bits comes out."""
    return np.bincount((X @ 2.0 ** np.arange(6)[::-1]).astype(int), minlength=64) / len(
        X
    )


def test_known_bits_stay_and_the_rest_is_as_the_exact_world_says():
    strings, _, q0 = beats()
    n = 10_000
    model = KnownBits(schedule.binomial(12), q0, 0.3)
    mask = np.tile([True, True, False, False, False, False], (n, 1))
    X_true = np.tile([0, 1, 0, 0, 0, 0], (n, 1))
    walk = sampler.reverse_trajectory(model, n, 0, factors.Known(X_true, mask))
    for _, X in walk:
        assert (X[:, 0] == 0).all() and (X[:, 1] == 1).all()
    known_bits = (strings[:, :2] == [0, 1]).all(axis=1)
    expected = model.world.multiplied(known_bits.astype(float)).p(0)
    error = np.sqrt(expected / n) + 1 / n
    assert (np.abs(share(X) - expected) < 5 * error).all()


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: KnownMixture([0.5], MEANS, SIGMA), "T = 1"),
        (lambda: KnownMixture([0.5, 1.0], MEANS, SIGMA), "beta = 1 lies outside"),
        (lambda: KnownMixture([0.5, 0.5], MEANS, 0.0), "sigma = 0.0"),
        (lambda: KnownMixture([0.5, 0.5], MEANS, 1.0, [1.0]), "for 3 components"),
        (lambda: known.KnownBits([0.5, 0.5], np.full(4, 0.25), 1.0), "rho = 1 lies"),
    ],
)
def test_bad_models_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("length, period", [(6, 3), (8, 4)])
def test_known_strings_agree_with_enumeration(length, period):
    X = datasets.load("HEARTBEAT", length=length, period=period).X_train
    beta, rho = schedule.binomial(7), 1 / period
    few, all_of_them = KnownStrings(beta, X, rho), KnownBits(beta, heart_q0(X), rho)
    states = pt.as_tensor(exact.bit_strings(length).astype(float))
    for t in range(1, 7):  # t = 6 is the step of rate 1
        ours, theirs = numbers(
            few.reverse_step(states, pt.as_tensor(t)),
            all_of_them.reverse_step(states, t),
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    ours, theirs = numbers(few.first_step(states), all_of_them.first_step(states))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_known_strings_of_unequal_weight():
    X = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0]])
    weights = [0.5, 0.2, 0.3]
    q0 = np.zeros(8)
    q0[[3, 4, 6]] = weights
    beta = [0.1, 0.4, 1.0]
    few, every = KnownStrings(beta, X, 0.4, weights), KnownBits(beta, q0, 0.4)
    states = pt.as_tensor(exact.bit_strings(3).astype(float))
    for t in (1, 2):
        ours, theirs = numbers(
            few.reverse_step(states, pt.as_tensor(t)), every.reverse_step(states, t)
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert few.sample(5, np.random.default_rng(0)).shape == (5, 3)


def test_posterior_over_strings_is_a_sum_over_all_strings():
    model = KnownStrings(schedule.binomial(5), datasets.heartbeat(6, 3).X_train, 1 / 3)
    rate = np.array([0.9, 0.5, 0.2, 0.5, 0.7, 0.5])
    states = exact.bit_strings(6)
    r = np.where(states == 1, rate, 1 - rate).prod(axis=1)
    p = exact.normalize(heart_q0(model.strings) * r)
    numbers = (model.strings @ 2 ** np.arange(6)[::-1]).astype(int)
    np.testing.assert_allclose(model.posterior(rate), p[numbers], atol=1e-15)
    known_bit = np.full(6, 0.5)
    known_bit[1] = 1.0
    np.testing.assert_allclose(model.posterior(known_bit), [0, 1, 0])
    with pytest.raises(ValueError, match="rules out every string"):
        model.posterior(1.0)
    with pytest.raises(ValueError, match=r"rate outside \[0, 1\]"):
        model.posterior(1.2)
    with pytest.raises(ValueError, match="do not broadcast"):
        model.posterior([0.5, 0.5])


def test_sampling_times_r_finds_the_posterior():
    """With the exact r for all times, and the known strings' reverse steps."""
    model = KnownStrings(schedule.binomial(60), datasets.heartbeat(6, 3).X_train, 1 / 3)
    rate, n = np.array([0.8, 0.5, 0.4, 0.5, 0.5, 0.5]), 4000
    expected = factors.Expected(model, rate)
    X = sampler.sample(model, n, np.random.default_rng(0), expected, progress=False)
    found = [(X == string).all(axis=1).sum() for string in model.strings]
    assert sum(found) > 0.85 * n
    share = np.array(found) / sum(found)
    np.testing.assert_allclose(share, model.posterior(rate), atol=0.04)
