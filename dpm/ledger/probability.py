"""Checks of Eqs. 6 to 9: the probability of a data point, by four sums."""

from functools import cache

import numpy as np

from dpm import exact
from dpm.diffusion import bound
from dpm.ledger.entries import agree, equation, holds, value

CHAPTER = "probability"
BETA = (0.3, 0.5, 0.4)


@cache
def worlds():
    """Two bits, and a line of seven points, both with all of their trajectories."""
    bits = exact.bits_world(np.array([0.1, 0.2, 0.3, 0.4]), BETA, 0.3)
    grid = exact.line(7, 1.5)
    line = exact.line_world(exact.two_modes(grid, 0.5), BETA, grid)
    return [(world, world.trajectories()) for world in (bits, line)]


def by_hand(world, paths):
    """p(x^(0..T)) and q(x^(1..T) | x^0) of each trajectory, as products step by step."""
    p, q = [], []
    for path in paths:
        p.append(world.pi[path[-1]])
        q.append(1.0)
        for t, (before, after) in enumerate(zip(path[:-1], path[1:], strict=True)):
            p[-1] *= world.reverse[t][before, after]
            q[-1] *= world.forward[t][after, before]
    return np.array(p), np.array(q)


def over_all_ways(terms, paths):
    """The sum over x^(1..T) of a number a trajectory, for each x^0."""
    return np.bincount(paths[:, 0], terms)


@equation(
    6,
    r"p(\mathbf x^{(0)}) = \int d\mathbf x^{(1 \dots T)} \, p(\mathbf x^{(0 \dots T)})",
    CHAPTER,
    "exact.world.World.p",
    "exact.world.World.log_p_steps",
)
def sum_over_all_ways():
    """The reverse chain's end, walked with matrices, against the sum over every
    trajectory of its probability, with the steps of the package and by hand."""
    for world, paths in worlds():
        p, _ = by_hand(world, paths)
        agree(world.p(0), over_all_ways(p, paths))
        steps = np.exp(world.log_p_steps(paths).sum(axis=0))
        agree(world.p(0), over_all_ways(world.pi[paths[:, -1]] * steps, paths))


@equation(
    7,
    r"p(\mathbf x^{(0)}) = \int d\mathbf x^{(1 \dots T)} \, p(\mathbf x^{(0 \dots T)}) \, \frac{q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)})}{q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)})}",
    CHAPTER,
    "exact.world.World.p",
    "exact.world.World.log_q_steps",
)
def multiplied_by_one():
    """The sum over every trajectory with the factor q/q, its top by the package and its
    bottom by hand, against the end of the reverse chain; the bottom is never zero."""
    for world, paths in worlds():
        p, q = by_hand(world, paths)
        holds(q > 0)
        top = np.exp(world.log_q_steps(paths).sum(axis=0))
        agree(world.p(0), over_all_ways(p * top / q, paths))


@equation(
    8,
    r"p(\mathbf x^{(0)}) = \int d\mathbf x^{(1 \dots T)} \, q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)}) \, \frac{p(\mathbf x^{(0 \dots T)})}{q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)})}",
    CHAPTER,
    "exact.world.World.p",
    "exact.world.World.log_p_steps",
    "exact.world.World.log_q_steps",
)
def average_over_forward_trajectories():
    """Chances of the forward trajectories, by hand, sum to one; the average with them of
    the package's ratio of both trajectories against the end of the reverse chain."""
    for world, paths in worlds():
        _, q = by_hand(world, paths)
        agree(over_all_ways(q, paths), 1.0)
        log_p = np.log(world.pi[paths[:, -1]]) + world.log_p_steps(paths).sum(axis=0)
        ratio = np.exp(log_p - world.log_q_steps(paths).sum(axis=0))
        agree(world.p(0), over_all_ways(q * ratio, paths))


def estimate_in_plain_words(log_w):
    """Logarithm of the mean weight, its standard error, the effective sample size."""
    w, n = np.exp(log_w), len(log_w)
    mean = sum(w) / n
    variance = sum((w - mean) ** 2) / (n - 1)  # of a single weight
    return np.log(mean), np.sqrt(variance / n) / mean, sum(w) ** 2 / sum(w**2)


@equation(
    9,
    r"p(\mathbf x^{(0)}) = \int d\mathbf x^{(1 \dots T)} \, q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)}) \, p(\mathbf x^{(T)}) \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})}",
    CHAPTER,
    "diffusion.bound.log_weight",
    "diffusion.bound.log_likelihood_estimate",
    "exact.world.World.log_weight",
    "exact.world.World.p",
    "exact.world.World.draw",
)
def weights_of_forward_trajectories():
    """Weights against products by hand, and their average over every trajectory against
    the end of the reverse chain; the estimate from draws against plain formulas of its
    three numbers, and against the truth within three standard errors."""
    for world, paths in worlds():
        p, q = by_hand(world, paths)
        steps = world.log_p_steps(paths), world.log_q_steps(paths)
        log_w = bound.log_weight(np.log(world.pi[paths[:, -1]]), *steps)
        agree(np.exp(value(log_w)), p / q, 1e-9)
        w = np.exp(value(world.log_weight(paths))) * world.cell  # of densities
        agree(world.p(0), over_all_ways(q * w, paths))

        rng = np.random.default_rng(0)
        draws = [world.draw(start, 400, rng) for start in (1, 2)]
        log_w = np.stack([value(world.log_weight(drawn)) for drawn in draws], axis=1)
        estimate = bound.log_likelihood_estimate(log_w)
        for found, expected in zip(
            estimate, estimate_in_plain_words(log_w), strict=True
        ):
            agree(found, expected)
        truth = np.log(world.p(0)[[1, 2]] / world.cell)
        holds(np.abs(estimate.log_p - truth) < 3 * estimate.standard_error)
