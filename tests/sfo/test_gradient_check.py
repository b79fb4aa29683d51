"""Gradients against the slopes of values."""

import numpy as np
import pytest
from quadratics import quadratics

from dpm.sfo.sfo import SFO


def test_gradients_are_checked():
    f_df, n, start, _ = quadratics()
    found = SFO(f_df, start, range(n)).check_grad(start + 1)
    assert not found.wrong and max(found.difference.values()) < 1e-6

    def wrong(theta, i):
        value, gradient = f_df(theta["x"], i)
        return value + theta["y"] ** 2, {
            "x": gradient,
            "y": (2.1 - (i != 3)) * theta["y"],
        }

    optimizer = SFO(
        lambda t, i: wrong(t, i), {"x": start, "y": np.float64(1)}, range(n)
    )
    found = optimizer.check_grad(raise_error=False, indices=[2, 3])
    assert found.wrong == [(2, "theta['y']"), (3, "theta['y']")]
    assert found.difference[3, "theta['y']"] == pytest.approx(0.1 / 2.1, rel=1e-3)
    with pytest.raises(ValueError, match=r"subfunction \d by theta\['y'\]"):
        optimizer.check_grad()
