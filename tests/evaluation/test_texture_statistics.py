"""Statistics of squares: known processes, fillings that must be found, and refusals."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dpm.evaluation import texture_statistics as texture


def noise(n, size=64, seed=0):
    return np.random.default_rng(seed).standard_normal((n, size, size))


def rows_alike(n, size=64, along=0.8, down=0.5, seed=0):
    """Gaussian squares whose neighbours correlate by `along` and by `down`."""
    X = noise(n, size, seed)
    for axis, rho in ((2, along), (1, down)):
        X = np.moveaxis(X, axis, 0)
        for k in range(1, size):
            X[k] = rho * X[k - 1] + np.sqrt(1 - rho**2) * X[k]
        X = np.moveaxis(X, 0, axis)
    return X


def test_white_noise_has_the_same_power_in_all_bands_and_no_bonds():
    X = 3.0 * noise(60) + 7.0
    np.testing.assert_allclose(texture.spectrum(X).mean(axis=0), np.log10(9), atol=0.06)
    np.testing.assert_allclose(
        texture.neighbour_correlations(X).mean(axis=0), 0, atol=0.01
    )
    np.testing.assert_allclose(texture.gradient_kurtosis(X).mean(axis=0), 3, atol=0.05)
    assert texture.variance(X).mean() == pytest.approx(9, rel=0.02)
    assert texture.spectrum(X).shape == (60, 6) and texture.variance(X).shape == (60, 1)


def test_correlations_and_their_kurtosis_are_those_of_the_process():
    X = rows_alike(80)
    along, down = texture.neighbour_correlations(X).mean(axis=0)
    assert along == pytest.approx(0.8, abs=0.02) and down == pytest.approx(
        0.5, abs=0.02
    )
    np.testing.assert_allclose(texture.gradient_kurtosis(X).mean(axis=0), 3, atol=0.1)


def test_kurtosis_tells_edges_across_from_edges_down():
    X = np.zeros((1, 32, 32))
    X[:, :, 16:] = 1.0  # one step in 31 of each row
    X += 1e-6 * noise(1, 32)
    right, below = texture.gradient_kurtosis(X)[0]
    p = 1 / 31
    assert right == pytest.approx((1 - 3 * p * (1 - p)) / (p * (1 - p)), rel=1e-3)
    assert below == pytest.approx(3, abs=0.5)


def test_ends_that_do_not_meet_are_no_edge():
    """A slope has next to no short waves; cut off bluntly it would seem to."""
    ramp = np.tile(np.arange(32.0), (32, 1))
    for X in (ramp, ramp.T):
        power = texture.spectrum(X)[0]
        assert power[0] > 2 and power[-1] < -4 and (np.diff(power) < 0).all()


@pytest.mark.parametrize("waves, band", [(2, 0), (6, 2), (26, 5)])
def test_a_wave_has_its_power_in_its_own_band(waves, band):
    x = np.sin(2 * np.pi * waves * np.arange(64) / 64)
    power = texture.spectrum(np.tile(x, (2, 64, 1)) + 1e-6 * noise(2))
    assert (power.argmax(axis=1) == band).all()
    turned = texture.spectrum(np.tile(x[:, None], (1, 1, 64)))
    assert turned.argmax() == band


def test_other_squares_leave_the_hole_out():
    picture = np.arange(40.0 * 20).reshape(40, 20)
    found = texture.other_squares(picture, 10, 10)
    np.testing.assert_array_equal(found[:, 0, 0], picture[0:31:10, 0:11:10].ravel())
    found = texture.other_squares(picture, 10, 5, hole=(15, 0))
    taken = picture[15:25, :10]  # two rows of three above, two below, three beside
    assert len(found) == 15 and not np.isin(found, taken).any()


def test_a_square_of_the_same_kind_is_inside_and_others_are_found():
    """Ranges of 60 squares; of 40 others few are outside, and fillings that err all."""
    others, same = rows_alike(60, 32), rows_alike(40, 32, seed=1)
    assert texture.broken(same, others) <= 20  # 11 numbers, each outside 2 in 61 times
    assert texture.broken(others, others) == 0
    blurred = gaussian_filter(same, (0, 1.5, 1.5))
    blurred *= np.sqrt(same.var() / blurred.var())
    louder, turned = 3 * same, same.swapaxes(1, 2)
    edges = same + 6 * (noise(40, 32, 2) > 2.5)
    for wrong, name in (
        (blurred, "spectrum"), (turned, "neighbours"), (edges, "kurtosis"),
        (louder, "variance"),
    ):  # fmt: skip
        assert not texture.inside(wrong, others)[name].any()
        assert texture.broken(wrong, others) == 40
    assert texture.inside(turned, others)["variance"].mean() > 0.8


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: texture.variance(np.zeros((2, 3, 4))), r"of shape \(2, 3, 4\): give"),
        (lambda: texture.spectrum(np.full((1, 9, 9), np.nan)), "squares hold NaN"),
        (lambda: texture.variance(np.ones((1, 9, 9))), "one grey level alone"),
        (lambda: texture.spectrum(noise(1, 8)), "n_bands = 6: some hold no wave"),
        (lambda: texture.inside(noise(2, 9), noise(1, 9)), "give two or more"),
        (lambda: texture.inside(noise(2, 9), noise(5, 8)), "of the same size"),
        (lambda: texture.other_squares(noise(1, 9)[0], 10, 1), "no smaller than"),
        (lambda: texture.other_squares(noise(1, 9)[0], 5, 4, (2, 2)), "0 squares of 5"),
    ],
)
def test_what_has_no_statistics_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
