"""Eq. 9 and Eq. 24 in the world of all bit strings, where nothing is estimated."""

import itertools

import numpy as np
import pytest

from dpm import datasets, exact
from dpm.blocks.backend import numbers
from dpm.diffusion import binomial, bound, gaussian, schedule

STATES = exact.bit_strings(2)
BETA = [0.2, 0.4, 0.7]
RHO = 0.3


@pytest.fixture(scope="module")
def world():
    """Forward kernels, reverse kernels that are not quite right, and pi."""
    rng = np.random.default_rng(0)
    forward = [exact.binomial_kernel(STATES, b, RHO) for b in BETA]
    uniform = np.full(4, 0.25)
    reverse = [
        exact.normalize(
            exact.reverse_kernel(kernel, uniform) + 0.2 * rng.random((4, 4))
        )
        for kernel in forward
    ]
    pi = np.prod(np.where(STATES == 1, RHO, 1 - RHO), axis=1)
    return forward, reverse, pi


def weights_of(world, path):
    """log_weight of one trajectory of state numbers x^0..x^T."""
    forward, reverse, pi = world
    pairs = list(itertools.pairwise(path))
    q = [np.log(k[b, a]) for k, (a, b) in zip(forward, pairs, strict=True)]
    p = [np.log(k[a, b]) for k, (a, b) in zip(reverse, pairs, strict=True)]
    log_w = bound.log_weight(np.log(pi[path[-1]]), np.array(p), np.array(q))
    return log_w, sum(q)


def model_probabilities(world):
    """p(x^0) by walking the reverse kernels back from pi."""
    _, reverse, p = world
    for kernel in reverse[::-1]:
        p = kernel @ p
    return p


def test_eq_9_is_an_identity_when_summed_over_all_trajectories(world):
    for x0, expected in enumerate(model_probabilities(world)):
        total = 0.0
        for rest in itertools.product(range(4), repeat=len(BETA)):
            log_w, log_q = weights_of(world, (x0, *rest))
            total += np.exp(log_q + log_w)
        assert total == pytest.approx(expected, rel=1e-12)


def draw(world, x0, n, rng):
    """Log weights of n trajectories from q, and their number."""
    paths = np.full((n, 1), x0)
    for kernel in world[0]:
        u = rng.random((n, 1))
        after = (u > kernel[:, paths[:, -1]].T.cumsum(axis=1)).sum(axis=1)
        paths = np.hstack([paths, after[:, None]])
    return np.array([weights_of(world, tuple(path))[0] for path in paths])


def test_eq_9_from_samples_is_unbiased_and_knows_its_error(world):
    rng = np.random.default_rng(1)
    p = model_probabilities(world)[2]
    log_w = draw(world, 2, 40 * 500, rng).reshape(500, 40)
    estimate = bound.log_likelihood_estimate(log_w)  # forty, of 500 trajectories each
    mean, spread = np.exp(estimate.log_p).mean(), np.exp(estimate.log_p).std()
    assert mean == pytest.approx(p, abs=3 * spread / np.sqrt(40))
    error = np.sqrt((estimate.standard_error**2).mean())
    assert error == pytest.approx(estimate.log_p.std(), rel=0.4)
    w = np.exp(log_w)
    expected = w.sum(axis=0) ** 2 / (w**2).sum(axis=0)
    np.testing.assert_allclose(estimate.effective_sample_size, expected)


def test_perfect_reverse_kernels_need_one_trajectory():
    """Where p undoes q exactly, all weights are p(x^0)."""
    q = np.array([0.1, 0.2, 0.3, 0.4])
    forward = [exact.binomial_kernel(STATES, b, RHO) for b in BETA]
    reverse, state = [], q
    for kernel in forward:
        reverse.append(exact.reverse_kernel(kernel, state))
        state = kernel @ state
    world = forward, reverse, state
    for path in [(0, 1, 2, 3), (3, 0, 0, 1)]:
        estimate = bound.log_likelihood_estimate([weights_of(world, path)[0]] * 5)
        assert estimate.log_p == pytest.approx(np.log(q[path[0]]))
        assert estimate.effective_sample_size == pytest.approx(5)
        assert estimate.standard_error == pytest.approx(0, abs=1e-7)


def test_weights_far_outside_floating_point_are_averaged():
    estimate = bound.log_likelihood_estimate([-5000.0, -5000.0 + np.log(3)])
    assert estimate.log_p == pytest.approx(-5000 + np.log(2))


@pytest.mark.parametrize("bad", [[], 3.0, [np.nan, 1.0]])
def test_no_trajectories_and_nan_are_refused(bad):
    with pytest.raises(ValueError, match="at least one trajectory|holds NaN"):
        bound.log_likelihood_estimate(bad)


def entropy(p):
    return -(p * np.log(p)).sum()


