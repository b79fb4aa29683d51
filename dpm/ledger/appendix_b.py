"""Checks of Eqs. 37 to 51: the bound rewritten step by step (Appendix B)."""

import numpy as np

from dpm import exact
from dpm.diffusion import binomial, bound, gaussian, schedule
from dpm.ledger.entries import agree, equation, holds, value
from dpm.ledger.worlds import (
    BETA,
    CELL,
    LEFT,
    LOG_ODDS,
    MATCHED,
    OTHER,
    RHO,
    T,
    X,
    bits,
    coin,
    conditional,
    differential_entropy,
    divergences,
    entropies,
    gaussian_divergences,
    line,
    log_normal,
    ratios,
)

CHAPTER = "training"


@equation(
    37,
    r"L \ge K",
    CHAPTER,
    "exact.world.World.log_likelihood",
    "exact.world.World.lower_bound",
)
def gap_is_a_divergence():
    """L - K against the divergence between the trajectories that q draws from a data
    point and those that the model holds likely, which is never negative."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        log_joint = b.log_pi[T] + b.log_p.sum(axis=0)
        log_p0 = np.log(np.bincount(b.paths[:, 0], np.exp(log_joint)))
        gap = b.q @ (b.log_q.sum(axis=0) - log_joint + log_p0[b.paths[:, 0]])
        agree(b.world.log_likelihood() - b.world.lower_bound(), gap)
        holds(gap > 0)


@equation(
    38,
    r"K = \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \left( p(\mathbf x^{(T)}) \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \right)",
    CHAPTER,
    "exact.world.World.lower_bound",
)
def definition_of_K():
    """K step by step against one logarithm of the product for every trajectory, the
    product being multiplied out."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        product = np.exp(b.log_pi[T])
        for t in range(T):
            before, after = b.paths[:, t], b.paths[:, t + 1]
            product = product * b.world.reverse[t][before, after]
            product = product / b.world.forward[t][after, before]
        agree(b.world.lower_bound(), b.q @ np.log(product))


@equation(
    39,
    r"K = \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \left( \log p(\mathbf x^{(T)}) + \log \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \right)",
    CHAPTER,
    "exact.world.World.lower_bound",
)
def end_taken_out_of_the_product():
    """K against the mean over trajectories of two logarithms, that of the end and that
    of the product of all steps."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        steps = np.exp(b.log_p.sum(axis=0)) / np.exp(b.log_q.sum(axis=0))
        agree(b.world.lower_bound(), b.q @ (b.log_pi[T] + np.log(steps)))


@equation(
    40,
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \left( \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \right) \cr & + \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log p(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.world.World.mean",
    "exact.world.World.log_ratio",
)
def two_integrals():
    """Averages of the log ratios of single steps, taken from pairs of states, against
    averages over whole trajectories; with the end they make K."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        steps = sum(b.world.mean(t, b.world.log_ratio(t)) for t in range(1, T + 1))
        agree(steps, b.q @ (b.log_p - b.log_q).sum(axis=0))
        agree(b.world.lower_bound(), ratios(b) + b.q @ b.log_pi[T])


