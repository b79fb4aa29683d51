"""How round edges are, of pictures of which that is known."""

import numpy as np
import pytest
from scipy import ndimage

from dpm.datasets import leaves
from dpm.evaluation import mean_and_error
from dpm.evaluation.arcs import discs_nearby, patches, share_on_arcs

ROW, COLUMN = np.indices((32, 32))


def disc(radius, row=15.3, column=15.8):
    """One bright disc."""
    return (np.hypot(ROW - row, COLUMN - column) <= radius).astype(float)


def square_leaves(n, rng):
    """Dead leaves whose leaves are turned squares, of the discs' areas."""
    grey, bare = np.zeros((2, n, 32, 32))
    for i in range(n):
        bare[i] = 1
        while bare[i].any():
            half = rng.uniform(1 / 16**2, 1 / 4) ** -0.5 * np.pi**0.5 / 2
            row, column, turn = *rng.uniform(-16, 48, 2), rng.uniform(0, np.pi)
            u, v = (
                (ROW - row) * np.cos(a) + (COLUMN - column) * np.sin(a)
                for a in (turn, turn + np.pi / 2)
            )
            new = (np.maximum(abs(u), abs(v)) < half) & (bare[i] > 0)
            grey[i][new], bare[i][new] = rng.random(), 0
    return grey


def shapeless(n, rng):
    """Blurred noise cut into eight greys."""
    X = ndimage.gaussian_filter(rng.standard_normal((n, 48, 48)), (0, 1.8, 1.8))
    X = X[:, 8:-8, 8:-8]
    return np.floor(np.clip(X / X.std() + 4, 0, 7.99)) / 8


def test_patches_are_of_neighbours_that_are_close():
    found = patches(np.array([[0, 1, 9], [9, 2, 9], [9, 9, 0]]), 2)
    np.testing.assert_array_equal(found == found[0, 0], [[1, 1, 0], [0, 1, 0], [0] * 3])
    assert found[1, 0] == found[2, 1] != found[0, 2] == found[1, 2]
    assert len(set(found.ravel())) == 4


@pytest.mark.parametrize("radius", [2.5, 5.2, 12.0])
def test_all_edges_of_a_disc_are_on_arcs_whichever_side_is_bright(radius):
    bright, dark = share_on_arcs([disc(radius), 1 - disc(radius)], 0.5)
    assert bright == dark > 0.94  # not all circles are tried


def test_circles_reach_from_the_smallest_to_the_largest():
    masks = discs_nearby(3, 2.0, 16.0)
    assert len(np.unique(masks, axis=0)) == len(masks) > 1000
    small = share_on_arcs([disc(9.0)], 0.5, reach=5, largest=4.0)
    large = share_on_arcs([disc(3.0)], 0.5, reach=5, smallest=8.0)
    assert small < 0.3 and large < 0.3


def test_discs_are_rounder_than_squares_and_squares_than_blurred_noise():
    rng = np.random.default_rng(0)
    pictures = (
        leaves.dead_leaves(8, seed=1)[:, 0] / 255,
        square_leaves(8, rng),
        shapeless(8, rng),
    )
    scores = [mean_and_error(share_on_arcs(X, 1e-3)) for X in pictures]
    for (rounder, error), (less, error_of_less) in zip(
        scores, scores[1:], strict=False
    ):
        assert rounder - less > 4 * np.hypot(error, error_of_less)
    assert scores[0][0] > 0.96


def test_a_little_noise_lowers_it_a_little():
    clean = leaves.dead_leaves(10, seed=2)[:, 0]
    noisy = leaves.with_noise(clean, 4.0, np.random.default_rng(0))
    assert 0.75 < share_on_arcs(noisy, 12).mean() < share_on_arcs(clean, 0.5).mean()


def test_specks_are_no_patches_and_a_flat_picture_has_no_edges():
    speck = np.zeros((32, 32))
    speck[8, 8:11] = 1
    assert np.isnan(share_on_arcs([np.ones((32, 32)), speck], 0.5)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": np.zeros((32, 32))}, r"shape \(32, 32\): give finite numbers"),
        ({"pictures": np.full((1, 4, 4), np.nan)}, "finite"),
        ({"close": 0.0}, "close = 0"),
        ({"reach": 0}, "reach = 0"),
        ({"smallest": 20.0}, "smallest radius must be below the largest"),
    ],
)
def test_bad_input(change, message):
    given = {"pictures": np.zeros((1, 8, 8)), "close": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        share_on_arcs(**given)
