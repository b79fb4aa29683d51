"""Sums of convex quadratics, whose minimum is known."""

import numpy as np


def quadratics(n=8, dims=15, seed=0):
    """A sum of convex quadratics of different Hessians, and its minimum."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n, dims, dims // 2))
    H = roots @ roots.transpose(0, 2, 1) / dims + 0.1 * np.eye(dims)
    centres = rng.normal(size=(n, dims))
    minimum = np.linalg.solve(H.sum(axis=0), np.einsum("nij,nj->i", H, centres))

    def f_df(x, i):
        d = x - centres[i]
        return d @ H[i] @ d / 2, H[i] @ d

    return f_df, n, np.zeros(dims), minimum
