"""Products of factors: in any order, over several walks, and what is refused."""

import numpy as np
import pytensor.tensor as pt

from dpm import sampler
from dpm.diffusion import factors, schedule
from dpm.exact.known import KnownMixture

N = 5
X_TRUE, MASK = np.tile([1.5, -0.7], (N, 1)), np.tile([True, False], (N, 1))


def mixture(T=5):
    means = [[-1.0, 0.3], [0.8, -0.5], [0.5, 1.0]]
    return KnownMixture(schedule.log_snr(T), means, 0.25)


def test_what_is_known_stays_known_beside_a_gaussian_in_any_order():
    known, r = factors.Known(X_TRUE, MASK), factors.Gaussian(0.2, 0.5)
    ends = [
        sampler.sample(mixture(), N, 3, factor)
        for factor in (
            known * r,
            r * known,
            factors.Product(None, r, known),
        )
    ]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])
    assert (ends[0][:, 0] == 1.5).all()
    starts = [
        next(sampler.reverse_trajectory(mixture(), N, 3, factor))[1]
        for factor in (known * r, r)
    ]
    assert (starts[0][:, 0] == 1.5).all()
    np.testing.assert_array_equal(starts[0][:, 1], starts[1][:, 1])
    alone = sampler.sample(mixture(), N, 3, known)
    assert (ends[0][:, 1] != alone[:, 1]).all()


def test_two_smooth_factors_shift_as_their_sum():
    one, two = (lambda X, t: X[:, 0] ** 2), (lambda X, t: pt.sin(X).sum(axis=1))
    both = factors.Smooth(one) * factors.Smooth(two)
    total = factors.Smooth(lambda X, t: one(X, t) + two(X, t))
    X = np.array([[0.3, -0.6]])
    shifted = [
        sampler.compile_get_mu_sigma(mixture(), 1, factor)(X, 2)[0]
        for factor in (both, total)
    ]
    np.testing.assert_allclose(shifted[0], shifted[1], rtol=1e-12)


def test_a_factor_serves_for_many_walks():
    factor = factors.Denoising(X_TRUE, 0.5) * factors.KnownWithNoise(X_TRUE, MASK)
    first, second = (sampler.sample(mixture(), N, 7, factor) for _ in range(2))
    np.testing.assert_array_equal(first, second)
