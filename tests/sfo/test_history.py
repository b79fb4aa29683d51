"""What SFO notes of its steps."""

import numpy as np

from dpm.sfo.sfo import SFO


def test_overshooting_is_noticed():
    """Nearly flat beyond 5, steep before: Newton's steps there go far astray."""

    def well(x, i):
        d = x - 0.1 * i
        return np.cosh(d).sum(), np.sinh(d)

    optimizer = SFO(well, np.full(3, 20.0), range(6))
    np.testing.assert_allclose(optimizer.optimize(60), 0.25, atol=1e-2)

    def flat(x, i):
        d = x - 0.1 * i
        return np.sqrt(1 + d @ d), d / np.sqrt(1 + d @ d)

    optimizer = SFO(flat, np.full(3, 20.0), range(6))
    theta = optimizer.optimize(60)
    np.testing.assert_allclose(theta, 0.25, atol=1e-6)
    assert any("bad step" in words for words in optimizer.history.given_up())
