"""Checks of Eqs. 10 to 15: the likelihood and its bound, rewritten."""

import numpy as np

from dpm import exact
from dpm.blocks.backend import numbers
from dpm.diffusion import binomial, bound, gaussian, schedule
from dpm.ledger.entries import agree, equation, holds, value
from dpm.ledger.worlds import (
    BETA,
    CELL,
    MATCHED,
    OTHER,
    RHO,
    T,
    X,
    bits,
    coin,
    divergences,
    entropies,
    gaussian_divergences,
    line,
    log_normal,
    ratios,
)

CHAPTER = "training"


@equation(
    10,
    r"L = \int d\mathbf x^{(0)} \, q(\mathbf x^{(0)}) \log p(\mathbf x^{(0)})",
    CHAPTER,
    "exact.world.World.log_likelihood",
    "diffusion.bound.null_log_likelihood",
    "diffusion.bound.binomial_null_log_likelihood",
    "diffusion.bound.to_bits",
)
def log_likelihood():
    """L of a world against the model's probabilities summed over every trajectory; and
    L of pi as the model, for numbers of unit variance, for bits and, in bits, for fair
    coins."""
    b = bits(OTHER)
    p = np.exp(b.log_pi[T] + b.log_p.sum(axis=0))
    p = np.bincount(b.paths[:, 0], p)
    agree(b.world.log_likelihood(), np.array(OTHER) @ np.log(p) / sum(OTHER))
    of_pi = exact.World(b.world.q0, b.world.forward, b.world.pi, b.world.forward)
    agree(bound.binomial_null_log_likelihood(b.X, RHO).mean(), of_pi.log_likelihood())
    agree(bound.binomial_null_log_likelihood(b.states, RHO), np.log(b.world.pi))
    world = line()
    of_pi = exact.World(world.q0, world.forward, world.pi, world.forward, world.cell)
    agree(bound.null_log_likelihood(1), of_pi.log_likelihood(), 1e-6)
    agree(bound.null_log_likelihood(3), 3 * of_pi.log_likelihood(), 1e-6)
    coins = exact.bits_world(np.full(8, 1 / 8), BETA)
    agree(bound.to_bits(coins.log_likelihood()), -3)


@equation(
    11,
    r"\begin{aligned} L = \int d\mathbf x^{(0)} \, q(\mathbf x^{(0)}) \log \Bigg( & \int d\mathbf x^{(1 \dots T)} \, q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)}) \, p(\mathbf x^{(T)}) \cr & \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \Bigg) \end{aligned}",
    CHAPTER,
    "exact.world.World.log_likelihood",
    "diffusion.bound.log_weight",
)
def log_likelihood_with_equation_9():
    """L by walking the reverse chain against the logarithm of the mean weight of all
    forward trajectories from each data point."""
    b = bits(OTHER)
    weight = np.exp(bound.log_weight(b.log_pi[T], b.log_p, b.log_q))
    mean = np.bincount(b.paths[:, 0], b.q * weight) / b.world.q0
    agree(b.world.log_likelihood(), b.world.q0 @ np.log(mean))


@equation(
    12,
    r"L \ge \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \left( p(\mathbf x^{(T)}) \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \right)",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.world.World.log_likelihood",
)
def jensen():
    """The right side summed over every trajectory against K; it lies below L, and below
    the log of the mean for each data point by itself."""
    b = bits(OTHER)
    log_weight = b.log_pi[T] + (b.log_p - b.log_q).sum(axis=0)
    agree(b.world.lower_bound(), b.q @ log_weight)
    holds(b.q @ log_weight < b.world.log_likelihood())
    mean_of_logs = np.bincount(b.paths[:, 0], b.q * log_weight) / b.world.q0
    log_of_mean = np.log(
        np.bincount(b.paths[:, 0], b.q * np.exp(log_weight)) / b.world.q0
    )
    holds(mean_of_logs < log_of_mean)


@equation(
    13,
    r"L \ge K",
    CHAPTER,
    "exact.world.World.log_likelihood",
    "exact.world.World.lower_bound",
)
def bound_and_equality():
    """L above K for reverse kernels drawn at random; both equal to minus the entropy of
    the data for perfect ones that start where the forward chain ends."""
    world, rng = bits(OTHER).world, np.random.default_rng(1)
    for _ in range(20):
        reverse = exact.normalize(rng.random((T, 4, 4)), axis=1)
        chain = exact.World(world.q0, world.forward, world.pi, reverse)
        holds(chain.log_likelihood() > chain.lower_bound())
    perfect = exact.World(world.q0, world.forward, world.q(T))
    agree(perfect.lower_bound(), world.q0 @ np.log(world.q0))
    agree(perfect.log_likelihood(), world.q0 @ np.log(world.q0))