def bits_between_bounds(q_data, rho):
    """Lower bound, true entropy of the reverse step and upper bound, at every t."""
    total = numbers(schedule.beta_cumulative(BETA))
    q, before, rows = q_data, 0.0, []
    for b, c in zip(BETA, total, strict=True):
        kernel = exact.binomial_kernel(STATES, b, rho)
        joint = kernel * q  # q(after, before)
        rates = binomial.forward_kernel(STATES, b, rho)
        step = numbers(binomial.entropy(rates)).sum(axis=1) @ q
        rates = binomial.marginal(STATES, c, rho)
        after = numbers(binomial.entropy(rates)).sum(axis=1) @ q_data
        lower, upper = bound.entropy_bounds(step, before, after)
        rows.append((lower, entropy(joint) - entropy(joint.sum(axis=1)), upper))
        before, q = after, kernel @ q
    return rows


def test_eq_24_holds_for_bits_as_active_as_pi():
    q = np.array([0.3, 0.2, 0.2, 0.3])  # correlated, each bit 1 half of the time
    for lower, true, upper in bits_between_bounds(q, 0.5):
        assert lower <= true + 1e-12 and true <= upper + 1e-12
        assert upper - lower > 1e-3


def test_the_upper_bound_of_eq_24_can_fail_for_other_bits():
    """Data more random than pi lose entropy on the way."""
    q = np.full(4, 0.25)
    rows = bits_between_bounds(q, 0.1)
    assert all(lower <= true + 1e-12 for lower, true, _ in rows)
    assert any(true > upper + 1e-3 for _, true, upper in rows)


@pytest.mark.parametrize("variance, holds", [(1.0, True), (0.5, True), (3.0, False)])
def test_eq_24_for_gaussian_data_of_known_variance(variance, holds):
    """All entropies of a Gaussian chain are known in closed form."""
    beta = np.array(BETA)
    total = numbers(schedule.beta_cumulative(beta))
    H = lambda v: float(numbers(gaussian.entropy(np.sqrt(v))))  # noqa: E731
    ok = []
    for t in (1, 2):
        v_before = variance * (1 - total[t - 1]) + total[t - 1]
        v_after = variance * (1 - total[t]) + total[t]
        true = H(beta[t]) + H(v_before) - H(v_after)
        lower, upper = bound.entropy_bounds(H(beta[t]), H(total[t - 1]), H(total[t]))
        assert lower <= true + 1e-12
        ok.append(true <= upper + 1e-12)
        if variance == 1:
            assert true == pytest.approx(upper)
    assert all(ok) == holds


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: bound.gaussian_entropies([0.5], [0.5], 1), "T = 1"),
        (lambda: bound.gaussian_entropies([0.5, 1.0], [0.5, 0.6], 1), "beta = 1 lies"),
        (
            lambda: bound.gaussian_entropies([0.5, 0.5], [0.5, 1.0], 1),
            "beta_cumulative = 1 lies",
        ),
        (lambda: bound.binomial_entropies(STATES, [0.5], [0.5]), "T = 1"),
        (lambda: bound.binomial_entropies(STATES, BETA, BETA, 1.0), "rho = 1 lies"),
        (lambda: bound.binomial_entropies(STATES[0], BETA, BETA), r"shape \(2,\)"),
        (
            lambda: bound.binomial_entropies(STATES + 1, BETA, BETA),
            "holds 2: bits are 0 or 1",
        ),
    ],
)
def test_bad_trajectories_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_trajectory_entropies_of_bits_are_sums():
    """Every entropy of the trajectory from the joint distribution of the strings."""
    X = np.array([[0, 1], [1, 1], [0, 0]])
    q0 = np.array([1, 1, 0, 1]) / 3  # 00, 01, 10, 11
    world = exact.bits_world(q0, BETA, RHO)
    total = numbers(schedule.beta_cumulative(BETA))
    found = bound.binomial_entropies(X, BETA, total, RHO)
    step, given_data = (numbers(v) for v in (found.step, found.given_data))
    for t in world.times:
        assert step[t - 1] == pytest.approx(world.H(t, given=t - 1))
        assert given_data[t - 1] == pytest.approx(world.H(t, given=0))
    assert float(numbers(found.prior)) == pytest.approx(exact.entropy(world.pi))
    lower, upper = (numbers(v) for v in bound.trajectory_entropy_bounds(found))
    assert lower.shape == upper.shape == (len(BETA) - 1,)
    for t, low, high in zip((2, 3), lower, upper, strict=True):
        step, before, after = (
            world.H(t, t - 1), world.H(t - 1, 0), world.H(t, 0)
        )  # fmt: skip
        assert low == pytest.approx(step + before - after)
        assert high == pytest.approx(step)


def test_null_log_likelihood_is_that_of_the_paper():
    X = datasets.load("HEARTBEAT").X_test
    L_null = bound.to_bits(bound.binomial_null_log_likelihood(X, 0.2).mean())
    assert L_null == pytest.approx(-14.438, abs=1e-3)
    assert -2.414 - L_null == pytest.approx(12.024, abs=1e-3)
