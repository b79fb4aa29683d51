"""Factors r(x): what each does to a walk, together and apart, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm import exact, sampler
from dpm.diffusion import binomial, factors, gaussian, schedule
from dpm.exact.known import KnownBits, KnownMixture

BETA = np.array([0.1, 0.3, 0.4, 0.6])
TOTAL = 1 - np.cumprod(1 - BETA)  # b_1..b_T
N = 5
X_TRUE, MASK = np.tile([1.5, -0.7], (N, 1)), np.tile([True, False], (N, 1))


def mixture(T=5):
    means = [[-1.0, 0.3], [0.8, -0.5], [0.5, 1.0]]
    return KnownMixture(schedule.log_snr(T), means, 0.25)


def stub(kernels=gaussian, prior=(0.0, 1.0), shape=(2,)):
    """What the sampler asks of a model, for walks whose step is given."""
    return SimpleNamespace(
        kernels=kernels,
        prior=prior,
        sample_shape=shape,
        trajectory_length=len(BETA),
        beta_arr=BETA,
        dtype="float64",
    )


def coupled(X, t):
    """A step in which the free coordinate depends on the known one."""
    free = 0.6 * X[:, 1] + 0.5 * X[:, 0]
    return np.stack([0.9 * X[:, 0], free], axis=1), 0.3


class Held:
    """Draws that are all the same number."""

    def __init__(self, number):
        self.number = number

    def standard_normal(self, size):
        return np.full(size, self.number)

    random = standard_normal


# --- what is known, with the noise of its time


def test_what_is_known_has_the_noise_of_its_time():
    """With the draws held at one number, x^t there is the formula of q(x^t | x^0)."""
    factor = factors.KnownWithNoise(X_TRUE, MASK)
    walk = sampler.reverse_trajectory(
        stub(), N, Held(0.8), factor, get_mu_sigma=coupled
    )
    seen = []
    for t, X in walk:
        b = TOTAL[t - 1] if t else 0.0
        np.testing.assert_allclose(X[:, 0], 1.5 * np.sqrt(1 - b) + 0.8 * np.sqrt(b))
        seen.append(t)
    assert seen == [4, 3, 2, 1, 0]
    assert (X[:, 0] == 1.5).all()  # bit for bit


def test_the_rest_of_a_walk_with_noisy_known_pixels_has_the_exact_moments():
    """Of a linear walk, by the recursion of mean and variance, at every t."""
    n = 60_000
    X_true, mask = np.resize(X_TRUE, (n, 2)), np.resize(MASK, (n, 2))
    factor = factors.KnownWithNoise(X_true, mask)
    walk = sampler.reverse_trajectory(stub(), n, 0, factor, get_mu_sigma=coupled)
    m, v = 0.0, 1.0  # of the free coordinate
    for t, X in walk:
        b = TOTAL[t - 1] if t else 0.0
        assert X[:, 1].mean() == pytest.approx(m, abs=5 * np.sqrt(v / n))
        assert X[:, 1].var() == pytest.approx(v, rel=5 * np.sqrt(2 / n))
        if t:
            assert X[:, 0].mean() == pytest.approx(
                1.5 * np.sqrt(1 - b), abs=5 * np.sqrt(b / n)
            )
            assert X[:, 0].var() == pytest.approx(b, rel=5 * np.sqrt(2 / n))
        m = 0.6 * m + 0.5 * 1.5 * np.sqrt(1 - b)
        v = 0.36 * v + 0.25 * b + 0.3**2


def test_known_bits_are_as_often_flipped_as_at_their_time():
    n, rho = 40_000, 0.2
    model = KnownBits(BETA, exact.normalize(np.arange(1.0, 5.0)), rho)
    X_true, mask = np.tile([1, 0], (n, 1)), np.tile([True, False], (n, 1))
    factor = factors.KnownWithNoise(X_true, mask)
    for t, X in sampler.reverse_trajectory(model, n, 0, factor):
        assert set(np.unique(X)) <= {0.0, 1.0}
        b = TOTAL[t - 1] if t else 0.0
        rate = 1 - b + rho * b
        error = np.sqrt(rate * (1 - rate) / n)
        assert X[:, 0].mean() == pytest.approx(rate, abs=5 * error)
    assert (X[:, 0] == 1).all()


def test_noisy_known_pixels_let_the_true_model_find_the_posterior():
    """Two pixels of a true model that say the same: one known, the other follows.

    To within what a delta at every time leaves wrong; `Known` ends as near.
    """
    model = KnownMixture(schedule.log_snr(80), [[-1.0, -1.0], [1.0, 1.0]], 0.2)
    X_true, mask = np.tile([1.0, 0.0], (500, 1)), np.tile([True, False], (500, 1))
    X = sampler.sample(model, 500, 0, factors.KnownWithNoise(X_true, mask))
    assert (X[:, 1] > 0).mean() > 0.95
    assert X[X[:, 1] > 0, 1].mean() == pytest.approx(1.0, abs=0.1)


# --- together


@pytest.mark.parametrize("kind", [factors.Known, factors.KnownWithNoise])
def test_what_is_known_does_not_fade(kind):
    known, r = kind(X_TRUE, MASK), factors.Gaussian(0.2, 0.5)
    ends = [
        sampler.sample(mixture(), N, 3, factor)
        for factor in (
            factors.Fading(known * r),
            factors.Fading(r) * known,
            factors.Fading(known * r) * factors.One(),
        )
    ]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])
    assert (ends[0][:, 0] == 1.5).all()


def test_a_fading_denoising_walk_starts_at_pi():
    starts = {
        name: next(sampler.reverse_trajectory(mixture(), N, 3, factor))[1]
        for name, factor in {
            "plain": None,
            "denoising": factors.Denoising(X_TRUE, 0.5),
            "fading": factors.Fading(factors.Denoising(X_TRUE, 0.5)),
        }.items()
    }
    np.testing.assert_allclose(starts["denoising"], X_TRUE + 0.5 * starts["plain"])
    np.testing.assert_array_equal(starts["fading"], starts["plain"])


# --- draws


def test_a_seed_and_a_generator_give_the_same_walk():
    by_seed = sampler.sample(mixture(), N, 7)
    by_generator = sampler.sample(mixture(), N, np.random.default_rng(7))
    np.testing.assert_array_equal(by_seed, by_generator)
    old = [
        sampler.sample(mixture(), N, np.random.RandomState(7))  # noqa: NPY002
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*old)
    assert (old[0] != by_seed).all()
    np.testing.assert_array_equal(
        mixture().sample(N, 7), mixture().sample(N, np.random.default_rng(7))
    )
    X = np.zeros((3, 2))
    forth = [
        list(sampler.forward_trajectory(X, BETA, rng))[-1][1]
        for rng in (7, np.random.default_rng(7))
    ]
    np.testing.assert_array_equal(*forth)


# --- refused

NAN = np.full((N, 2), np.nan)
BAD = {  # on the walk
    "not a vector": (lambda: factors.Smooth(lambda X, t: X), "one number a sample"),
    "a number": (lambda: factors.Smooth(lambda X, t: 3.0), "log_r gave float"),
    "a scalar": (
        lambda: factors.Smooth(lambda X, t: X.sum()),
        r"log_r gave shape \(\)",
    ),
    "of another length": (lambda: factors.Smooth(lambda X, t: X[0]), r"shape \(2,\)"),
    "blind": (
        lambda: factors.Smooth(lambda X, t: pt.zeros((N,))),
        "does not depend on X",
    ),
    "one part": (lambda: factors.Bits(0.5), r"factors are \(mean, deviation\)"),
    "three numbers": (
        lambda: factors.Gaussian(np.zeros(3), 1.0),
        "do not broadcast",
    ),
    "more samples": (
        lambda: factors.Gaussian(np.zeros((2, 1, 1)), 1.0),
        r"r has shape \(2, 5, 2\)",
    ),
    "small mask": (lambda: factors.Known(X_TRUE, MASK[0]), "mask has 2 elements"),
    "small picture": (lambda: factors.Known(X_TRUE[0], MASK), "X_true has shape"),
    "small noisy picture": (
        lambda: factors.Denoising(X_TRUE[0], 1.0),
        "X_true has shape",
    ),
    "known nan": (lambda: factors.Known(NAN, MASK), "X_true holds nan where mask"),
    "noisy nan": (lambda: factors.KnownWithNoise(NAN, MASK), "X_true holds nan where"),
    "no factor": (lambda: (0.0, 1.0), "a factor of type tuple"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_factors_are_refused(name):
    make, match = BAD[name]
    walk = sampler.reverse_trajectory(mixture(), N, 0, make())
    with pytest.raises(ValueError, match=match):
        next(walk)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: factors.Gaussian(0.0, 0.0), "deviation of 0"),
        (lambda: factors.Gaussian(NAN, 1.0), r"r\[0\] holds nan"),
        (lambda: factors.Gaussian(0.0, np.nan), r"r\[1\] holds nan"),
        (lambda: factors.Bits([0.5, 1.2]), r"outside \[0, 1\]: 1.2"),
        (lambda: factors.Bits(np.nan), "holds nan"),
        (lambda: factors.Denoising(X_TRUE, 0.0), "sigma = 0.0"),
        (lambda: factors.Denoising(X_TRUE, -1.0), "sigma = -1.0"),
        (lambda: factors.Denoising(NAN, 1.0), "holds nan"),
        (lambda: factors.Denoising(None, 1.0), "give X_true: what to denoise"),
        (lambda: factors.Known(None, MASK), "give X_true: what to inpaint"),
        (lambda: factors.Smooth(3.0), "log_r of type float"),
        (lambda: factors.Fading(None) * 3, "a factor of type int"),
        (lambda: factors.Fading(factors.Fading(factors.One())), "fades already"),
        (
            lambda: factors.Denoising(X_TRUE, 1.0) * factors.Denoising(X_TRUE, 2.0),
            "two Denoising factors",
        ),
    ],
)
def test_bad_factors_are_refused_when_made(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    "factor, match",
    [
        (factors.Gaussian(0.0, 1.0), r"factors are \(rate,\)"),
        (factors.Denoising(np.zeros((N, 2)), 1.0), "for bits give Bits"),
        (factors.Known(np.full((N, 2), 0.5), MASK), "other numbers than 0 and 1"),
    ],
)
def test_factors_of_numbers_are_refused_for_bits(factor, match):
    walk = sampler.reverse_trajectory(stub(binomial, (0.5,)), N, 0, factor)
    with pytest.raises(ValueError, match=match):
        next(walk)


def test_a_new_factor_without_powers_cannot_fade():
    class Shift(factors.Factor):
        def apply(self, step, t):
            return step[0] + 1.0, step[1]

    shifted = sampler.sample(stub(), N, 0, Shift(), get_mu_sigma=coupled)
    plain = sampler.sample(stub(), N, 0, get_mu_sigma=coupled)
    assert (shifted > plain).all()
    walk = sampler.reverse_trajectory(mixture(), N, 0, factors.Fading(Shift()))
    with pytest.raises(ValueError, match="Shift has no powers"):
        list(walk)


def test_a_step_compiled_with_another_smooth_factor_is_refused():
    model, r = mixture(), factors.Smooth(lambda X, t: X.sum(axis=1))
    plain = sampler.compile_get_mu_sigma(model, N)
    with_r = sampler.compile_get_mu_sigma(model, N, r)
    for get_mu_sigma, factor in ((plain, r), (with_r, None)):
        walk = sampler.reverse_trajectory(
            model, N, 0, factor, get_mu_sigma=get_mu_sigma
        )
        with pytest.raises(ValueError, match="other smooth factors"):
            next(walk)
    both = r * factors.Known(X_TRUE, MASK)
    ends = [
        sampler.sample(model, N, 0, both, get_mu_sigma=step) for step in (with_r, None)
    ]
    np.testing.assert_array_equal(*ends)
