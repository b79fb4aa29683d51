"""What SFO knows: one quadratic per subfunction, all in one shared subspace.

`dpm.sfo.sfo` decides where to measure which subfunction; here the measurements become a
model of their sum. Everything lives in coordinates of a subspace of R^M that grows by
a dimension whenever a gradient leaves it, and is cut down when it is full.
"""

import numpy as np
from scipy import linalg

NEGLIGIBLE = 1e-10  # what is relatively less than this is rounding
DAMPING = 0.1  # no secant may lower a curvature to less than this part of it
INITIAL_CURVATURES = ("latest", "smallest")


class QuadraticModels:
    """Quadratic approximations g_i of the subfunctions f_i, and their sum.

    .. math:: g_i(x) = f_i(x_i) + (x - x_i)^T f_i'(x_i)
        + \\tfrac12 (x - x_i)^T H_i (x - x_i)

    where x_i is where subfunction i was measured last. H_i = c_i I + A_i diag(w_i)
    A_i' differs from a multiple of the identity in few directions.

    Parameters
    ----------
    n_functions : int
        N.
    origin : ndarray, shape (M,)
        What the coordinates are counted from.
    n_history : int
        How many gradient differences each H_i is made from.
    max_subspace : int
        The most dimensions that the subspace may have.
    initial_curvature : {"latest", "smallest"}
        See `bfgs_hessian`.

    Attributes
    ----------
    size : int
        K, the dimensions of the subspace now; coordinates are (K,) vectors, kept in
        rows that are padded with zeros to the most dimensions there can be.
    known : ndarray of bool, shape (N,)
        Which subfunctions have been measured.
    H : ndarray, shape (K, K)
        Sum of the H_i.
    """

    def __init__(self, n_functions, origin, n_history, max_subspace, initial_curvature):
        n, most = n_functions, min(origin.size, max_subspace)
        self.origin = origin.copy()
        self.initial_curvature = initial_curvature
        self.kept = min(most, max(2 * n + 2, most // 2))
        self.size = 0
        self.basis = np.zeros((origin.size, most), order="F")
        self.known = np.zeros(n, dtype=bool)
        self.value = np.zeros(n)
        self.x, self.gradient = np.zeros((n, most)), np.zeros((n, most))
        self.n_pairs = np.zeros(n, dtype=int)
        self.dx = np.zeros((n, n_history, most))  # differences of positions,
        self.dg = np.zeros((n, n_history, most))  # and of gradients, oldest first
        rank = min(2 * n_history, most)
        self.curvature = np.zeros(n)  # c_i
        self.directions = np.zeros((n, most, rank))  # A_i
        self.weights = np.zeros((n, rank))  # w_i
        self._H = np.zeros((most, most))

    @property
    def H(self) -> np.ndarray:
        return self._H[: self.size, : self.size]

    @property
    def is_full(self) -> bool:
        """Whether the next gradient may not find room."""
        return self.size == self.basis.shape[1] < self.basis.shape[0]

    def position(self, x) -> np.ndarray:
        """The point of R^M that has coordinates `x`."""
        return self.origin + self.basis[:, : self.size] @ x[: self.size]

    def coordinates(self, vector) -> np.ndarray:
        """Coordinates of a vector of R^M, the subspace first grown to hold it."""
        basis, row = self.basis[:, : self.size], np.zeros(self.basis.shape[1])
        inside = basis.T @ vector
        rest = vector - basis @ inside
        correction = basis.T @ rest  # once more: the first time leaves rounding errors
        rest -= basis @ correction
        row[: self.size] = inside + correction
        length = np.linalg.norm(rest)
        room = self.size < len(row)
        if room and length > NEGLIGIBLE * np.linalg.norm(vector):
            k = self.size
            self.basis[:, k], row[k] = rest / length, length
            self._H[k, k] = self.curvature[self.known].sum()
            self.size += 1
        return row

    def measure(self, i, x, value, gradient, compare=True) -> None:
        """Learn what subfunction i is at x.

        Parameters
        ----------
        compare : bool
            Whether the change of its gradient since the last time is curvature; not
            if the subfunction has been replaced meanwhile.
        """
        if self.known[i]:
            self._add_hessian(i, -1)
            dx, dg = x - self.x[i], gradient - self.gradient[i]
            if compare and dx.any():
                self._remember(i, dx, dg)
        else:
            self._adopt_hessian(i)
        self.x[i], self.value[i], self.gradient[i] = x, value, gradient
        if self.n_pairs[i]:
            self._fit_hessian(i)
        self.known[i] = True
        self._add_hessian(i, +1)

    def forget(self, i) -> None:
        """Unlearn subfunction i."""
        if self.known[i]:
            self._add_hessian(i, -1)
        self.known[i], self.n_pairs[i] = False, 0

    def predict(self, x) -> tuple[np.ndarray, np.ndarray]:
        """Values (n,) and gradients (n, K) at x of the n models known, in order."""
        on, k = self.known, self.size
        step = x[:k] - self.x[on, :k]
        A, w = self.directions[on][:, :k], self.weights[on]
        along = w * np.einsum("nkr,nk->nr", A, step)
        change = self.curvature[on, None] * step + np.einsum("nkr,nr->nk", A, along)
        slope = self.gradient[on, :k]
        values = self.value[on] + ((slope + change / 2) * step).sum(axis=1)
        return values, slope + change

    def newton_step(self, gradient) -> np.ndarray:
        """From where the sum of the models has this gradient, to its minimum."""
        try:
            return -linalg.cho_solve(linalg.cho_factor(self.H), gradient)
        except linalg.LinAlgError:  # rounding has made H indefinite
            self.sum_hessians()
            w, V = linalg.eigh(self.H)
            return -V @ (V.T @ gradient / np.maximum(w, NEGLIGIBLE * w[-1]))

    def distances(self, indices, x) -> np.ndarray:
        """Squared distances of x from the last measurements, in the metric H."""
        step = x[: self.size] - self.x[indices, : self.size]
        return ((step @ self.H) * step).sum(axis=1)

    def collapse(self, x, also) -> np.ndarray:
        """Cut the subspace down, and let x become the origin.

        Returns the new coordinates of the position `also`, which is kept exactly. Of
        every subfunction the last position and gradient are kept exactly; of the
        older differences as much as there is room for, the latest first.
        """
        k, on = self.size, np.flatnonzero(self.known)
        rows = [(also - x)[None, :k], self.gradient[on, :k], self.x[on, :k] - x[:k]]
        for back in range(1, self.dx.shape[1] + 1):
            have = on[self.n_pairs[on] >= back]
            last = self.n_pairs[have] - back
            rows += [self.dg[have, last, :k], self.dx[have, last, :k]]
        rows = np.concatenate(rows)
        rows = rows[rows.any(axis=1)][: self.kept]
        turn, _ = linalg.qr(rows.T, mode="economic")  # (K, K after)
        self.origin = self.position(x)
        self.x[:, :k] -= x[:k]
        self.size = turn.shape[1]
        self.basis[:, : self.size] = self.basis[:, :k] @ turn
        self.basis[:, self.size :] = 0.0
        for array in (self.x, self.gradient, self.dx, self.dg):
            turned = array[..., :k] @ turn
            array[...] = 0.0
            array[..., : self.size] = turned
        turned = np.einsum("nkr,kj->njr", self.directions[:, :k], turn)
        self.directions[...] = 0.0
        self.directions[:, : self.size] = turned
        for i in on[self.n_pairs[on] > 0]:
            self._fit_hessian(i)
        self.sum_hessians()
        moved = np.zeros_like(also)
        moved[: self.size] = (also - x)[:k] @ turn
        return moved

    def sum_hessians(self) -> None:
        """Sum H anew, free of the rounding errors of many small changes."""
        self._H[...] = 0.0
        for i in np.flatnonzero(self.known):
            self._add_hessian(i, +1)

    def _add_hessian(self, i, sign) -> None:
        k = self.size
        A = self.directions[i, :k]
        self.H[...] += sign * (A * self.weights[i]) @ A.T
        self.H[np.arange(k), np.arange(k)] += sign * self.curvature[i]

    def _adopt_hessian(self, i) -> None:
        """A subfunction seen for the first time is curved like the others' mean."""
        on = self.known
        self.curvature[i] = self.curvature[on].mean() if on.any() else 1.0
        if on.any():
            w, V = linalg.eigh(self.H / on.sum())
            self._store(i, w - self.curvature[i], V)

    def _remember(self, i, dx, dg) -> None:
        if self.n_pairs[i] == self.dx.shape[1]:
            for history in (self.dx, self.dg):
                history[i, :-1] = history[i, 1:].copy()
            self.n_pairs[i] -= 1
        self.dx[i, self.n_pairs[i]], self.dg[i, self.n_pairs[i]] = dx, dg
        self.n_pairs[i] += 1

    def _fit_hessian(self, i) -> None:
        """H_i from its history, worked out in the small space that this spans."""
        n, k = self.n_pairs[i], self.size
        dx, dg = self.dx[i, :n, :k].T, self.dg[i, :n, :k].T
        Q, _ = linalg.qr(np.hstack([dx, dg]), mode="economic")
        B, c = bfgs_hessian(Q.T @ dx, Q.T @ dg, self.initial_curvature)
        w, V = linalg.eigh(B)
        w = np.maximum(w, NEGLIGIBLE * w[-1])
        self.curvature[i] = c
        self._store(i, w - c, Q @ V)

    def _store(self, i, weights, directions) -> None:
        """Keep the directions in which H_i differs most from a multiple of I."""
        order = np.argsort(-np.abs(weights), kind="stable")[: self.weights.shape[1]]
        self.directions[i], self.weights[i] = 0.0, 0.0
        self.directions[i, : len(directions), : len(order)] = directions[:, order]
        self.weights[i, : len(order)] = weights[order]


def bfgs_hessian(dx, dg, initial_curvature="latest"):
    """A positive definite matrix B with B dx = dg, as nearly as that can be.

    Starting from c I, the pairs enter from the oldest to the newest, each by

    .. math:: B \\leftarrow B - \\frac{B s s^T B}{s^T B s} + \\frac{y y^T}{s^T y}

    which makes B s = y. A pair along which the gradient hardly grew, or fell, is
    damped: y is mixed with B s until s'y is a tenth of s'B s (Powell, 1978).

    Parameters
    ----------
    dx, dg : ndarray, shape (K, n)
        The pairs s, y as columns, oldest first.
    initial_curvature : {"latest", "smallest"}
        c: the curvature along the latest pair; or the smallest positive eigenvalue
        of the symmetric matrix that fits all pairs by least squares, as in the paper
        (here only in directions that the positions span well).

    Returns
    -------
    B : ndarray, shape (K, K)
    c : float
        What B is, times the identity, in directions that no pair touches.
    """
    lengths, slopes = (dx**2).sum(axis=0), (dg**2).sum(axis=0)
    curved = (dx * dg).sum(axis=0)
    rising = curved > 1e-8 * np.sqrt(lengths * slopes)
    eigenvalues = np.zeros(1)
    if initial_curvature == "smallest":
        U, singular, Vt = linalg.svd(dx, full_matrices=False)
        clear = singular > 0.3 * singular[0]
        fit = U[:, clear].T @ dg @ (Vt[clear].T / singular[clear])
        eigenvalues = linalg.eigvalsh((fit + fit.T) / 2)
    positive = eigenvalues[eigenvalues > 1e-6 * np.abs(eigenvalues).max()]
    if positive.size:
        c = positive.min()
    elif rising.any():
        c = (curved / lengths)[rising][-1]
    else:
        c = np.sqrt(slopes[-1] / lengths[-1])
    c = max(c, NEGLIGIBLE)
    B = c * np.eye(len(dx))
    for s, y in zip(dx.T, dg.T, strict=True):
        Bs = B @ s
        sBs = s @ Bs
        if s @ y < DAMPING * sBs:
            part = (1 - DAMPING) * sBs / (sBs - s @ y)
            y = part * y + (1 - part) * Bs
        B = B - np.outer(Bs, Bs) / sBs + np.outer(y, y) / (s @ y)
    return (B + B.T) / 2, c
