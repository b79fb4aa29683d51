"""Sums of functions that a computer can make again, to try an optimiser on.

Each of SUMS returns (f_df, start, subfunctions): f_df(theta, rows) is the share of some
rows of the data in F, and its gradient. All but the first two are not convex.
"""

import numpy as np
from sklearn.datasets import load_digits

DECAY = 1e-3


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _deal(n, n_functions):
    return [np.arange(i, n, n_functions) for i in range(n_functions)]


def _logistic(A, rng, w, n_functions):
    n, dims = A.shape
    y = (rng.random(n) < _sigmoid(A @ w)).astype(float)

    def f_df(theta, rows):
        a, share = A[rows] @ theta, len(rows) / n
        value = (np.logaddexp(0, a) - y[rows] * a).sum() / n
        gradient = A[rows].T @ (_sigmoid(a) - y[rows]) / n
        decay = DECAY * share * theta
        return value + decay @ theta / 2, gradient + decay

    return f_df, np.zeros(dims), _deal(n, n_functions)


def logistic():
    """4000 examples of 60 features alike, in ten parts."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4000, 60))
    return _logistic(A, rng, rng.standard_normal(60), 10)


def logistic_unlike():
    """3000 examples whose 60 features have scales from 1 to 1/30, in thirty parts."""
    rng, scales = np.random.default_rng(1), np.geomspace(1, 1 / 30, 60)
    A = rng.standard_normal((3000, 60)) * scales
    return _logistic(A, rng, rng.standard_normal(60) / np.sqrt(scales), 30)


def robust():
    """Regression with the Cauchy loss, which is flat far from the data."""
    rng, n, dims = np.random.default_rng(0), 3000, 100
    A = rng.standard_normal((n, dims)) * np.geomspace(1, 0.1, dims)
    y = A @ rng.standard_normal(dims) + 0.1 * rng.standard_t(1.5, n)

    def f_df(theta, rows):
        r = A[rows] @ theta - y[rows]
        return np.log1p(r**2).sum() / n, A[rows].T @ (2 * r / (1 + r**2)) / n

    return f_df, np.zeros(dims), _deal(n, 30)


def independent_components():
    """Twelve mixed sources of Laplace's density; F is infinite where det W is 0."""
    rng, n, dims = np.random.default_rng(0), 4000, 12
    X = rng.laplace(size=(n, dims))
    X = X @ (np.eye(dims) + 0.4 * rng.standard_normal((dims, dims)))

    def f_df(W, rows):
        u, share = X[rows] @ W, len(rows) / n
        value = np.logaddexp(u, -u).sum() / n - np.linalg.slogdet(W)[1] * share
        return value, X[rows].T @ np.tanh(u) / n - np.linalg.inv(W).T * share

    return f_df, 0.3 * np.eye(dims), _deal(n, 40)


def network():
    """A network of 20 tanh units that tells 1797 written digits apart."""
    X, y = load_digits(return_X_y=True)
    X, Y, n, rng = X / 16, np.eye(10)[y], len(y), np.random.default_rng(0)
    start = {
        "W": rng.standard_normal((64, 20)) / 8,
        "b": np.zeros(20),
        "V": rng.standard_normal((20, 10)) / np.sqrt(20),
        "c": np.zeros(10),
    }

    def f_df(theta, rows):
        W, b, V, c = (theta[name] for name in "WbVc")
        x, decay = X[rows], 0.1 * DECAY * len(rows) / n
        h = np.tanh(x @ W + b)
        a = h @ V + c
        log_p = a - np.logaddexp.reduce(a, axis=1)[:, None]
        value = -(log_p * Y[rows]).sum() / n + decay / 2 * ((W**2).sum() + (V**2).sum())
        da = (np.exp(log_p) - Y[rows]) / n
        dh = da @ V.T * (1 - h**2)
        gradient = {"W": x.T @ dh + decay * W, "b": dh.sum(axis=0)}
        gradient |= {"V": h.T @ da + decay * V, "c": da.sum(axis=0)}
        return value, gradient

    return f_df, start, _deal(n, 25)


SUMS = {
    "logistic": logistic,
    "logistic_unlike": logistic_unlike,
    "robust": robust,
    "independent_components": independent_components,
    "network": network,
}
