"""Checks of Eqs. 16 to 23: distributions multiplied into the reverse trajectory."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from dpm import exact, sampler
from dpm.diffusion import binomial, factors, gaussian
from dpm.ledger.entries import agree, equation, holds, value

CHAPTER = "multiplying"
BETA = (0.1, 0.2, 0.3, 0.4, 0.5)


@cache
def small_world():
    """A line, a reverse chain, a factor r, and everything of Eq. 16 by plain sums."""
    grid = exact.line(61, 5.0)
    world = exact.line_world(exact.two_modes(grid), BETA, grid)
    r = np.exp(-((grid - 0.3) ** 2) / 2)
    p = [world.pi]
    for kernel in world.reverse[::-1]:
        p.insert(0, np.array([sum(row * p[0]) for row in kernel]))
    Z = [float(sum(p_t * r)) for p_t in p]
    p_tilde = [p_t * r / Z_t for p_t, Z_t in zip(p, Z, strict=True)]
    return grid, world, r, p, Z, p_tilde


def step_21(t):
    """The step of Eq. 21 that leads to x^t, from its formula."""
    _, world, r, _, Z, _ = small_world()
    return world.reverse[t] * Z[t + 1] / Z[t] * r[:, None] / r[None, :]


@equation(
    16,
    r"\tilde p(\mathbf x^{(t)}) = \frac{1}{\tilde Z_t} \, p(\mathbf x^{(t)}) \, r(\mathbf x^{(t)})",
    CHAPTER,
    "diffusion.gaussian.product",
    "diffusion.gaussian.log_prob",
    "diffusion.binomial.product",
    "exact.world.World.multiplied",
)
def modified_marginals():
    """The start of the modified chain, and the product of two Gaussians and of two
    distributions over bits, against products normalised by sums."""
    grid, world, r, _, _, p_tilde = small_world()
    agree(world.multiplied(r).p(world.T), p_tilde[world.T])
    fine = np.linspace(-9, 9, 1801)
    for mu, sigma in ((0.0, 1.0), (-0.8, 0.6)):
        log_p = value(gaussian.log_prob(fine, mu, sigma))
        log_r = value(gaussian.log_prob(fine, 0.3, 0.9))
        by_hand = exact.normalize(np.exp(log_p + log_r)) / (fine[1] - fine[0])
        moments = gaussian.product(mu, sigma, 0.3, 0.9)
        agree(np.exp(value(gaussian.log_prob(fine, *moments))), by_hand)
        agree(moments[0], 0.01 * np.sum(by_hand * fine), 1e-9)
    for c, d in ((0.3, 0.9), (0.5, 0.2)):
        by_hand = c * d / (c * d + (1 - c) * (1 - d))
        agree(binomial.product(c, d), by_hand)


@equation(
    17,
    r"p(\mathbf x^{(t)}) = \int d\mathbf x^{(t+1)} \, p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, p(\mathbf x^{(t+1)})",
    CHAPTER,
    "exact.world.World.p",
)
def equilibrium_of_the_reverse_chain():
    """Marginals of the reverse chain against sums over every trajectory, and over the
    state one step later."""
    _, world, _, p, _, _ = small_world()
    for t in range(world.T):
        agree(world.p(t), p[t])
    bits = exact.bits_world(np.array([0.1, 0.2, 0.3, 0.4]), (0.2, 0.5, 0.3), 0.3)
    paths = bits.trajectories()
    weight = bits.pi[paths[:, -1]] * np.exp(bits.log_p_steps(paths).sum(axis=0))
    for t in range(bits.T):
        agree(bits.p(t), np.bincount(paths[:, t], weight))


@equation(
    18,
    r"\tilde p(\mathbf x^{(t)}) = \int d\mathbf x^{(t+1)} \, \tilde p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, \tilde p(\mathbf x^{(t+1)})",
    CHAPTER,
    "exact.world.World.multiplied",
    "exact.world.World.expected",
)
def equilibrium_of_the_modified_chain():
    """With r at time t the mean of r(x^0) given x^t, the steps of the package lead from
    each modified marginal to the next, and end in p(x^0) r(x^0)."""
    _, world, r, p, _, p_tilde = small_world()
    r_t = [r]
    for kernel in world.reverse:
        r_t.append(np.array([sum(column * r_t[-1]) for column in kernel.T]))
    agree(world.expected(r), r_t)
    modified = world.multiplied(world.expected(r))
    for t in range(world.T):
        marginal = p[t] * r_t[t] / sum(p[t] * r_t[t])
        agree(modified.reverse[t] @ modified.p(t + 1), marginal)
    agree(modified.p(0), p_tilde[0])


@equation(
    19,
    r"\frac{p(\mathbf x^{(t)}) \, r(\mathbf x^{(t)})}{\tilde Z_t} = \int d\mathbf x^{(t+1)} \, \tilde p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, \frac{p(\mathbf x^{(t+1)}) \, r(\mathbf x^{(t+1)})}{\tilde Z_{t+1}}",
    CHAPTER,
    "exact.world.World.p",
)
def equilibrium_written_out():
    """Both sides on the grid, with the step of Eq. 21, at every t."""
    _, world, r, _, Z, _ = small_world()
    for t in range(world.T):
        right = step_21(t) @ (world.p(t + 1) * r / Z[t + 1])
        agree(world.p(t) * r / Z[t], right)


@equation(
    20,
    r"p(\mathbf x^{(t)}) = \int d\mathbf x^{(t+1)} \, \tilde p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, \frac{\tilde Z_t \, r(\mathbf x^{(t+1)})}{\tilde Z_{t+1} \, r(\mathbf x^{(t)})} \, p(\mathbf x^{(t+1)})",
    CHAPTER,
    "exact.world.World.p",
)
def equilibrium_solved_for_p():
    """Both sides on the grid, with the step of Eq. 21, at every t."""
    _, world, r, _, Z, _ = small_world()
    for t in range(world.T):
        ratio = Z[t] * r[None, :] / (Z[t + 1] * r[:, None])
        agree(world.p(t), (step_21(t) * ratio) @ world.p(t + 1))


@equation(
    21,
    r"\tilde p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) = p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, \frac{\tilde Z_{t+1} \, r(\mathbf x^{(t)})}{\tilde Z_t \, r(\mathbf x^{(t+1)})}",
    CHAPTER,
    "exact.world.World.multiplied",
    "exact.world.World.expected",
)
def modified_step_not_normalised():
    """Columns of Eq. 21's step do not sum to one for constant r; they do, and are the
    package's step, where r at time t is the mean of r(x^0) given x^t."""
    _, world, r, p, _, _ = small_world()
    holds(np.ptp(step_21(2).sum(axis=0)) > 0.1)
    r_t = world.expected(r)
    Z = [float(sum(p[t] * r_t[t])) for t in range(world.T + 1)]
    modified = world.multiplied(r_t)
    for t in range(world.T):
        step = world.reverse[t] * Z[t + 1] / Z[t]
        step = step * r_t[t][:, None] / r_t[t + 1][None, :]
        agree(step.sum(axis=0), 1.0)
        agree(modified.reverse[t], step)


