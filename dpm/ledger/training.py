"""Checks of Eqs. 10 to 15 and 37 to 51: the likelihood, its bound and its rewritings."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from dpm import binomial, bound, exact, gaussian, schedule
from dpm.ledger import agree, equation, holds, value

CHAPTER = "training"
BETA = np.array([0.2, 0.4, 0.3])
T = len(BETA)
LEFT = np.cumprod(1 - BETA)  # what is left of the signal after each step
RHO = 0.3
MATCHED = (12, 3, 1, 4)  # how often 00, 01, 10, 11 occur: 30% of these bits are 1
OTHER = (3, 5, 2, 10)  # and 67.5% of these
LOG_ODDS = np.log((1 - RHO) / RHO)


@cache
def bits(counts):
    """Two bits: data, a reverse chain of independent bits, and every trajectory.

    The first reverse step is the forward kernel (Eq. 44), the others have rates that
    were drawn at random. ``q`` is the probability of each trajectory.
    """
    states = exact.bit_strings(2)
    rates = np.random.default_rng(0).uniform(0.1, 0.9, (T - 1, 4, 2))  # by t-2, x^t
    data = exact.bits_world(np.array(counts) / sum(counts), BETA, RHO)
    steps = [np.where(states[:, None] == 1, r, 1 - r).prod(axis=-1) for r in rates]
    world = exact.World(data.q0, data.forward, data.pi, [data.forward[0], *steps])
    paths = world.trajectories()
    log_q = world.log_q_steps(paths)
    log_pi = np.log(np.where(states == 1, RHO, 1 - RHO)).sum(axis=1)
    return SimpleNamespace(
        X=np.repeat(states, counts, axis=0),
        world=world,
        states=states,
        rates=rates,
        paths=paths,
        q=world.q0[paths[:, 0]] * np.exp(log_q.sum(axis=0)),
        log_q=log_q,
        log_p=world.log_p_steps(paths),
        log_pi=log_pi[paths].T,  # (T+1, trajectories): pi of every state passed
        entropy_of_pi=-2 * (RHO * np.log(RHO) + (1 - RHO) * np.log(1 - RHO)),
    )


def ratios(b, first=1):
    """Sum over t from `first` of E[log p(x^(t-1)|x^t) - log q(x^t|x^(t-1))], by hand."""
    return sum(b.q @ (b.log_p[t] - b.log_q[t]) for t in range(first - 1, T))


def conditional(b, *times, given):
    """q(states at `times` | states at `given`) of every trajectory, by counting."""
    number = lambda columns: sum(b.paths[:, t] * 4**t for t in columns)  # noqa: E731
    both, alone = number({*times, *given}), number(given)
    return np.bincount(both, b.q)[both] / np.bincount(alone, b.q)[alone]


def entropies(b):
    """The package's entropies of the two bits."""
    return bound.binomial_entropies(b.X, BETA, schedule.beta_cumulative(BETA), RHO)


def divergences(b):
    """The package's divergences of Eq. 14, averaged over x^0 and x^t: (T-1,)."""
    total = value(schedule.beta_cumulative(BETA))
    beta, before = BETA[1:, None, None, None], total[:-1, None, None, None]
    x0, x_t = b.states[:, None], b.states[None]  # (x^0, x^t, bit), below a row for t
    posterior = binomial.posterior(x0[None], x_t[None], beta, before, RHO)
    kl = value(binomial.kl(posterior, b.rates[:, None])).sum(axis=-1)
    pairs = [np.bincount(b.paths[:, 0] * 4 + x, b.q) for x in b.paths.T[2:]]
    return np.array([q @ row.ravel() for q, row in zip(pairs, kl, strict=True)])


@cache
def line():
    """Data of zero mean and unit variance on a grid, and a Gaussian reverse chain."""
    grid = exact.line(81, 6.0)
    return exact.line_world(exact.two_modes(grid), BETA, grid)


X = np.linspace(-8.0, 8.0, 161)
CELL = X[1] - X[0]


def log_normal(x, mu, sigma):
    """Log density of a normal distribution, written out."""
    return -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))


def f(t):
    """Mean and deviation of some Gaussian reverse step, at every point of X."""
    return np.tanh(X) + 0.1 * t * X, 0.5 + 0.05 * t + 0.1 * np.cos(X)


