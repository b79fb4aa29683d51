"""The exact world: K against L, Eq. 9, posteriors, over many small chains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpm import exact
from dpm.diffusion import bound, schedule


def distribution(n):
    """Distributions over n states, none of them quite impossible."""
    weights = st.lists(st.floats(0.01, 1.0), min_size=n, max_size=n)
    return weights.map(lambda w: np.array(w) / sum(w))


@st.composite
def worlds(draw):
    """Any data, rates and T; reverse kernels that are right, roughly or not at all."""
    n_bits = draw(st.integers(1, 3))
    n, T = 2**n_bits, draw(st.integers(2, 5))
    rates = st.floats(0.02, 1.0)
    beta = np.array(draw(st.lists(rates, min_size=T, max_size=T)))
    world = exact.bits_world(draw(distribution(n)), beta, draw(st.floats(0.05, 0.95)))
    kind = draw(st.sampled_from(["perfect", "independent", "disturbed", "arbitrary"]))
    if kind == "independent":
        return world
    perfect = exact.World(world.q0, world.forward, world.pi)
    if kind == "perfect":
        return perfect
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    noise = exact.normalize(rng.random(perfect.reverse.shape) + 1e-3, axis=1)
    share = 1.0 if kind == "arbitrary" else draw(st.floats(0.0, 0.5))
    reverse = (1 - share) * perfect.reverse + share * noise
    return exact.World(world.q0, world.forward, world.pi, reverse)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(worlds())
def test_K_is_never_above_L_and_L_never_above_minus_the_entropy_of_the_data(world):
    L, K = world.log_likelihood(), world.lower_bound()
    assert K <= L + 1e-9
    assert L <= -world.H(0) + 1e-9


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(worlds())
def test_the_gap_is_the_divergence_of_the_trajectories(world):
    """L - K, trajectory by trajectory."""
    if len(world.q0) ** (world.T + 1) > 70_000:
        return
    paths = world.trajectories()
    log_q = world.log_q_steps(paths).sum(axis=0)
    log_p = np.log(world.pi[paths[:, -1]]) + world.log_p_steps(paths).sum(axis=0)
    log_posterior = log_p - np.log(world.p(0))[paths[:, 0]]
    q = world.q0[paths[:, 0]] * np.exp(log_q)
    gap = float(q @ (log_q - log_posterior))
    assert gap >= -1e-9
    L, K = world.log_likelihood(), world.lower_bound()
    assert gap == pytest.approx(L - K, abs=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(worlds(), st.integers(0, 10**6))
def test_the_expected_factor_makes_the_multiplied_chain_exact(world, seed):
    r = np.random.default_rng(seed).random(len(world.q0)) + 0.01
    end = world.multiplied(world.expected(r)).p(0)
    np.testing.assert_allclose(end, exact.normalize(world.p(0) * r), atol=1e-12)


def bits_gap(T):
    q0 = exact.normalize(np.random.default_rng(0).random(8) ** 2)
    world = exact.bits_world(q0, schedule.binomial(T))
    return world.log_likelihood() - world.lower_bound()


def line_world(T):
    """Two modes on a line; the fixed first step, whose cost is another story, is
    perfect."""
    grid = exact.line(401, 5.0)
    q0 = exact.two_modes(grid)
    beta = schedule.log_snr(T, min(0.08, 0.64 / T))
    world = exact.line_world(q0, beta, grid)
    reverse = world.reverse.copy()
    reverse[0] = exact.reverse_kernel(world.forward[0], q0)
    return exact.World(q0, world.forward, world.pi, reverse, world.cell)


def test_the_bound_becomes_tight_as_T_grows():
    """For bits nearly like 1/T; on the line, with learned steps only, faster."""
    gaps = np.array([bits_gap(T) for T in (16, 32, 64, 128, 256)])
    rates = -np.diff(np.log2(gaps))
    assert (np.diff(rates) > 0).all() and 0.7 < rates[-1] < 1.05
    worlds = [line_world(T) for T in (8, 16, 32)]
    gaps = np.array([w.log_likelihood() - w.lower_bound() for w in worlds])
    assert (-np.diff(np.log2(gaps)) > 1.2).all() and gaps[-1] < 0.01


def test_eq_9_is_unbiased_on_the_line_and_its_variance_falls_with_T():
    spread, rng = [], np.random.default_rng(0)
    for T in (4, 8, 16, 32):
        world = line_world(T)
        start = 160  # x^0 = -1
        log_w = world.log_weight(world.draw(start, 4000, rng))
        estimate = bound.log_likelihood_estimate(log_w)
        truth = np.log(world.p(0)[start] / world.cell)
        error = np.exp(log_w).std() / np.sqrt(len(log_w))
        assert abs(np.exp(log_w).mean() - np.exp(truth)) < 3 * error
        assert abs(estimate.log_p - truth) < 3 * estimate.standard_error
        spread.append(log_w.var())
    assert (np.diff(spread) < 0).all() and spread[-1] < spread[0] / 5


@pytest.mark.parametrize("reverse", ["perfect", "independent"])
def test_entropies_given_another_time_are_those_of_the_joint(reverse):
    q0 = exact.normalize(np.random.default_rng(1).random(4))
    world = exact.bits_world(q0, [0.2, 0.5, 0.3], 0.3, reverse)
    paths = world.trajectories()
    q = q0[paths[:, 0]] * np.exp(world.log_q_steps(paths).sum(axis=0))

    def joint_entropy(*times):
        number = sum(paths[:, t] * 4**i for i, t in enumerate(times))
        return exact.entropy(np.bincount(number, q))

    for t in (1, 2, 3):
        pairs = [(t, t - 1), (t - 1, t), (t, 0), (0, t)]
        for a, b in pairs:
            expected = joint_entropy(a, b) - joint_entropy(b)
            assert world.H(a, given=b) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match=r"H\(X\^3 \| X\^1\)"):
        world.H(3, given=1)


@pytest.mark.parametrize(
    "change, match",
    [
        (dict(q0=[0.5, 0.5]), r"q0 has shape \(2,\)"),
        (dict(q0=[0.5, 0.5, 0.5, 0.5]), "q0 sums to 2"),
        (dict(pi=[1.5, -0.5, 0.0, 0.0]), "pi holds -0.5"),
        (dict(forward=np.ones((3, 4, 4))), "every column must sum to one"),
        (dict(forward=np.eye(4)[None]), "T = 1"),
        (dict(reverse=np.stack([np.eye(4)] * 2)), r"\(3, 4, 4\) is needed"),
    ],
)
def test_what_is_not_a_chain_is_refused(change, match):
    uniform = np.full(4, 0.25)
    parts = dict(q0=uniform, forward=np.stack([np.eye(4)] * 3), pi=uniform)
    with pytest.raises(ValueError, match=match):
        exact.World(**(parts | change))


def test_other_bad_input_is_refused():
    world = exact.bits_world(np.full(4, 0.25), [0.2, 0.3])
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n = 0: it must be at least 1"):
        world.draw(0, 0, rng)
    with pytest.raises(ValueError, match="finite and nowhere negative"):
        world.multiplied([1, 2, 3, -1])
    with pytest.raises(ValueError, match="unknown reverse 'best'"):
        exact.bits_world(np.full(4, 0.25), [0.2, 0.3], reverse="best")
    with pytest.raises(ValueError, match="lies outside"):
        exact.bits_world(np.full(4, 0.25), [0.2, 0.0])
    with pytest.raises(ValueError, match="trajectories: take fewer"):
        exact.bits_world(np.full(64, 1 / 64), [0.2, 0.3, 0.4]).trajectories()
    with pytest.raises(ValueError, match="width = 1"):
        exact.two_modes(exact.line(), 1)