@equation(
    22,
    r"\tilde p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) = \frac{1}{\tilde Z_t(\mathbf x^{(t+1)})} \, p(\mathbf x^{(t)} \mid \mathbf x^{(t+1)}) \, r(\mathbf x^{(t)})",
    CHAPTER,
    "exact.world.World.multiplied",
    "diffusion.gaussian.product",
    "diffusion.gaussian.log_prob",
    "diffusion.binomial.product",
)
def modified_step():
    """The modified chain's steps against each column times r over its sum; a Gaussian
    step times a Gaussian, and independent bits times a factor a bit, likewise."""
    grid, world, r, _, _, _ = small_world()
    modified = world.multiplied(r)
    for t in range(world.T):
        column = world.reverse[t][:, 20] * r
        agree(modified.reverse[t][:, 20], column / sum(column))
    mu, sigma = np.array([-1.0, 0.5]), 0.5
    step = np.exp(value(gaussian.log_prob(grid[:, None], mu, sigma)))
    log_product = gaussian.log_prob(
        grid[:, None], *gaussian.product(mu, sigma, 0.3, 1.0)
    )
    by_hand = exact.normalize(step * r[:, None])
    agree(exact.normalize(np.exp(value(log_product))), by_hand)
    states = exact.bit_strings(3)
    c, d = np.array([0.2, 0.5, 0.9]), np.array([0.7, 0.1, 0.6])
    joint = np.where(states == 1, c * d, (1 - c) * (1 - d)).prod(axis=1)
    agree(binomial.product(c, d), states.T @ (joint / joint.sum()))