@equation(
    41,
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \cr & + \int d\mathbf x^{(T)} \, q(\mathbf x^{(T)}) \log p(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.world.World.q",
    "exact.world.World.p",
)
def end_needs_its_own_state_only():
    """The mean of log p(x^T) under the marginal q(x^T) against its mean over whole
    trajectories, and K made of it."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        end = b.world.q(T) @ np.log(b.world.p(T))
        agree(end, b.q @ b.log_pi[T])
        agree(b.world.lower_bound(), ratios(b) + end)


@equation(
    42,
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \cr & + \int d\mathbf x^{(T)} \, q(\mathbf x^{(T)}) \log \pi(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.lower_bound",
    "diffusion.bound.binomial_entropies",
    "diffusion.bound.gaussian_entropies",
    "diffusion.binomial.entropy",
    "diffusion.gaussian.entropy",
    "diffusion.schedule.beta_cumulative",
)
def forward_steps_as_entropies():
    """K from the log rates of the reverse steps, the package's entropies of the forward
    steps and log pi, which is linear in the share of ones, for any data; and for the
    coin of numbers, where log pi is quadratic."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        ones = b.X.sum(axis=1).mean() * LEFT[-1] + 2 * RHO * (1 - LEFT[-1])
        end = ones * np.log(RHO) + (2 - ones) * np.log(1 - RHO)
        H = value(entropies(b).step)
        agree(b.world.lower_bound(), b.q @ b.log_p.sum(axis=0) + H.sum() + end)
        agree(H, [-(b.q @ b.log_q[t]) for t in range(T)])
    H = bound.gaussian_entropies(BETA, schedule.beta_cumulative(BETA), 2)
    for t, beta in enumerate(BETA):
        density = np.exp(log_normal(X, 0.3, np.sqrt(beta)))
        joint = np.multiply.outer(density, density)
        agree(H.step[t], differential_entropy(joint, CELL**2), 1e-9)


@equation(
    43,
    r"K = \sum_{t=1}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} - H_p(\mathbf X^{(T)})",
    CHAPTER,
    "exact.world.World.lower_bound",
    "diffusion.bound.binomial_entropies",
    "diffusion.bound.gaussian_entropies",
    "diffusion.bound.null_log_likelihood",
    "diffusion.gaussian.entropy",
    "diffusion.binomial.entropy",
    "diffusion.schedule.beta_cumulative",
)
def cross_entropy_to_pi():
    """With the entropy of pi for the last term: equal to K for bits of pi's mean
    activity and numbers of unit variance, off by the predicted amount for others."""
    left = 1 - value(schedule.beta_cumulative(BETA))
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        too_many = b.X.sum(axis=1).mean() - 2 * RHO
        agree(entropies(b).prior, b.entropy_of_pi)
        gap = ratios(b) - value(entropies(b).prior) - b.world.lower_bound()
        agree(gap, LOG_ODDS * too_many * left[-1])
    H = bound.gaussian_entropies(BETA, 1 - left, 1)
    for scale in (1.0, 0.5, 2.0):
        for t, q in enumerate(coin(scale).q):  # symmetric: x0 = -scale gives the same
            cross = -CELL * q @ log_normal(X, 0.0, 1.0)
            agree(cross - value(H.prior), left[t] * (scale**2 - 1) / 2, 1e-9)
            if scale == 1.0:
                agree(bound.null_log_likelihood(1), -cross, 1e-9)


@equation(
    44,
    r"p(\mathbf x^{(0)} \mid \mathbf x^{(1)}) = q(\mathbf x^{(1)} \mid \mathbf x^{(0)}) \, \frac{\pi(\mathbf x^{(0)})}{\pi(\mathbf x^{(1)})} = T_\pi(\mathbf x^{(0)} \mid \mathbf x^{(1)}; \beta_1)",
    CHAPTER,
    "diffusion.gaussian.forward_kernel",
    "diffusion.gaussian.log_prob",
    "diffusion.binomial.forward_kernel",
    "diffusion.binomial.log_prob",
    "exact.world.bits_world",
)
def first_reverse_step():
    """The forward kernel from x^1 to x^0 against that from x^0 to x^1 times the ratio
    of pi, for pairs of numbers and of bits; bits_world takes it for its first step."""
    x0, x1 = np.linspace(-2, 2, 7)[:, None], np.linspace(-3, 3, 9)
    for beta in (0.05, 0.5):
        forth = gaussian.log_prob(x1, *gaussian.forward_kernel(x0, beta))
        back = gaussian.log_prob(x0, *gaussian.forward_kernel(x1, beta))
        agree(back, value(forth) - x0**2 / 2 + x1**2 / 2)
        zero_one = np.array([0.0, 1.0])
        x0_bit, x1_bit = zero_one[:, None], zero_one
        log_pi = np.log([1 - RHO, RHO])
        forth = binomial.log_prob(x1_bit, binomial.forward_kernel(x0_bit, beta, RHO))
        back = binomial.log_prob(x0_bit, binomial.forward_kernel(x1_bit, beta, RHO))
        agree(back, value(forth) + log_pi[:, None] - log_pi)
    world = exact.bits_world(np.array(OTHER) / sum(OTHER), BETA, RHO)
    by_hand = world.forward[0].T * world.pi[:, None] / world.pi
    agree(world.reverse[0], by_hand)


@equation(
    45,
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \cr & + \int d\mathbf x^{(0)} d\mathbf x^{(1)} \, q(\mathbf x^{(0)}, \mathbf x^{(1)}) \log \frac{q(\mathbf x^{(1)} \mid \mathbf x^{(0)}) \, \pi(\mathbf x^{(0)})}{q(\mathbf x^{(1)} \mid \mathbf x^{(0)}) \, \pi(\mathbf x^{(1)})} - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.world.World.mean",
    "diffusion.bound.binomial_entropies",
)
def first_step_put_in():
    """K against the terms from t = 2 on, the first one written with q and pi, and the
    package's entropy of pi; the first term also for data of any activity."""
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        q_10 = conditional(b, 1, given=[0])
        first = b.q @ np.log(q_10 * np.exp(b.log_pi[0]) / (q_10 * np.exp(b.log_pi[1])))
        agree(b.world.mean(1, b.world.log_ratio(1)), first)
        if counts == MATCHED:
            K = ratios(b, first=2) + first - value(entropies(b).prior)
            agree(b.world.lower_bound(), K)


@equation(
    46,
    r"K = \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} - H_p(\mathbf X^{(T)})",
    CHAPTER,
    "exact.world.World.lower_bound",
    "diffusion.bound.binomial_entropies",
    "diffusion.bound.gaussian_entropies",
    "diffusion.schedule.beta_cumulative",
)
def first_step_left_out():
    """Equal to K for bits of pi's activity, and on a line for data of unit variance;
    for other bits off by the predicted amount."""
    total = value(schedule.beta_cumulative(BETA))
    for counts in (MATCHED, OTHER):
        b = bits(counts)
        too_many = b.X.sum(axis=1).mean() - 2 * RHO
        claimed = ratios(b, first=2) - value(entropies(b).prior)
        error = LOG_ODDS * too_many * (BETA[0] + 1 - total[-1])
        agree(claimed - b.world.lower_bound(), error)
    world = line()
    steps = sum(world.mean(t, world.log_ratio(t)) for t in range(2, T + 1))
    H = bound.gaussian_entropies(BETA, total, 1)
    agree(world.lower_bound(), steps - value(H.prior), 1e-6)


@equation(
    47,
    r"K = \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)}, \mathbf x^{(0)})} - H_p(\mathbf X^{(T)})",
    CHAPTER,
    "exact.world.World.lower_bound",
    "exact.world.World.log_q_steps",
)
def markov():
    """The probability of a step given also where the trajectory began, counted from all
    trajectories, against the forward kernel; K with the one in place of the other."""
    b = bits(MATCHED)
    K = -b.entropy_of_pi
    for t in range(2, T + 1):
        given_both = np.log(conditional(b, t, given=[0, t - 1]))
        agree(given_both, b.world.log_q_steps(b.paths)[t - 1])
        K += b.q @ (b.log_p[t - 1] - given_both)
    agree(b.world.lower_bound(), K)


@equation(
    48,
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \cr & \qquad \times \log \left[ \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \, \frac{q(\mathbf x^{(t-1)} \mid \mathbf x^{(0)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(0)})} \right] - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "diffusion.binomial.posterior",
    "diffusion.binomial.marginal",
    "diffusion.gaussian.posterior",
    "diffusion.schedule.beta_cumulative",
    "exact.world.World.posterior",
    "exact.world.World.jump",
    "exact.world.World.lower_bound",
)
def bayes():
    """The package's posterior and marginals against those counted from trajectories,
    and K made of them; on a line, mean and deviation of the posterior against sums."""
    b = bits(MATCHED)
    total = value(schedule.beta_cumulative(BETA))
    joint = lambda rate, x: np.where(x == 1, rate, 1 - rate).prod(axis=-1)  # noqa: E731
    x = b.states[b.paths]  # (trajectories, T+1, 2)
    K = -b.entropy_of_pi
    for t in range(2, T + 1):
        counted = conditional(b, t - 1, given=[0, t])
        rate = binomial.posterior(x[:, 0], x[:, t], BETA[t - 1], total[t - 2], RHO)
        agree(joint(value(rate), x[:, t - 1]), counted)
        table = b.world.posterior(t)
        agree(table[b.paths[:, t - 1], b.paths[:, t], b.paths[:, 0]], counted)
        K += b.q @ (b.log_p[t - 1] - np.log(counted))
        for s, sign in ((t - 1, 1), (t, -1)):
            rate = value(binomial.marginal(x[:, 0], total[s - 1], RHO))
            marginal = joint(rate, x[:, s])
            agree(marginal, b.world.jump(s)[b.paths[:, s], b.paths[:, 0]])
            K += sign * b.q @ np.log(marginal)
    agree(b.world.lower_bound(), K)
    world, grid = line(), exact.line(81, 6.0)
    for t in (2, 3):
        table = world.posterior(t)[:, 25:56, 25:56]  # states within 2.25 of the middle
        moments = gaussian.posterior(
            grid[25:56], grid[25:56, None], BETA[t - 1], total[t - 2]
        )
        mean = np.tensordot(grid, table, 1)
        variance = np.tensordot(grid**2, table, 1) - mean**2
        agree(moments[0], mean, 1e-6)
        agree(value(moments[1]) ** 2 + 0 * mean, variance, 1e-6)


@equation(
    49,
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \cr & + \sum_{t=2}^{T} \left[ H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) \right] - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.H",
    "exact.world.World.lower_bound",
    "diffusion.bound.binomial_entropies",
    "diffusion.bound.gaussian_entropies",
    "diffusion.binomial.entropy",
    "diffusion.gaussian.entropy",
)
def marginals_as_entropies():
    """Entropies given the data, of the world and the package, against mean logarithms
    over all trajectories and, for two coordinates, an integral; K made of them."""
    b = bits(MATCHED)
    logs = [np.log(conditional(b, t, given=[0])) for t in range(1, T + 1)]
    by_hand = np.array([-(b.q @ log) for log in logs])
    H = value(entropies(b).given_data)
    agree(H, by_hand)
    agree([b.world.H(t, given=0) for t in range(1, T + 1)], by_hand)
    K = -b.entropy_of_pi
    for t in range(2, T + 1):
        posterior = np.log(conditional(b, t - 1, given=[0, t]))
        K += b.q @ (b.log_p[t - 1] - posterior) + H[t - 1] - H[t - 2]
    agree(b.world.lower_bound(), K)
    H = value(bound.gaussian_entropies(BETA, 1 - LEFT, 2).given_data)
    for t, q in enumerate(coin(1.0).q):
        joint = np.multiply.outer(q, q)
        agree(H[t], differential_entropy(joint, CELL**2), 1e-8)