@equation(
    14,
    r"\begin{aligned} K = & -\sum_{t=2}^{T} \int d\mathbf x^{(0)} d\mathbf x^{(t)} \, q(\mathbf x^{(0)}, \mathbf x^{(t)}) \cr & \qquad \times D_{KL}\left( q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)}) \,\middle\|\, p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) \right) \cr & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "diffusion.bound.lower_bound",
    "diffusion.bound.gaussian_entropies",
    "diffusion.bound.binomial_entropies",
    "diffusion.gaussian.posterior",
    "diffusion.gaussian.kl",
    "diffusion.gaussian.entropy",
    "diffusion.binomial.posterior",
    "diffusion.binomial.posterior_log_odds",
    "diffusion.binomial.log_odds",
    "diffusion.binomial.kl",
    "diffusion.binomial.kl_log_odds",
    "diffusion.binomial.entropy",
    "diffusion.schedule.beta_cumulative",
)
def bound_in_closed_form():
    """K from the package's divergences and entropies, for bits, by rates and by log
    odds, against Eq. 12 summed over trajectories, for numbers against Eq. 38 integrated
    numerically; from single terms of the sum it is right on average."""
    b = bits(MATCHED)
    kl = value(divergences(b))
    K = b.q @ b.log_pi[T] + ratios(b)
    H = bound.Entropies(*numbers(*entropies(b)))
    agree(bound.lower_bound(kl, H), K)
    agree(bound.lower_bound(divergences(b, by_log_odds=True), H), K)
    single = [value(bound.lower_bound(kl[[t]], H, T - 1)) for t in range(T - 1)]
    agree(np.mean(single), K)
    both = {x0: coin(x0) for x0 in (-1.0, 1.0)}
    total = value(schedule.beta_cumulative(BETA))
    log_pi = log_normal(X, 0.0, 1.0)
    K = np.mean([c.terms.sum() + CELL * c.q[-1] @ log_pi for c in both.values()])
    kl = np.mean([gaussian_divergences(x0, c.q) for x0, c in both.items()], axis=0)
    for n_dim in (1, 2):  # independent coordinates: all terms add up
        H = bound.gaussian_entropies(BETA, total, n_dim)
        agree(bound.lower_bound(n_dim * kl, H), n_dim * K, 1e-8)


@equation(
    15,
    r"\hat p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) = \underset{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{\operatorname{argmax}} \; K",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.states.independent_bits",
    "exact.states.moment_matched_gaussian",
    "diffusion.binomial.kl",
    "diffusion.gaussian.kl",
)
def best_reverse_step():
    """K with the true rates, or the true mean and variance, against K with others: what
    is lost is the package's divergence between the two, so nothing does better."""
    b = bits(OTHER)
    perfect = exact.World(b.world.q0, b.world.forward, b.world.pi)
    true = [exact.independent_bits(step, b.states) for step in perfect.reverse]
    best = exact.World(b.world.q0, b.world.forward, b.world.pi, true)
    for t in range(2, T + 1):
        others = [*true]
        others[t - 1] = b.world.reverse[t - 1]
        chain = exact.World(b.world.q0, b.world.forward, b.world.pi, others)
        rates = perfect.reverse[t - 1].T @ b.states  # (x^t, 2)
        lost = value(binomial.kl(rates, b.rates[t - 2])).sum(axis=1) @ b.world.q(t)
        agree(best.lower_bound() - chain.lower_bound(), lost)
        holds(lost > 0.01)
    world, grid = line(), exact.line(81, 6.0)
    step = exact.reverse_kernel(world.forward[1], world.q(1))
    mean = grid @ step
    sigma = np.sqrt(grid**2 @ step - mean**2)
    best = np.log(exact.moment_matched_gaussian(step, grid))
    for shift, stretch in ((0.1, 1.0), (-0.2, 1.1), (0.0, 0.8)):
        worse = log_normal(grid[:, None], mean + shift, sigma * stretch)
        worse += np.log(world.cell)
        lost = value(gaussian.kl(mean, sigma, mean + shift, sigma * stretch))
        common = np.abs(grid) < 4  # states far from the ends of the grid
        gap = np.sum(step * (best - worse), axis=0)
        agree(gap[common], lost[common], 1e-5)
        holds(lost > 0.001)
