"""Dead leaves: painted as a naive painter would, with the statistics they must have."""

import numpy as np
import pytest
from scipy import stats

from dpm import datasets
from dpm.datasets import leaves

SMALLEST, LARGEST, WIDTH = 1.5, 12.0, 24


@pytest.fixture(scope="module")
def drawn():
    return leaves.dead_leaves(6000, WIDTH, SMALLEST, LARGEST, seed=7)[:, 0]


def paint(grey, bare, radius, row, column, shade):
    """One picture, leaf by leaf, looking at every pixel: the oracle."""
    y, x = np.indices(bare.shape)
    for r, cy, cx, s in zip(radius, row, column, shade, strict=True):
        inside = (y - cy) ** 2 + (x - cx) ** 2 <= r**2
        grey[inside & bare] = s
        bare &= ~inside


@pytest.mark.parametrize("n_leaves", [1, 7, 300])
def test_leaves_lie_as_a_painter_would_lay_them(n_leaves):
    """Two rounds, so that the second one meets pictures half covered."""
    rng = np.random.default_rng(n_leaves)
    n, width = 5, 13
    grey, bare = np.zeros((n, width, width), np.uint8), np.ones((n, width, width), bool)
    wanted, left = grey.copy(), bare.copy()
    for _ in range(2):
        parts = leaves.draw_leaves(rng, (n, n_leaves), width, 0.4, 9.0)
        shade = rng.integers(1, 256, size=(n, n_leaves), dtype=np.uint8)
        grey, bare = leaves.lay(grey, bare, *parts, shade)
        for k in range(n):
            paint(wanted[k], left[k], *(part[k] for part in (*parts, shade)))
        np.testing.assert_array_equal(grey, wanted)
        np.testing.assert_array_equal(bare, left)


def test_the_front_leaf_is_a_whole_disc_and_what_lies_below_shows_around_it():
    size = (1, 20, 20)
    front, back = (6.2, 10.0, 9.0), (30.0, 10.0, 10.0)
    radius, row, column = (np.array([pair]) for pair in zip(front, back, strict=True))
    shade = np.array([[200, 90]], np.uint8)
    grey, bare = leaves.lay(
        np.zeros(size, np.uint8), np.ones(size, bool), radius, row, column, shade
    )
    y, x = np.indices(size[1:])
    disc = np.hypot(y - 10, x - 9) <= 6.2
    np.testing.assert_array_equal(
        grey[0], np.where(disc, 200, 90)
    )  # none shines through
    assert not bare.any()


def test_every_grey_is_as_probable(drawn):
    """Pixels far apart, of pictures that have nothing in common."""
    for pixels in (drawn[:, 0, 0], drawn[:, 12, 12]):
        counts = np.bincount(pixels, minlength=256).reshape(16, 16).sum(axis=1)
        assert stats.chisquare(counts).pvalue > 1e-4
    assert len(np.unique(drawn)) == 256
    few = leaves.dead_leaves(3000, 3, levels=4)[:, 0, 1, 1]
    assert stats.chisquare(np.bincount(few, minlength=4)).pvalue > 1e-4


@pytest.mark.parametrize("shift", [(0, 1), (2, 0), (3, 4), (0, 8), (0, 16), (0, 23)])
def test_greys_correlate_as_their_areas_say(drawn, shift):
    down, right = shift
    first = drawn[:, : WIDTH - down, : WIDTH - right].astype(float) - 127.5
    second = drawn[:, down:, right:].astype(float) - 127.5
    products = (first * second).mean(axis=(1, 2)) / ((256**2 - 1) / 12)
    error = products.std() / np.sqrt(len(products))
    known = leaves.same_leaf(np.hypot(*shift), SMALLEST, LARGEST)
    assert products.mean() == pytest.approx(known, abs=4 * error)
    assert error < 0.015


