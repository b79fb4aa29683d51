"""The Gaussian column of Table App.1 against integrals done by quadrature."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

from dpm.blocks.backend import numbers
from dpm.diffusion import gaussian, schedule

X = np.linspace(-12, 12, 4001)
BETAS = [0.01, 0.3, 0.9]


def integral(values):
    return integrate.simpson(values, x=X)


def density(mu, sigma):
    """A density of dpm on the grid, as numbers."""
    return np.exp(numbers(gaussian.log_prob(X, mu, sigma)))


@pytest.mark.parametrize("mu, sigma", [(0.0, 1.0), (-1.3, 0.4), (2.0, 1.7)])
def test_log_prob_and_entropy(mu, sigma):
    p = density(mu, sigma)
    np.testing.assert_allclose(p, stats.norm.pdf(X, mu, sigma), rtol=1e-10)
    expected = -integral(p * stats.norm.logpdf(X, mu, sigma))
    assert float(numbers(gaussian.entropy(sigma))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_pi_is_stationary(beta):
    """Eq. 1: integrating the kernel over pi gives pi back."""
    mu, sigma = gaussian.forward_kernel(X, beta)
    mu, sigma = numbers(mu, sigma)
    pi = stats.norm.pdf(X)
    for y in (-2.0, -0.5, 0.0, 1.7):
        kernel = np.exp(numbers(gaussian.log_prob(y, mu, sigma)))
        assert integral(kernel * pi) == pytest.approx(stats.norm.pdf(y), rel=1e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_forward_kernel_moments_are_those_of_the_table(beta):
    mu, sigma = numbers(*gaussian.forward_kernel(1.4, beta))
    assert mu == pytest.approx(1.4 * np.sqrt(1 - beta))
    assert sigma**2 == pytest.approx(beta)


def test_marginal_is_the_kernel_applied_t_times():
    """Compose t steps by quadrature and compare with the closed form."""
    beta = [0.1, 0.35, 0.2]
    x0 = 1.2
    p = density(*numbers(*gaussian.forward_kernel(x0, beta[0])))
    for b in beta[1:]:
        mu, sigma = gaussian.forward_kernel(X, b)
        mu, sigma = numbers(mu, sigma)
        kernel = stats.norm.pdf(X[:, None], mu[None, :], sigma)
        p = integrate.simpson(kernel * p, x=X, axis=1)
    total = float(numbers(schedule.beta_cumulative(beta))[-1])
    closed = density(*numbers(*gaussian.marginal(x0, total)))
    np.testing.assert_allclose(p, closed, atol=1e-7)


@pytest.mark.parametrize("mu_2, sigma_2", [(0.4, 0.9), (-2.0, 0.3), (3.0, 2.0)])
def test_product_is_the_normalised_product(mu_2, sigma_2):
    weights = stats.norm.pdf(X, 1.0, 0.7) * stats.norm.pdf(X, mu_2, sigma_2)
    p = weights / integral(weights)
    np.testing.assert_allclose(
        density(*gaussian.product(1.0, 0.7, mu_2, sigma_2)), p, atol=1e-7
    )


@pytest.mark.parametrize("beta, before", [(0.2, 0.5), (0.7, 0.1), (0.01, 0.99)])
def test_posterior_is_bayes_rule(beta, before):
    x0, x_t = 0.8, -1.1
    prior = stats.norm.pdf(X, x0 * np.sqrt(1 - before), np.sqrt(before))
    likelihood = stats.norm.pdf(x_t, X * np.sqrt(1 - beta), np.sqrt(beta))
    joint = prior * likelihood
    p = joint / integral(joint)
    mu, sigma = numbers(*gaussian.posterior(x0, x_t, beta, before))
    mean = integral(p * X)
    assert mu == pytest.approx(mean, rel=1e-6)
    assert sigma**2 == pytest.approx(integral(p * (X - mean) ** 2), rel=1e-5)


def test_posterior_of_the_first_step_is_the_data():
    mu, sigma = gaussian.posterior(0.8, -1.1, 0.2, pt.as_tensor(0.0))
    assert float(numbers(mu)) == pytest.approx(0.8)
    assert float(numbers(sigma)) == 0.0


@pytest.mark.parametrize("q, p", [((0, 1), (0.5, 2)), ((-1, 0.3), (1, 0.6))])
def test_kl_is_the_integral(q, p):
    log_ratio = stats.norm.logpdf(X, *q) - stats.norm.logpdf(X, *p)
    expected = integral(stats.norm.pdf(X, *q) * log_ratio)
    got = float(numbers(pt.as_tensor(gaussian.kl(*q, *p))))
    assert got == pytest.approx(expected, rel=1e-7)


def test_sample_puts_noise_in_its_place():
    assert gaussian.sample(3.0, 0.5, -2.0) == 2.0


@pytest.mark.parametrize("bad", [0.0, 1.0, -1e-9, 2.0, np.nan])
@pytest.mark.parametrize(
    "call",
    [
        lambda b: gaussian.forward_kernel(0.0, b),
        lambda b: gaussian.marginal(0.0, b),
        lambda b: gaussian.posterior(0.0, 0.0, b, 0.5),
        lambda b: gaussian.posterior(0.0, 0.0, 0.5, b),
    ],
)
def test_rates_outside_the_interval_are_refused(call, bad):
    with pytest.raises(ValueError, match="outside"):
        call(bad)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_perturb_is_exact_where_log_r_is_a_straight_line(sigma):
    """Eq. 61 against the product on the grid, normalised."""
    mu, slope = 0.4, -1.7
    weights = stats.norm.pdf(X, mu, sigma) * np.exp(slope * X)
    p = weights / integral(weights)
    np.testing.assert_allclose(
        density(*gaussian.perturb(mu, sigma, slope)), p, atol=1e-7
    )


def test_perturb_errs_less_the_narrower_the_step():
    """For a curved log r the mean is off by a share of sigma^2 that shrinks with it."""
    shares = []
    for sigma in (0.4, 0.2, 0.1):
        weights = stats.norm.pdf(X, 0.5, sigma) * np.exp(-(X**2))  # log r = -x^2
        mean = integral(weights * X) / integral(weights)
        approximate, _ = gaussian.perturb(0.5, sigma, -2 * 0.5)
        shares.append(abs(float(approximate) - mean) / sigma**2)
    assert shares[0] / shares[1] == pytest.approx(4, rel=0.3)
    assert shares[1] / shares[2] == pytest.approx(4, rel=0.1)


A, B = np.zeros(3), np.zeros(4)


@pytest.mark.parametrize(
    "call, names",
    [
        (lambda: gaussian.forward_kernel(A, np.full(4, 0.5)), ["x_prev", "beta"]),
        (lambda: gaussian.marginal(A, np.full(4, 0.5)), ["x_prev"]),
        (lambda: gaussian.posterior(A, B, 0.5, 0.5), ["x0", "x_t"]),
        (lambda: gaussian.kl(A, 1.0, B, 1.0), ["mu_q", "mu_p"]),
        (lambda: gaussian.log_prob(A, B, 1.0), ["x", "mu"]),
        (lambda: gaussian.sample(A, 1.0, B), ["mu", "noise"]),
        (lambda: gaussian.perturb(A, 1.0, B), ["mu", "slope"]),
        (lambda: gaussian.product(A, 1.0, B, 1.0), ["mu_1", "mu_2"]),
        (lambda: gaussian.kl(pt.as_tensor(A), 1.0, B, 1.0), ["mu_q", "mu_p"]),
    ],
)
def test_shapes_that_do_not_broadcast_are_refused_by_name(call, names):
    with pytest.raises(ValueError, match="do not broadcast") as error:
        call()
    for name in names:
        assert name in str(error.value)
