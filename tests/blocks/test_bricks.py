"""What bricks start from, and how dropout drops."""

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm.blocks.bricks import Dropout, Orthogonal


def test_orthogonal_matrices_are_uniform():
    """Every entry of a random rotation has mean 0 and mean square 1/n."""
    rng = np.random.default_rng(0)
    Q = np.array([Orthogonal()(rng, (3, 3)) for _ in range(4000)])
    np.testing.assert_allclose(Q.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose((Q**2).mean(axis=0), 1 / 3, atol=0.03)


def test_dropout_keeps_the_mean():
    drop = Dropout(0.25)
    X = pt.tensor("X", shape=(200, 200), dtype="float64")
    Y = drop(X)
    draws = np.random.default_rng(0).random((200, 200))
    Y = np.asarray(Y.eval({X: np.ones((200, 200)), drop.masks[0]: draws}))
    assert (Y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert Y.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(Y == 0, draws < 0.25)
