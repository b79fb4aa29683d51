"""The small world of sums, and Eqs. 1 to 5 in it."""

import numpy as np
import pytest

from dpm import exact
from dpm.blocks.backend import numbers
from dpm.diffusion import binomial, schedule


def test_bit_strings_are_all_there():
    strings = exact.bit_strings(4)
    assert strings.shape == (16, 4)
    assert len({tuple(s) for s in strings}) == 16


@pytest.mark.parametrize("beta, rho", [(0.1, 0.5), (0.6, 0.2), (1.0, 0.9)])
def test_binomial_kernel_by_the_naive_loop(beta, rho):
    """Every pair of strings, one bit at a time, from the words of the table."""
    states = exact.bit_strings(3)
    kernel = exact.binomial_kernel(states, beta, rho)
    for i, after in enumerate(states):
        for j, before in enumerate(states):
            p = 1.0
            for a, b in zip(after, before, strict=True):
                drawn_anew = beta * (rho if a else 1 - rho)
                p *= drawn_anew + (1 - beta) * (a == b)
            assert kernel[i, j] == pytest.approx(p)


@pytest.mark.parametrize("rho", [0.5, 0.2])
def test_pi_is_stationary_under_the_binomial_kernel(rho):
    """Eq. 1 by enumeration."""
    states = exact.bit_strings(5)
    pi = np.prod(np.where(states == 1, rho, 1 - rho), axis=1)
    np.testing.assert_allclose(exact.binomial_kernel(states, 0.3, rho) @ pi, pi)


def test_t_binomial_steps_are_one_step_with_the_cumulative_rate():
    states, beta, rho = exact.bit_strings(4), [0.1, 0.4, 0.25], 0.2
    product = np.eye(len(states))
    for b in beta:
        product = exact.binomial_kernel(states, b, rho) @ product
    total = float(numbers(schedule.beta_cumulative(beta))[-1])
    np.testing.assert_allclose(product, exact.binomial_kernel(states, total, rho))


def test_binomial_samples_have_their_rate():
    noise = np.random.default_rng(0).random(20_000)
    bits = binomial.sample(0.3, noise)
    assert set(bits) == {0, 1}
    assert bits.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20_000))


def test_gaussian_kernel_keeps_pi_on_the_grid():
    grid = exact.line(401, 6.0)
    pi = exact.normalize(np.exp(-(grid**2) / 2))
    kernel = exact.gaussian_kernel(grid, 0.2)
    np.testing.assert_allclose(kernel.sum(axis=0), 1)
    np.testing.assert_allclose(kernel @ pi, pi, atol=1e-6)


def two_modes(grid):
    bump = lambda m: np.exp(-((grid - m) ** 2) / (2 * 0.2**2))  # noqa: E731
    return exact.normalize(0.5 * bump(-1) + 0.5 * bump(1))


def test_reverse_kernel_undoes_the_step_and_is_bayes():
    """Eq. 5: with the true reverse kernel the joint is the same both ways."""
    grid = exact.line(301, 5.0)
    q_prev = two_modes(grid)
    kernel = exact.gaussian_kernel(grid, 0.3)
    back = exact.reverse_kernel(kernel, q_prev)
    q = kernel @ q_prev
    np.testing.assert_allclose(back @ q, q_prev, atol=1e-12)
    np.testing.assert_allclose(back * q, (kernel * q_prev).T, atol=1e-12)


def test_reverse_of_a_small_step_is_gaussian_of_a_large_one_is_not():
    """The statement after Eq. 5: the divergence falls faster than beta."""
    grid = exact.line(1201, 4.0)
    q_prev = two_modes(grid)
    kls = []
    for beta in (0.4, 0.1, 0.025):
        kernel = exact.gaussian_kernel(grid, beta)
        back = exact.reverse_kernel(kernel, q_prev)
        gap = exact.kl(back, exact.moment_matched_gaussian(back, grid))
        kls.append(gap @ (kernel @ q_prev))
    assert kls[0] > 0.05
    assert kls[0] / kls[1] > 4 and kls[1] / kls[2] > 4


def test_kl_of_equal_and_of_known_distributions():
    p = np.array([0.5, 0.5, 0.0])
    q = np.array([0.25, 0.75, 0.0])
    assert exact.kl(p, p) == 0
    assert exact.kl(q, p) == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))


def test_moment_matching_keeps_mean_and_variance():
    grid = exact.line(801, 6.0)
    p = two_modes(grid)[:, None]
    g = exact.moment_matched_gaussian(p, grid)
    np.testing.assert_allclose(grid @ g, grid @ p, atol=1e-9)
    np.testing.assert_allclose(grid**2 @ g, grid**2 @ p, atol=1e-4)


def test_a_step_finer_than_the_grid_is_refused():
    with pytest.raises(ValueError, match="at least .* points"):
        exact.gaussian_kernel(exact.line(11, 5.0), 1e-3)


@pytest.mark.parametrize("beta, rho", [(0.0, 0.5), (1.1, 0.5), (0.5, 0.0), (0.5, 1.0)])
def test_rates_outside_are_refused(beta, rho):
    with pytest.raises(ValueError, match="outside"):
        exact.binomial_kernel(exact.bit_strings(2), beta, rho)
