"""Short chains of bits and of numbers, built by hand, for Eqs. 24 to 36."""

from types import SimpleNamespace

import numpy as np

from dpm import exact
from dpm.diffusion import bound, schedule
from dpm.ledger.entries import value

START, BEFORE, AFTER = 0, 1, 2  # x^0, x^(t-1), x^t

BITS_BETA, RHO = (0.2, 0.4, 0.3), 0.3
AS_PI = (61, 6, 12, 21)  # 00, 01, 10, 11 in 100 strings: 0.3 of all bits are 1
FAIR = (25, 25, 25, 25)  # more random than pi
CERTAIN = (0, 0, 100, 0)

LINE_BETA = (0.3, 0.4, 0.5)
GRID = np.linspace(-8.4, 8.4, 113)


def bump(mean, deviation):
    return np.exp(-((GRID - mean) ** 2) / (2 * deviation**2)) / deviation


def flips(beta):
    """The step of two bits in plain words: kept, or drawn anew; column: before."""
    pi = (1 - RHO, RHO)
    one = np.array([[(1 - beta) * (a == b) + beta * pi[a] for b in (0, 1)]
                    for a in (0, 1)])  # fmt: skip
    return np.kron(one, one)


def blur(beta):
    """The step of a number in plain words: shrunk, then blurred; column: before."""
    distance = GRID[:, None] - np.sqrt(1 - beta) * GRID[None, :]
    return exact.normalize(np.exp(-(distance**2) / (2 * beta)))


def chain(q0, kernels, pi, cell=1.0):
    """A world, and the joint q(x^0, x^(t-1), x^t) for t = 2..T by plain sums."""
    q0 = exact.normalize(np.asarray(q0, dtype=float))
    world = exact.World(q0, kernels, pi, cell=cell)
    joints, jump = {}, kernels[0]
    for t, kernel in enumerate(kernels[1:], start=2):
        joints[t] = q0[:, None, None] * jump.T[:, :, None] * kernel.T[None, :, :]
        jump = kernel @ jump
    return SimpleNamespace(world=world, joints=joints, cell=cell)


def bits(counts):
    """Two bits; the joints are sums over every trajectory."""
    kernels = [flips(b) for b in BITS_BETA]
    pi = np.kron((1 - RHO, RHO), (1 - RHO, RHO))
    found = chain(counts, kernels, pi)
    paths = found.world.q0
    for kernel in kernels:
        paths = paths[..., None] * kernel.T  # x^0, x^1, .., x^t
    found.joints = {2: paths.sum(axis=3), 3: paths.sum(axis=1)}
    return found


def line(*bumps):
    """A number with several bumps, given by mean and deviation."""
    q0 = sum(bump(*b) for b in bumps)
    kernels = [blur(b) for b in LINE_BETA]
    return chain(q0, kernels, exact.normalize(bump(0, 1)), GRID[1] - GRID[0])


def two_modes():
    """Zero mean and unit variance, far from a Gaussian."""
    return line((-0.9, np.sqrt(0.19)), (0.9, np.sqrt(0.19)))


def steps(found):
    """(t, H) for t = 2..T, with H(BEFORE, AFTER) the entropy of that pair."""
    for t, joint in found.joints.items():

        def H(*times, joint=joint):
            others = tuple({START, BEFORE, AFTER} - set(times))
            p = joint.sum(axis=others)
            p = p[p > 0]
            return len(times) * np.log(found.cell) - np.sum(p * np.log(p))

        yield t, H


def given(H, what, condition):
    """H(what | condition)."""
    return H(what, condition) - H(condition)


def forgotten_in_one_step(H):
    """I(X^0; X^(t-1) | X^t): what x^(t-1) knows of x^0 that x^t does not."""
    return H(START, AFTER) + H(BEFORE, AFTER) - H(AFTER) - H(START, BEFORE, AFTER)


def of_bits(counts):
    """The package's entropies of the trajectory of two bits."""
    X = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], counts, axis=0)
    total = schedule.beta_cumulative(np.array(BITS_BETA))
    found = bound.binomial_entropies(X, BITS_BETA, total, RHO)
    return bound.Entropies(*map(value, found))


def of_numbers(n_dim=1):
    """The package's entropies of the trajectory of `n_dim` numbers."""
    total = 1 - np.cumprod(1 - np.array(LINE_BETA))
    found = bound.gaussian_entropies(LINE_BETA, total, n_dim)
    return bound.Entropies(*map(value, found))


def three(H):
    """The three numbers of Eq. 24 by sums: step, before, after."""
    pairs = ((AFTER, BEFORE), (BEFORE, START), (AFTER, START))
    return [given(H, *pair) for pair in pairs]