def coin(x0):
    """Everything of Eq. 38 for Gaussian diffusion from the number `x0`, by integrals.

    The average over x0 = 1 and x0 = -1 is data of zero mean and unit variance.
    ``terms[t-1]`` is the mean of log p/q of step t, ``divergence[t-2]`` that of
    log q(x^(t-1)|x^t,x^0) - log p(x^(t-1)|x^t), ``q[t-1]`` the density at time t.
    """
    root = np.sqrt(1 - BETA)
    q = [np.exp(log_normal(X, x0 * root[0], np.sqrt(BETA[0])))]
    back = log_normal(x0, X * root[0], np.sqrt(BETA[0]))
    terms, divergence = [CELL * q[0] @ (back - np.log(q[0]))], []
    for t in range(2, T + 1):
        log_step = log_normal(X, X[:, None] * root[t - 1], np.sqrt(BETA[t - 1]))
        joint = q[-1][:, None] * np.exp(log_step)  # (x^(t-1), x^t)
        log_p = log_normal(X[:, None], *f(t))
        terms.append(CELL**2 * np.sum(joint * (log_p - log_step)))
        before, after = q[-1], CELL * joint.sum(axis=0)
        log_posterior = np.log(before)[:, None] + log_step - np.log(after)
        divergence.append(CELL**2 * np.sum(joint * (log_posterior - log_p)))
        q.append(after)
    return SimpleNamespace(q=q, terms=np.array(terms), divergence=np.array(divergence))


def gaussian_divergences(x0, q):
    """The package's divergences of Eq. 14, averaged over x^t with densities q."""
    before = value(schedule.beta_cumulative(BETA))[:-1, None]
    mu, sigma = (np.array(v) for v in zip(*map(f, range(2, T + 1)), strict=True))
    posterior = gaussian.posterior(x0, X, BETA[1:, None], before)  # (t, x^t)
    kl = value(gaussian.kl(*posterior, mu, sigma))
    return CELL * np.sum(np.array(q[1:]) * kl, axis=1)


def differential_entropy(density, cell):
    """Entropy of a density by an integral."""
    return -cell * np.sum(density * np.log(np.maximum(density, 1e-300)))


@equation(
    10,
    r"L = \int d\mathbf x^{(0)} \, q(\mathbf x^{(0)}) \log p(\mathbf x^{(0)})",
    CHAPTER,
    "exact.World.log_likelihood",
    "bound.null_log_likelihood",
    "bound.to_bits",
)
def log_likelihood():
    """L of a world against the model's probabilities summed over every trajectory; and
    L of pi as the model, for data of unit variance and, in bits, for fair coins."""
    b = bits(OTHER)
    p = np.exp(b.log_pi[T] + b.log_p.sum(axis=0))
    p = np.bincount(b.paths[:, 0], p)
    agree(b.world.log_likelihood(), np.array(OTHER) @ np.log(p) / sum(OTHER))
    world = line()
    of_pi = exact.World(world.q0, world.forward, world.pi, world.forward, world.cell)
    agree(bound.null_log_likelihood(1), of_pi.log_likelihood(), 1e-6)
    agree(bound.null_log_likelihood(3), 3 * of_pi.log_likelihood(), 1e-6)
    coins = exact.bits_world(np.full(8, 1 / 8), BETA)
    agree(bound.to_bits(coins.log_likelihood()), -3)


@equation(
    11,
    r"\begin{aligned} L = \int d\mathbf x^{(0)} \, q(\mathbf x^{(0)}) \log \Bigg( & \int d\mathbf x^{(1 \dots T)} \, q(\mathbf x^{(1 \dots T)} \mid \mathbf x^{(0)}) \, p(\mathbf x^{(T)}) \\ & \prod_{t=1}^{T} \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \Bigg) \end{aligned}",
    CHAPTER,
    "exact.World.log_likelihood",
    "bound.log_weight",
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
    "exact.World.lower_bound",
    "exact.World.log_likelihood",
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
    "exact.World.log_likelihood",
    "exact.World.lower_bound",
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
    r"\begin{aligned} K = & -\sum_{t=2}^{T} \int d\mathbf x^{(0)} d\mathbf x^{(t)} \, q(\mathbf x^{(0)}, \mathbf x^{(t)}) \, D_{KL}\left( q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)}) \,\middle\|\, p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) \right) \\ & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "bound.lower_bound",
    "bound.gaussian_entropies",
    "bound.binomial_entropies",
    "gaussian.posterior",
    "gaussian.kl",
    "gaussian.entropy",
    "binomial.posterior",
    "binomial.kl",
    "binomial.entropy",
    "schedule.beta_cumulative",
)
def bound_in_closed_form():
    """K from the package's divergences and entropies, for bits against Eq. 12 summed
    over trajectories, for numbers against Eq. 38 integrated numerically; from single
    terms of the sum it is right on average."""
    b = bits(MATCHED)
    kl = value(divergences(b))
    K = b.q @ b.log_pi[T] + ratios(b)
    agree(bound.lower_bound(kl, entropies(b)), K)
    single = [
        value(bound.lower_bound(kl[[t]], entropies(b), T - 1)) for t in range(T - 1)
    ]
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
    "exact.World.lower_bound",
    "exact.independent_bits",
    "exact.moment_matched_gaussian",
    "binomial.kl",
    "gaussian.kl",
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