@equation(
    50,
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \cr & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.world.World.H",
    "exact.world.World.mean",
    "exact.world.World.posterior",
    "exact.world.World.lower_bound",
)
def telescope():
    """K against the first and the last entropy alone, with the mean log ratio of the
    reverse step and the posterior: for bits, and on a line."""
    for world, tolerance in ((bits(MATCHED).world, 1e-10), (line(), 1e-6)):
        K = (
            world.H(T, given=0)
            - world.H(1, given=0)
            + world.pi @ np.log(world.pi / world.cell)
        )
        for t in range(2, T + 1):
            posterior = np.maximum(world.posterior(t), 1e-300)
            log_p = np.log(world.reverse[t - 1])[:, :, None]
            K += world.mean(t, log_p - np.log(posterior))
        agree(world.lower_bound(), K, tolerance)


@equation(
    51,
    r"\begin{aligned} K = & -\sum_{t=2}^{T} \int d\mathbf x^{(0)} d\mathbf x^{(t)} \, q(\mathbf x^{(0)}, \mathbf x^{(t)}) \cr & \qquad \times D_{KL}\left( q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)}) \,\middle\|\, p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) \right) \cr & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "diffusion.binomial.kl",
    "diffusion.binomial.posterior",
    "diffusion.gaussian.kl",
    "diffusion.gaussian.posterior",
    "diffusion.schedule.beta_cumulative",
    "diffusion.bound.lower_bound",
)
def divergences_of_each_step():
    """The package's divergence of every step against the mean log ratio of posterior
    and reverse step, over all trajectories or a fine grid of numbers; the bits' K."""
    b = bits(MATCHED)
    kl = divergences(b)
    for t in range(2, T + 1):
        posterior = np.log(conditional(b, t - 1, given=[0, t]))
        agree(kl[t - 2], b.q @ (posterior - b.log_p[t - 1]))
    agree(bound.lower_bound(kl, entropies(b)), b.world.lower_bound())
    for x0 in (-1.0, 0.4):
        c = coin(x0)
        agree(gaussian_divergences(x0, c.q), c.divergence, 1e-8)