@equation(
    23,
    r"r(\mathbf x^{(t)}) = r(\mathbf x^{(0)})",
    CHAPTER,
    "sampler.reverse_trajectory",
    "diffusion.factors.Exact.apply",
    "diffusion.factors.Exact.raised",
    "diffusion.factors.Fading.start",
    "diffusion.factors.Fading.apply",
    "diffusion.gaussian.product",
    "diffusion.gaussian.power",
    "diffusion.gaussian.sample",
    "diffusion.binomial.product",
    "diffusion.binomial.power",
    "diffusion.binomial.sample",
)
def constant_and_fading_factor():
    """A walk of the sampler with its noise held at one value, with r constant and with
    r to the power (T-t)/T, against a loop that multiplies every step by hand."""
    T = len(BETA)
    for fading in (False, True):
        model, half, y, s = still_model(T, gaussian, (0.0, 1.0)), 0.5, 0.4, 0.8
        factor = factors.Gaussian(y, s)
        factor = factors.Fading(factor) if fading else factor
        walk = sampler.reverse_trajectory(
            model, 1, FixedNoise(half), factor, get_mu_sigma=half_step
        )
        path = [float(X[0, 0]) for _, X in walk]
        strength = [1 - t / T if fading else 1.0 for t in range(T + 1)]
        m, v, by_hand = 0.0, 1.0, []
        for t in range(T, -1, -1):
            precision = 1 / v + strength[t] / s**2
            mean = (m / v + strength[t] * y / s**2) / precision
            by_hand.append(mean + half * precision**-0.5)
            m, v = by_hand[-1] / 2, 0.3**2
        agree(path, by_hand)
        odds = []
        for t in range(T):
            rate = binomial.power(0.8, 1 - t / T)
            odds.append(rate / (1 - rate))
            mean, sigma = gaussian.power(y, s, 1 - t / T)
            x = np.array([0.0, 1.3])
            log_r = value(gaussian.log_prob(x, mean, sigma))
            agree(np.diff(log_r), (1 - t / T) * (y**2 - (1.3 - y) ** 2) / (2 * s**2))
        agree(np.log(odds), (1 - np.arange(T) / T) * np.log(4.0))
        bits = still_model(T, binomial, (0.3,))
        for u, bit in ((0.62, 1), (0.64, 0)):  # 0.3 against 4 to 1 makes 12/19 = 0.632
            walk = sampler.reverse_trajectory(
                bits, 1, FixedNoise(u), factors.Bits(0.8), get_mu_sigma=half_step
            )
            agree(next(walk)[1], bit)


def still_model(T, kernels, prior):
    """What the sampler asks of a model."""
    return SimpleNamespace(
        sample_shape=(1,),
        trajectory_length=T,
        dtype="float64",
        kernels=kernels,
        prior=prior,
    )


def half_step(X, t):
    """A reverse step that halves the state, with deviation 0.3."""
    return X / 2, 0.3


class FixedNoise:
    """Draws that are all the same number."""

    def __init__(self, number):
        self.number = number

    def standard_normal(self, size):
        return np.full(size, self.number)

    random = standard_normal