@pytest.mark.parametrize("row, column", [(0, 0), (0, 12), (12, 0), (12, 12), (23, 19)])
def test_no_place_differs_from_another(drawn, row, column):
    """The same leaf is seen two pixels on as often at a border as in the middle."""
    pairs = drawn[:, row, column] == drawn[:, row, column + (2 if column < 20 else -2)]
    same = leaves.same_leaf(2, SMALLEST, LARGEST)
    known = same + (1 - same) / 256  # or another leaf of the same grey
    error = np.sqrt(known * (1 - known) / len(pairs))
    assert pairs.mean() == pytest.approx(known, abs=4 * error)


def test_radii_fall_as_their_third_power():
    rng = np.random.default_rng(0)
    radius, row, column = leaves.draw_leaves(rng, 200_000, WIDTH, SMALLEST, LARGEST)
    assert radius.min() >= SMALLEST and radius.max() <= LARGEST
    centred = (abs(row - 11.5) < 11.5) & (abs(column - 11.5) < 11.5)

    def below(r):
        return (SMALLEST**-2 - r**-2) / (SMALLEST**-2 - LARGEST**-2)

    assert stats.kstest(radius[centred], below).pvalue > 1e-4
    for centre in (row, column):  # uniform as far out as a leaf can be and touch
        place = (centre + radius) / (WIDTH - 1 + 2 * radius)
        assert 0 <= place.min() and place.max() <= 1
        assert stats.kstest(place, "uniform").pvalue > 1e-4
    over_corner = radius[row**2 + column**2 <= radius**2]  # octaves cover alike
    span = np.log(LARGEST / SMALLEST)
    uniform = np.log(over_corner / SMALLEST) / span
    assert stats.kstest(uniform, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0, 15.0])
def test_probability_of_the_same_leaf_by_throwing_leaves(distance):
    """Leaves thrown on a wide field and counted: no areas, no integral."""
    rng = np.random.default_rng(1)
    a, b, n = SMALLEST, LARGEST, 2_000_000
    radius = a * (b / a) ** rng.random(n)  # r^-1, and each leaf counts r^-2 times
    centre = rng.uniform(-1, 1, (2, n)) * [[b + distance], [b]]
    one, other = (np.hypot(centre[0] - x, centre[1]) <= radius for x in (0.0, distance))
    both, either = (radius**-2 * hits for hits in (one & other, one | other))
    ratio = both.sum() / either.sum()
    error = np.std(both - ratio * either) / either.mean() / np.sqrt(n)
    assert leaves.same_leaf(distance, a, b) == pytest.approx(ratio, abs=4 * error)


def test_probability_of_the_same_leaf_at_its_ends_and_at_every_scale():
    d = np.array([0.0, 1.0, 5.0, 23.9, 24.0, 99.0])
    p = leaves.same_leaf(d, SMALLEST, LARGEST)
    assert p[0] == pytest.approx(1) and p[-2] == p[-1] == 0
    assert (np.diff(p[:5]) < 0).all()
    for k in (0.1, 7.0):
        np.testing.assert_allclose(
            leaves.same_leaf(k * d, k * SMALLEST, k * LARGEST), p, rtol=1e-6, atol=1e-9
        )
    assert leaves.same_leaf(3.0, 2, 16).shape == ()


def test_the_seed_decides_and_the_number_does_not():
    first = leaves.dead_leaves(10, 16, seed=3)
    np.testing.assert_array_equal(leaves.dead_leaves(300, 16, seed=3)[:10], first)
    for seed in (4, [3, 1], [4, 0]):
        assert (leaves.dead_leaves(10, 16, seed=seed) != first).mean() > 0.5
    assert first.dtype == np.uint8 and first.shape == (10, 1, 16, 16)


def test_pictures_of_any_width_are_covered():
    for width in (1, 2, 70):
        X = leaves.dead_leaves(3, width, 1.0, 40.0)
        assert X.shape == (3, 1, width, width)
    tiny = leaves.dead_leaves(2, 20, 0.3, 0.5)
    assert (tiny[:, :, :-1] != tiny[:, :, 1:]).mean() > 0.9  # each pixel has its own