@equation(
    37,
    r"L \ge K",
    CHAPTER,
    "exact.World.log_likelihood",
    "exact.World.lower_bound",
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
    "exact.World.lower_bound",
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
    "exact.World.lower_bound",
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
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \left( \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \right) \\ & + \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log p(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.lower_bound",
    "exact.World.mean",
    "exact.World.log_ratio",
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
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \\ & + \int d\mathbf x^{(T)} \, q(\mathbf x^{(T)}) \log p(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.lower_bound",
    "exact.World.q",
    "exact.World.p",
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
    r"\begin{aligned} K = & \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \sum_{t=1}^{T} \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \\ & + \int d\mathbf x^{(T)} \, q(\mathbf x^{(T)}) \log \pi(\mathbf x^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.lower_bound",
    "bound.binomial_entropies",
    "bound.gaussian_entropies",
    "binomial.entropy",
    "gaussian.entropy",
    "schedule.beta_cumulative",
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
    "exact.World.lower_bound",
    "bound.binomial_entropies",
    "bound.gaussian_entropies",
    "bound.null_log_likelihood",
    "gaussian.entropy",
    "binomial.entropy",
    "schedule.beta_cumulative",
)
def cross_entropy_to_pi():
    """With the entropy of pi for the last term: equal to K for bits of pi's mean
    activity and numbers of unit variance, and off by the predicted amount for others."""
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
    "gaussian.forward_kernel",
    "gaussian.log_prob",
    "binomial.forward_kernel",
    "binomial.log_prob",
    "exact.bits_world",
)
def first_reverse_step():
    """The forward kernel from x^1 to x^0 against the one from x^0 to x^1 times the ratio
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
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(t-1)})} \\ & + \int d\mathbf x^{(0)} d\mathbf x^{(1)} \, q(\mathbf x^{(0)}, \mathbf x^{(1)}) \log \frac{q(\mathbf x^{(1)} \mid \mathbf x^{(0)}) \, \pi(\mathbf x^{(0)})}{q(\mathbf x^{(1)} \mid \mathbf x^{(0)}) \, \pi(\mathbf x^{(1)})} - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.lower_bound",
    "exact.World.mean",
    "bound.binomial_entropies",
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
    "exact.World.lower_bound",
    "bound.binomial_entropies",
    "bound.gaussian_entropies",
    "schedule.beta_cumulative",
)
def first_step_left_out():
    """Equal to K for bits of pi's activity, and on a line for data of unit variance; for
    other bits off by the predicted amount."""
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
    "exact.World.lower_bound",
    "exact.World.log_q_steps",
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
    r"K = \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \left[ \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \, \frac{q(\mathbf x^{(t-1)} \mid \mathbf x^{(0)})}{q(\mathbf x^{(t)} \mid \mathbf x^{(0)})} \right] - H_p(\mathbf X^{(T)})",
    CHAPTER,
    "binomial.posterior",
    "binomial.marginal",
    "gaussian.posterior",
    "schedule.beta_cumulative",
    "exact.World.posterior",
    "exact.World.jump",
    "exact.World.lower_bound",
)
def bayes():
    """The package's posterior and marginals against those counted from all trajectories,
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
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \\ & + \sum_{t=2}^{T} \left[ H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) \right] - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.H",
    "exact.World.lower_bound",
    "bound.binomial_entropies",
    "bound.gaussian_entropies",
    "binomial.entropy",
    "gaussian.entropy",
)
def marginals_as_entropies():
    """Entropies given the data, of the world and of the package, against mean logarithms
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
    r"\begin{aligned} K = & \sum_{t=2}^{T} \int d\mathbf x^{(0 \dots T)} \, q(\mathbf x^{(0 \dots T)}) \log \frac{p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)})}{q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)})} \\ & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "exact.World.H",
    "exact.World.mean",
    "exact.World.posterior",
    "exact.World.lower_bound",
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
    r"\begin{aligned} K = & -\sum_{t=2}^{T} \int d\mathbf x^{(0)} d\mathbf x^{(t)} \, q(\mathbf x^{(0)}, \mathbf x^{(t)}) \, D_{KL}\left( q(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}, \mathbf x^{(0)}) \,\middle\|\, p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) \right) \\ & + H_q(\mathbf X^{(T)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(1)} \mid \mathbf X^{(0)}) - H_p(\mathbf X^{(T)}) \end{aligned}",
    CHAPTER,
    "binomial.kl",
    "binomial.posterior",
    "gaussian.kl",
    "gaussian.posterior",
    "schedule.beta_cumulative",
    "bound.lower_bound",
)
def divergences_of_each_step():
    """The package's divergence of every step against the mean log ratio of posterior and
    reverse step over all trajectories, and over a fine grid for numbers; the bits' K."""
    b = bits(MATCHED)
    kl = divergences(b)
    for t in range(2, T + 1):
        posterior = np.log(conditional(b, t - 1, given=[0, t]))
        agree(kl[t - 2], b.q @ (posterior - b.log_p[t - 1]))
    agree(bound.lower_bound(kl, entropies(b)), b.world.lower_bound())
    for x0 in (-1.0, 0.4):
        c = coin(x0)
        agree(gaussian_divergences(x0, c.q), c.divergence, 1e-8)
