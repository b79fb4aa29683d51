"""Whole diffusions of a small world: every probability of Eqs. 1 to 51 is a number."""

import itertools

import numpy as np

from dpm.blocks.checks import as_rng, check_choice, check_count, check_trajectory_length
from dpm.diffusion import bound
from dpm.exact.losses import Losses
from dpm.exact.states import (
    binomial_kernel,
    bit_strings,
    entropy,
    gaussian_kernel,
    independent_bits,
    kl,
    moment_matched_gaussian,
    normalize,
    reverse_kernel,
)


class World:
    """A forward and a reverse chain over the same states, with nothing estimated.

    Times are the paper's, t = 0..T. A step t leads from x^(t-1) to x^t.

    Parameters
    ----------
    q0 : array_like, shape (n,)
        Data distribution.
    forward : array_like, shape (T, n, n)
        ``forward[t-1]`` is q(x^t | x^(t-1)), columns indexed by x^(t-1). T at least 2.
    pi : array_like, shape (n,)
        Where the reverse chain starts.
    reverse : array_like, shape (T, n, n), optional
        ``reverse[t-1]`` is p(x^(t-1) | x^t), columns indexed by x^t. Left out, the
        perfect reverse kernels, by Bayes' rule.
    cell : float
        Length of the line that a state stands for; 1 for bits. With it, entropies and
        log likelihoods are those of densities.

    Raises
    ------
    ValueError
        Where shapes do not fit, or a distribution does not sum to one.
    """

    def __init__(self, q0, forward, pi, reverse=None, cell: float = 1.0):
        self.forward = np.asarray(forward, dtype=float)
        self.T = check_trajectory_length(len(self.forward))
        self.q0 = self._distribution(q0, "q0")
        self.pi = self._distribution(pi, "pi")
        self.cell = cell
        self._q = [self.q0]
        self._jump = [np.eye(len(self.q0))]
        for kernel in self._kernels(self.forward, "forward"):
            self._q.append(kernel @ self._q[-1])
        if reverse is None:
            steps = zip(self.forward, self._q, strict=False)
            reverse = _stack((reverse_kernel(*step) for step in steps), self.T)
        self.reverse = np.asarray(reverse, dtype=float)
        self._p = [self.pi]
        for kernel in self._kernels(self.reverse, "reverse")[::-1]:
            self._p.insert(0, kernel @ self._p[0])

    def _distribution(self, p, name):
        p = np.asarray(p, dtype=float)
        if p.shape != self.forward.shape[1:2]:
            raise ValueError(
                f"{name} has shape {p.shape}, but the forward kernels "
                f"{self.forward.shape}: give one probability a state"
            )
        if not (p >= 0).all():
            raise ValueError(
                f"{name} holds {p.min():g}: probabilities are not negative"
            )
        if not np.isclose(p.sum(), 1.0):
            raise ValueError(f"{name} sums to {p.sum():g}: divide it by its sum")
        return p

    def _kernels(self, kernels, name):
        shape = (self.T, len(self.q0), len(self.q0))
        if kernels.shape != shape or not np.allclose(kernels.sum(axis=1), 1.0):
            raise ValueError(
                f"{name} kernels of shape {kernels.shape}: {shape} is needed, and "
                "every column must sum to one"
            )
        return kernels

    def q(self, t: int) -> np.ndarray:
        """q(x^t), shape (n,)."""
        return self._q[t]

    def p(self, t: int) -> np.ndarray:
        """p(x^t), shape (n,): the reverse chain walked from pi (Eq. 17)."""
        return self._p[t]

    def jump(self, t: int) -> np.ndarray:
        """q(x^t | x^0), shape (n, n), columns indexed by x^0."""
        while len(self._jump) <= t:  # matrix products, for those who ask
            kernel = self.forward[len(self._jump) - 1]
            self._jump.append(kernel @ self._jump[-1])
        return self._jump[t]

    def posterior(self, t: int) -> np.ndarray:
        """q(x^(t-1) | x^t, x^0) by Bayes' rule, indexed [x^(t-1), x^t, x^0].

        Zero where x^t cannot be reached from x^0.
        """
        joint = self._triple(t)
        return joint / np.maximum(joint.sum(axis=0), np.finfo(float).tiny)

    def _triple(self, t):
        """q(x^(t-1), x^t | x^0), indexed [x^(t-1), x^t, x^0]."""
        return self.forward[t - 1].T[:, :, None] * self.jump(t - 1)[:, None, :]

    def mean(self, t: int, f) -> float:
        """Average of f over the forward trajectory, around step t.

        Parameters
        ----------
        t : int
            1..T.
        f : ndarray
            Values indexed [x^(t-1), x^t] or [x^(t-1), x^t, x^0].
        """
        if np.ndim(f) == 2:
            weights = self.forward[t - 1].T * self.q(t - 1)[:, None]
        else:
            weights = self._triple(t) * self.q0
        f = np.broadcast_to(f, weights.shape)
        return float(np.sum(weights * np.where(weights > 0, f, 0.0)))

    def log_ratio(self, t: int) -> np.ndarray:
        """log p(x^(t-1) | x^t) - log q(x^t | x^(t-1)), indexed [x^(t-1), x^t]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self.reverse[t - 1]) - np.log(self.forward[t - 1].T)

    def log_likelihood(self) -> float:
        """L of Eq. 10, in nats."""
        with np.errstate(divide="ignore"):
            log_p = np.log(self.p(0) / self.cell)
        return float(self.q0 @ np.where(self.q0 > 0, log_p, 0.0))

    def lower_bound(self) -> float:
        """K as Eq. 12 defines it, in nats, without any of the later rewritings."""
        K = self.q(self.T) @ np.log(self.pi / self.cell)
        return float(K + sum(self.mean(t, self.log_ratio(t)) for t in self.times))

    def losses(self) -> Losses:
        """What lies between -H_q(X^0) and `lower_bound`, step by step, in nats."""
        steps = []
        for t, kernel in zip(self.times, self.forward, strict=True):
            true = reverse_kernel(kernel, self.q(t - 1))
            steps.append(float(kl(true, self.reverse[t - 1]) @ self.q(t)))
        mismatch = float(kl(self.q(self.T), self.pi))
        return Losses(-self.H(0), steps[0], np.array(steps[1:]), 0.0, mismatch)

    @property
    def times(self) -> range:
        """The steps 1..T."""
        return range(1, self.T + 1)

    def H(self, t: int, given: int | None = None) -> float:
        """Entropy H_q(X^t), or H_q(X^t | X^given), in nats.

        Parameters
        ----------
        t : int
        given : int, optional
            0 (the data), t-1 (a forward step), or t+1 (a reverse step). H_q(X^0 | X^t)
            is had by ``H(0, given=t)``.
        """
        if given is None:
            return float(entropy(self.q(t), self.cell))
        if given == t - 1:
            kernel, weights = self.forward[t - 1], self.q(given)
        elif given == 0:
            kernel, weights = self.jump(t), self.q0
        elif t == 0:
            kernel, weights = reverse_kernel(self.jump(given), self.q0), self.q(given)
        elif given == t + 1:
            kernel = reverse_kernel(self.forward[t], self.q(t))
            weights = self.q(given)
        else:
            raise ValueError(f"H(X^{t} | X^{given}) is not one that the paper uses")
        return float(entropy(kernel, self.cell) @ weights)

    def trajectories(self) -> np.ndarray:
        """Every trajectory x^0..x^T as state numbers, shape (n^(T+1), T+1)."""
        n = len(self.q0)
        if n ** (self.T + 1) > 5_000_000:
            raise ValueError(
                f"{n} states and T = {self.T} make {n ** (self.T + 1):.2g} "
                "trajectories: take fewer of either"
            )
        return np.indices((n,) * (self.T + 1)).reshape(self.T + 1, -1).T

    def draw(self, start: int, n: int, rng) -> np.ndarray:
        """n forward trajectories from state number `start`, shape (n, T+1)."""
        paths, rng = np.full((check_count(n, "n", 1), 1), start), as_rng(rng)
        for kernel in self.forward:
            before, which = np.unique(paths[:, -1], return_inverse=True)
            edges = kernel[:, before].cumsum(axis=0)[:, which]
            after = (rng.random(n) * edges[-1] >= edges).sum(axis=0)
            paths = np.hstack([paths, after[:, None]])
        return paths

    def log_q_steps(self, paths) -> np.ndarray:
        """log q(x^t | x^(t-1)) along trajectories, shape (T, n)."""
        pairs = zip(self.forward, paths.T[:-1], paths.T[1:], strict=True)
        return np.log([kernel[after, before] for kernel, before, after in pairs])

    def log_p_steps(self, paths) -> np.ndarray:
        """log p(x^(t-1) | x^t) along trajectories, shape (T, n)."""
        pairs = zip(self.reverse, paths.T[:-1], paths.T[1:], strict=True)
        return np.log([kernel[before, after] for kernel, before, after in pairs])

    def log_weight(self, paths) -> np.ndarray:
        """`dpm.diffusion.bound.log_weight` of trajectories (n, T+1), shape (n,)."""
        return bound.log_weight(
            np.log(self.pi[paths[:, -1]] / self.cell),
            self.log_p_steps(paths),
            self.log_q_steps(paths),
        )

    def multiplied(self, r) -> "World":
        """The chain whose reverse steps are multiplied by r and normalised (Eq. 22).

        Parameters
        ----------
        r : array_like, shape (n,) or (T+1, n)
            r(x), the same at all times (Eq. 23), or r(x^t) for t = 0..T.

        Returns
        -------
        World
            The same data and forward kernels, another reverse chain. Its start is
            p(x^T) r(x^T), normalised.
        """
        r = np.broadcast_to(r, (self.T + 1, len(self.q0)))
        if not (np.isfinite(r).all() and (r >= 0).all()):
            raise ValueError("r must be finite and nowhere negative")
        steps = zip(self.reverse, r, strict=False)
        reverse = _stack(
            (normalize(kernel * r_t[:, None]) for kernel, r_t in steps), self.T
        )
        start = normalize(self.pi * r[-1])
        return World(self.q0, self.forward, start, reverse, self.cell)

    def expected(self, r) -> np.ndarray:
        """The mean of r(x^0) given x^t under p, for t = 0..T, shape (T+1, n).

        Multiplying by these, in place of r itself at all times, makes `multiplied`
        exact: its x^0 is distributed as p(x^0) r(x^0), normalised.
        """
        rows = [np.asarray(r, dtype=float)]
        for kernel in self.reverse:
            rows.append(rows[-1] @ kernel)
        return np.array(rows)


def bits_world(q0, beta, rho: float = 0.5, reverse: str = "independent") -> World:
    """All 2^n strings of n bits under binomial diffusion.

    Parameters
    ----------
    q0 : array_like, shape (2^n,)
        Distribution over `bit_strings`.
    beta : array_like, shape (T,)
    rho : float
    reverse : {"independent", "perfect"}
        Reverse kernels: independent bits with the true rates, or Bayes' rule. The step
        from x^1 to x^0 is the forward kernel, as Appendix B.2 has it, unless perfect.
    """
    states = bit_strings(int(np.log2(len(q0))))
    forward = _stack((binomial_kernel(states, b, rho) for b in beta), len(beta))
    pi = np.where(states == 1, rho, 1.0 - rho).prod(axis=1)
    return _world(q0, forward, pi, lambda p: independent_bits(p, states), reverse, 1.0)


def line_world(q0, beta, grid, reverse: str = "gaussian") -> World:
    """A grid on the line under Gaussian diffusion.

    Parameters
    ----------
    q0 : array_like, shape (n,)
        Distribution over the grid.
    beta : array_like, shape (T,)
    grid : ndarray, shape (n,)
        Equally spaced; see `line`.
    reverse : {"gaussian", "perfect"}
        Reverse kernels: Gaussians with the true mean and variance, or Bayes' rule. The
        step from x^1 to x^0 is the forward kernel, as Appendix B.2 has it, unless
        perfect.
    """
    forward = _stack((gaussian_kernel(grid, b) for b in beta), len(beta))
    pi = normalize(np.exp(-(grid**2) / 2))
    cell = float(grid[1] - grid[0])
    match = lambda p: normalize(moment_matched_gaussian(p, grid))  # noqa: E731
    return _world(q0, forward, pi, match, reverse, cell)


def _world(q0, forward, pi, match, reverse, cell):
    perfect = World(q0, forward, pi, cell=cell)
    if check_choice(reverse, ("independent", "gaussian", "perfect"), "reverse") == (
        "perfect"
    ):
        return perfect
    matched = map(match, perfect.reverse[1:])
    steps = _stack(itertools.chain(forward[:1], matched), perfect.T)
    return World(q0, forward, pi, steps, cell)


def _stack(kernels, T: int) -> np.ndarray:
    """Kernels as they come, in one array (T, n, n), of which they are the only copy."""
    out = np.empty((T, 0, 0))
    for t, kernel in enumerate(kernels):
        out = out if t else np.empty((T, *kernel.shape))
        out[t] = kernel
    return out
