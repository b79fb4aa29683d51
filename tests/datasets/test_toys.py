"""The swiss roll and its exact density."""

import numpy as np
import pytest
from scipy import integrate
from sklearn.datasets import make_swiss_roll

from dpm import datasets


@pytest.fixture(scope="module")
def roll():
    return datasets.swiss_roll(n_train=4000, n_test=1000, noise=0.5, seed=3)


def test_training_part_has_zero_mean_and_unit_variance(roll):
    np.testing.assert_allclose(roll.X_train.mean(axis=0), 0, atol=1e-12)
    assert (roll.X_train**2).mean() == pytest.approx(1)


def test_points_are_scikit_learns_two_axes(roll):
    rng = np.random.RandomState(3)  # noqa: NPY002
    points = make_swiss_roll(5000, noise=0.5, random_state=rng)[0][:, [0, 2]]
    np.testing.assert_allclose(
        np.concatenate([roll.X_train, roll.X_test]) * roll.scale + roll.shift, points
    )


def test_spine_is_the_roll_without_noise():
    points, angle = make_swiss_roll(100, noise=0.0, random_state=0)
    u = (angle / (1.5 * np.pi) - 1) / 2
    np.testing.assert_allclose(datasets.roll_curve(u), points[:, [0, 2]])


def test_log_density_is_the_integral_over_the_spine(roll):
    """Each point by adaptive quadrature, in the roll's own units."""
    for x in roll.X_test[:5]:
        y = x * roll.scale + roll.shift

        def integrand(u, y=y):
            d2 = ((y - datasets.roll_curve(u)) ** 2).sum()
            return np.exp(-d2 / (2 * 0.5**2)) / (2 * np.pi * 0.5**2)

        near = np.linspace(0, 1, 2001)
        peak = near[np.argmin(((y - datasets.roll_curve(near)) ** 2).sum(1))]
        p, _ = integrate.quad(integrand, 0, 1, points=[peak], limit=400)
        expected = np.log(p) + 2 * np.log(roll.scale)
        assert roll.log_density(x[None])[0] == pytest.approx(expected, rel=1e-6)


def test_density_integrates_to_one(roll):
    side = np.linspace(-2.8, 2.8, 141)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    total = np.exp(roll.log_density(grid)).sum() * (side[1] - side[0]) ** 2
    assert total == pytest.approx(1, abs=1e-6)


def test_exact_log_likelihood_of_the_papers_roll():
    """About -1.19 bits: what every K of the book is held against."""
    roll = datasets.swiss_roll()
    bits = roll.log_density(roll.X_test) / np.log(2)
    error = bits.std() / np.sqrt(len(bits))
    assert bits.mean() == pytest.approx(-1.19, abs=3 * error)


@pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf])
def test_noise_must_be_positive(noise):
    with pytest.raises(ValueError, match="noise = "):
        datasets.swiss_roll(noise=noise)


def test_unknown_dataset_lists_those_there_are():
    match = (
        "'IMAGENET': there are BARK, BARK4, CIFAR10, .*DIGITS, HEARTBEAT, IMAGES, "
        "MNIST, SWISS"
    )
    with pytest.raises(ValueError, match=match):
        datasets.load("IMAGENET")
