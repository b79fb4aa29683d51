"""Checks of Eqs. 1 to 5: both trajectories."""

import numpy as np

from dpm import exact, sampler
from dpm.diffusion import binomial, gaussian
from dpm.ledger.entries import agree, equation, value

RHO = 0.3
BETA = (0.2, 0.4, 0.3)


@equation(
    1,
    r"\pi(\mathbf y) = \int d\mathbf y' \, T_\pi(\mathbf y \mid \mathbf y'; \beta) \, \pi(\mathbf y')",
    "forward",
    "diffusion.gaussian.forward_kernel",
    "diffusion.gaussian.log_prob",
    "diffusion.binomial.forward_kernel",
    "diffusion.binomial.log_prob",
)
def pi_is_stationary():
    """One step of the kernel from pi, as an integral over a fine grid and as a sum over
    both values of a bit, against pi."""
    y = np.linspace(-9.0, 9.0, 721)
    pi = np.exp(value(gaussian.log_prob(y, 0.0, 1.0)))
    agree(pi, np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi))
    middle = np.abs(y) < 5
    for beta in (0.05, 0.5):
        mu, sigma = gaussian.forward_kernel(y, beta)
        kernel = np.exp(value(gaussian.log_prob(y[middle, None], mu, sigma)))
        agree(kernel @ pi * (y[1] - y[0]), pi[middle])
        rates = value(binomial.forward_kernel(np.array([0.0, 1.0]), beta, RHO))
        log_p = value(binomial.log_prob(np.array([[0.0], [1.0]]), rates))
        agree(np.exp(log_p) @ [1 - RHO, RHO], [1 - RHO, RHO])


@equation(
    2,
    r"q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)}) = T_\pi(\mathbf x^{(t)} \mid \mathbf x^{(t-1)}; \beta_t)",
    "forward",
    "diffusion.gaussian.forward_kernel",
    "diffusion.gaussian.sample",
    "diffusion.binomial.forward_kernel",
    "diffusion.binomial.sample",
)
def forward_step_in_words():
    """The step of the package against Table App.1 put into words: shrink and add noise;
    keep a bit or toss it anew."""
    x = np.array([-1.5, 0.2, 3.0])
    noise = np.array([0.3, -2.0, 1.1])
    for beta in BETA:
        after = gaussian.sample(*gaussian.forward_kernel(x, beta), noise)
        agree(after, x * np.sqrt(1 - beta) + noise * np.sqrt(beta))
        for bit in (0, 1):
            kept_or_tossed = (1 - beta) * bit + beta * RHO
            rate = value(binomial.forward_kernel(bit, beta, RHO))
            agree(rate, kept_or_tossed)
            u = np.array([kept_or_tossed - 1e-6, kept_or_tossed + 1e-6])
            agree(binomial.sample(rate, u), [1, 0])


@equation(
    3,
    r"q(\mathbf x^{(0 \dots T)}) = q(\mathbf x^{(0)}) \prod_{t=1}^{T} q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})",
    "forward",
    "diffusion.gaussian.marginal",
    "diffusion.binomial.marginal",
    "diffusion.schedule.beta_cumulative",
    "sampler.forward_trajectory",
)
def forward_trajectory_is_a_product():
    """The product of single steps, summed over all states in between, against the one
    jump of the package; walkers on a line against the jump with their summed noise."""
    from dpm.diffusion import schedule

    states = exact.bit_strings(2)
    q0 = np.array([0.1, 0.2, 0.3, 0.4])
    world = exact.bits_world(q0, BETA, RHO)
    paths = world.trajectories()
    q = q0[paths[:, 0]] * np.exp(world.log_q_steps(paths).sum(axis=0))
    agree(q.sum(), 1.0)
    total = value(schedule.beta_cumulative(np.array(BETA)))
    agree(total, 1 - np.cumprod(1 - np.array(BETA)))
    for t, b in enumerate(total, start=1):
        rates = value(binomial.marginal(states, b, RHO))  # (4, 2)
        jump = np.where(states[:, None] == 1, rates, 1 - rates).prod(axis=-1)
        summed = np.zeros((4, 4))
        np.add.at(summed, (paths[:, t], paths[:, 0]), q)
        agree(summed, jump * q0)
    noise = np.random.default_rng(0)
    walk = dict(sampler.forward_trajectory(np.full((3, 1), 1.5), BETA, noise))
    mu, sigma = (value(v) for v in gaussian.marginal(1.5, total[-1]))
    draws, x = np.random.default_rng(0), 0.0
    for beta in BETA:
        x = x * np.sqrt(1 - beta) + draws.standard_normal((3, 1)) * np.sqrt(beta)
    agree(walk[3], mu + x)
    weights = [b * np.prod(1 - np.array(BETA[i + 1 :])) for i, b in enumerate(BETA)]
    agree(sigma**2, sum(weights))


@equation(
    4,
    r"p(\mathbf x^{(T)}) = \pi(\mathbf x^{(T)})",
    "reverse",
    "diffusion.gaussian.log_prob",
    "exact.world.World",
)
def reverse_trajectory_starts_at_pi():
    """Where the forward trajectory ends, for any data, against pi, where the reverse one
    starts."""
    grid = exact.line(81, 6.0)
    beta = np.full(40, 0.35)
    world = exact.line_world(exact.two_modes(grid), beta, grid)
    pi = np.exp(value(gaussian.log_prob(grid, 0.0, 1.0))) * world.cell
    agree(world.p(world.T), pi, 1e-8)
    agree(world.q(world.T), pi, 1e-6)


@equation(
    5,
    r"p(\mathbf x^{(0 \dots T)}) = p(\mathbf x^{(T)}) \prod_{t=1}^{T} p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})",
    "reverse",
    "exact.world.World",
    "diffusion.binomial.posterior",
)
def reverse_trajectory_is_a_product():
    """The product over all trajectories, summed over all but x^(t), against the walk of
    matrices; and for a single possible data point, where the perfect reverse step is
    the posterior of the package, against the forward trajectory."""
    from dpm.diffusion import schedule

    world = exact.bits_world(np.array([0.1, 0.2, 0.3, 0.4]), BETA, RHO)
    paths = world.trajectories()
    p = world.pi[paths[:, -1]] * np.exp(world.log_p_steps(paths).sum(axis=0))
    for t in range(world.T + 1):
        agree(np.bincount(paths[:, t], p), world.p(t))
    total = value(schedule.beta_cumulative(np.array(BETA)))
    q = [value(binomial.marginal(1.0, b, RHO)) for b in total]
    for t in (2, 3):  # x^(t-1) from x^t, both values of a bit that began as 1
        rates = value(
            binomial.posterior(
                1.0, np.array([0.0, 1.0]), BETA[t - 1], total[t - 2], RHO
            )
        )
        agree(rates @ [1 - q[t - 1], q[t - 1]], q[t - 2])