def test_the_set_is_scaled_like_all_others():
    data = datasets.load("DEAD_LEAVES", width=8, n_train=400, n_test=50, seed=2)
    assert data.X_train.shape == (400, 64) and data.X_test.shape == (50, 64)
    assert data.image_shape == (1, 8, 8) and data.X_train.dtype == np.float32
    assert data.X_train.mean() == pytest.approx(0, abs=1e-5)
    assert data.X_train.std() == pytest.approx(1, rel=1e-5)
    assert data.grey_level * data.scale * 255 == pytest.approx(1)
    assert not (data.X_test[:, None] == data.X_train).all(axis=2).any()
    assert data.settings == {
        "width": 8, "n_train": 400, "n_test": 50, "smallest": 2.0, "largest": 16.0,
        "seed": 2, "noise": 0.0,
    }  # fmt: skip
    again = datasets.load("DEAD_LEAVES", **data.settings)
    np.testing.assert_array_equal(again.X_train, data.X_train)
    np.testing.assert_array_equal(again.X_test, data.X_test)


def test_noise_is_added_and_seldom_cut():
    settings = {"width": 32, "n_train": 500, "n_test": 2, "seed": 2}
    clean, noisy = (
        datasets.load("DEAD_LEAVES", **settings, noise=noise) for noise in (0.0, 4.0)
    )
    clean, noisy = (d.X_train * d.scale * 255 + d.shift * 255 for d in (clean, noisy))
    rest = noisy - (12 + clean * (1 - 24 / 255))  # three deviations off either end
    # rounding to whole levels adds 1/12 to the variance
    assert rest.std() == pytest.approx(np.sqrt(16 + 1 / 12), rel=0.01)
    assert abs(rest.mean()) < 0.05
    assert ((noisy < 0.5) | (noisy > 254.5)).mean() < 1e-3
    with pytest.raises(ValueError, match=r"noise = 100: it must lie in \[0, 40\)"):
        datasets.load("DEAD_LEAVES", **settings, noise=100)


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"smallest": 0}, "smallest = 0: it must be positive"),
        ({"smallest": np.nan}, "smallest = nan"),
        ({"largest": np.inf}, "largest = inf"),
        ({"smallest": 5, "largest": 4}, "must be below the largest"),
        ({"smallest": 0.01}, "below 0.1 of a pixel seldom"),
        ({"width": 0}, "width = 0: it must be at least 1"),
        ({"width": 7.5}, "width = 7.5: it must be a whole number"),
        ({"n_train": 1}, "n_train = 1: it must be at least 2"),
        ({"n_test": 0}, "n_test = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"radius": 3}, "no setting 'radius': there are width, n_train"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        datasets.load("DEAD_LEAVES", **settings)


def test_pictures_painted_for_a_batch_are_like_all_others(monkeypatch):
    """As many as asked for, of the same kind, in blocks or not, with the same noise."""
    kind = dict(width=12, smallest=1.5, largest=6.0)
    some = leaves.painted(700, np.random.default_rng(0), **kind)[:, 0]
    same = leaves.painted(700, np.random.default_rng(0), **kind)[:, 0]
    np.testing.assert_array_equal(some, same)
    others = leaves.dead_leaves(700, **kind, seed=1)[:, 0]
    assert some.shape == others.shape and some.dtype == np.uint8
    expected = leaves.same_leaf(1.0, 1.5, 6.0)
    for pictures in (some, others):
        found = (pictures[:, :, 1:] == pictures[:, :, :-1]).mean()
        assert found == pytest.approx(expected + (1 - expected) / 256, abs=0.01)
        assert pictures.mean() == pytest.approx(127.5, abs=4)
    monkeypatch.setattr(leaves, "BLOCK", 1)  # of 7 pictures of this width
    few = leaves.painted(20, np.random.default_rng(0), **kind, noise=4.0)
    assert few.shape == (20, 1, 12, 12) and len(np.unique(few, axis=0)) == 20
    assert (few[:, :, :, 1:] == few[:, :, :, :-1]).mean() < 0.2  # noise on each pixel
    with pytest.raises(ValueError, match="smallest = 8.0 and largest = 6.0"):
        leaves.painted(2, np.random.default_rng(0), smallest=8.0, largest=6.0)
