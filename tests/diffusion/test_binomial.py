"""The binomial column of Table App.1 against sums over the two values of a bit."""

import itertools

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm import exact
from dpm.blocks.backend import numbers, precision
from dpm.diffusion import binomial, schedule

RATES = [0.0, 0.05, 0.3, 0.5, 0.9, 1.0]
BETAS = [0.01, 0.3, 1.0]
RHOS = [0.5, 0.2]


def bernoulli(x, rate):
    return rate if x == 1 else 1 - rate


def step(after, before, beta, rho):
    """From the words: with probability beta the bit is drawn anew, else it stays."""
    return beta * bernoulli(after, rho) + (1 - beta) * (after == before)


def number(variable):
    return float(numbers(variable))


@pytest.mark.parametrize("rate", RATES)
def test_entropy_and_log_prob(rate):
    p = np.array([1 - rate, rate])
    expected = -sum(q * np.log(q) for q in p if q > 0)
    assert number(binomial.entropy(rate)) == pytest.approx(
        expected, rel=1e-12, abs=1e-15
    )
    for x in (0, 1):
        if p[x] > 0:
            assert number(binomial.log_prob(x, rate)) == pytest.approx(np.log(p[x]))


@pytest.mark.filterwarnings("ignore:divide by zero")  # where q allows what p rules out
@pytest.mark.parametrize("a, b", [*itertools.product(RATES, RATES)])
def test_kl_is_the_sum_over_both_values(a, b):
    expected = 0.0
    for q, p in ((a, b), (1 - a, 1 - b)):
        if q > 0:
            expected += q * (np.log(q / p) if p > 0 else np.inf)
    assert number(binomial.kl(a, b)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("rho", RHOS)
def test_marginal_is_the_kernel_applied_t_times(rho):
    beta = [0.1, 0.35, 0.2]
    total = numbers(schedule.beta_cumulative(beta))
    for x0 in (0, 1):
        p = np.array([1 - x0, x0], dtype=float)
        for t, b in enumerate(beta):
            kernel = [[step(i, j, b, rho) for j in (0, 1)] for i in (0, 1)]
            p = np.array(kernel) @ p
            rate = number(binomial.marginal(x0, total[t], rho))
            assert rate == pytest.approx(p[1], abs=1e-14)


@pytest.mark.parametrize("rho", RHOS)
def test_the_schedule_of_the_paper_leaves_a_straight_line_of_signal(rho):
    """After t of T steps (T-t)/T of the signal is left, and rho t/T is added."""
    T = 7
    total = numbers(schedule.beta_cumulative(schedule.binomial(T)))
    for t in range(1, T + 1):
        rates = [number(binomial.marginal(x0, total[t - 1], rho)) for x0 in (0, 1)]
        np.testing.assert_allclose(rates, [rho * t / T, (T - t) / T + rho * t / T])


@pytest.mark.parametrize("beta, before, rho", [*itertools.product(BETAS, BETAS, RHOS)])
def test_posterior_is_bayes_rule(beta, before, rho):
    for x0, x_t in itertools.product((0, 1), (0, 1)):
        joint = [step(x, x0, before, rho) * step(x_t, x, beta, rho) for x in (0, 1)]
        rate = number(binomial.posterior(x0, x_t, beta, before, rho))
        assert rate == pytest.approx(joint[1] / sum(joint), abs=1e-14)


@pytest.mark.parametrize("c, d", [(0.3, 0.5), (0.2, 0.9), (0.99, 0.01)])
def test_product_is_the_normalised_product(c, d):
    weights = [(1 - c) * (1 - d), c * d]
    expected = pytest.approx(weights[1] / sum(weights))
    assert binomial.product(c, d) == expected
    assert number(binomial.product(pt.as_tensor(c), d)) == expected


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: binomial.forward_kernel(1, 0.0), "beta = 0 lies outside"),
        (lambda: binomial.forward_kernel(1, 0.5, 1.0), "rho = 1 lies outside"),
        (lambda: binomial.marginal(1, 1.5), "beta_cumulative = 1.5 lies outside"),
        (lambda: binomial.posterior(1, 1, np.nan, 0.5), "beta = nan lies outside"),
        (lambda: binomial.posterior(1, 1, 0.5, -1.0), "beta_cumulative = -1 lies"),
    ],
)
def test_rates_outside_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


A, B = np.full(3, 0.5), np.full(4, 0.5)


@pytest.mark.parametrize(
    "call, names",
    [
        (lambda: binomial.forward_kernel(A, B), ["x_prev", "beta"]),
        (lambda: binomial.marginal(A, B), ["x_prev"]),
        (lambda: binomial.posterior(A, B, 0.5, 0.5), ["x0", "x_t"]),
        (lambda: binomial.kl(A, B), ["rate_q", "rate_p"]),
        (lambda: binomial.product(A, B), ["rate_1", "rate_2"]),
        (lambda: binomial.perturb(A, B), ["rate", "slope"]),
        (lambda: binomial.log_prob(A, B), ["x", "rate"]),
        (lambda: binomial.sample(A, B), ["rate", "noise"]),
    ],
)
def test_shapes_that_do_not_broadcast_are_refused_by_name(call, names):
    with pytest.raises(ValueError, match="do not broadcast") as error:
        call()
    for name in names:
        assert name in str(error.value)


@pytest.mark.parametrize("n", [1, 3, 4])
def test_perturb_is_exact_where_log_r_is_a_sum_over_bits(n):
    """Against the sum over all strings."""
    rng = np.random.default_rng(n)
    c, slope = rng.uniform(0.1, 0.9, n), rng.normal(size=n)
    states = exact.bit_strings(n)
    joint = np.where(states == 1, c, 1 - c).prod(axis=1) * np.exp(states @ slope)
    rates = numbers(binomial.perturb(c, slope))
    np.testing.assert_allclose(rates, states.T @ joint / joint.sum(), rtol=1e-12)


@pytest.mark.parametrize("exponent", [0.25, 1.0, 2.0])
def test_power_is_the_normalised_power(exponent):
    one, zero = 0.3**exponent, 0.7**exponent
    assert binomial.power(0.3, exponent) == pytest.approx(one / (one + zero))


def test_log_odds_agree_with_rates():
    rng = np.random.default_rng(0)
    x0, x_t = rng.integers(2, size=(2, 50)).astype(float)
    beta, before, rho = rng.random((3, 50)) * 0.9 + 0.05
    rate = binomial.posterior(x0, x_t, beta, before, rho)
    other = pt.as_tensor(rng.random(50))
    a, b, kl, kl_odds = numbers(
        binomial.log_odds(rate),
        binomial.posterior_log_odds(x0, x_t, beta, before, rho),
        binomial.kl(rate, other),
        binomial.kl_log_odds(binomial.log_odds(rate), binomial.log_odds(other)),
    )
    np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(kl, kl_odds, atol=1e-13)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_divergences_of_near_certain_bits_survive_single_precision(sign):
    with precision("float32"):
        q, p = (pt.as_tensor(np.float32([sign * x])) for x in (20.0, 18.0))
        single = numbers(binomial.kl_log_odds(q, p))
    assert single.dtype == np.float32
    a, b = 1 / (1 + np.exp(20.0)), 1 / (1 + np.exp(18.0))  # the rare value's rates
    assert single[0] == pytest.approx(a * np.log(a / b) + b - a, rel=1e-3)
