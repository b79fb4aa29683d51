"""The worlds of Eqs. 10 to 15 and 37 to 51, built by hand: two bits, and the line."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from dpm import exact
from dpm.diffusion import binomial, bound, gaussian, schedule
from dpm.ledger.entries import value

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
    """Sum from t = `first` of E[log p(x^(t-1)|x^t) - log q(x^t|x^(t-1))], by hand."""
    return sum(b.q @ (b.log_p[t] - b.log_q[t]) for t in range(first - 1, T))


def conditional(b, *times, given):
    """q(states at `times` | states at `given`) of every trajectory, by counting."""
    number = lambda columns: sum(b.paths[:, t] * 4**t for t in columns)  # noqa: E731
    both, alone = number({*times, *given}), number(given)
    return np.bincount(both, b.q)[both] / np.bincount(alone, b.q)[alone]


def entropies(b):
    """The package's entropies of the two bits."""
    return bound.binomial_entropies(b.X, BETA, schedule.beta_cumulative(BETA), RHO)


def divergences(b, by_log_odds=False):
    """The package's divergences of Eq. 14, averaged over x^0 and x^t: (T-1,)."""
    total = value(schedule.beta_cumulative(BETA))
    beta, before = BETA[1:, None, None, None], total[:-1, None, None, None]
    x0, x_t = b.states[:, None], b.states[None]  # (x^0, x^t, bit), below a row for t
    given, rates = (x0[None], x_t[None], beta, before, RHO), b.rates[:, None]
    if by_log_odds:
        posterior = binomial.posterior_log_odds(*given)
        kl = value(binomial.kl_log_odds(posterior, binomial.log_odds(rates)))
    else:
        kl = value(binomial.kl(binomial.posterior(*given), rates))
    kl = kl.sum(axis=-1)
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
