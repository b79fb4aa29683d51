"""Pictures turned over: all ways there are, each as often, and no pixel lost."""

import numpy as np
import pytest

from dpm.datasets.symmetries import check_symmetries, turned

SHAPE = (2, 4, 4)


def ways(name, shape=SHAPE, n=4000):
    """How often each picture came of one whose pixels all differ, by its bytes."""
    picture = np.arange(np.prod(shape), dtype="float32")
    found = turned(np.tile(picture, (n, 1)), shape, name, np.random.default_rng(0))
    assert found.shape == (n, picture.size) and found.dtype == picture.dtype
    counts: dict = {}
    for row in found:
        counts[row.tobytes()] = counts.get(row.tobytes(), 0) + 1
    return picture.reshape(shape), counts


def as_bytes(pictures):
    return {np.ascontiguousarray(picture).tobytes() for picture in pictures}


def test_all_eight_ways_to_lay_a_square_on_itself_come_alike():
    picture, counts = ways("eight")
    quarters = [np.rot90(picture, k, axes=(1, 2)) for k in range(4)]
    assert counts.keys() == as_bytes([*quarters, *(q[..., ::-1] for q in quarters)])
    assert len(counts) == 8
    np.testing.assert_allclose(list(counts.values()), 500, atol=5 * 500**0.5)


@pytest.mark.parametrize("shape", [SHAPE, (1, 3, 5)])
def test_a_mirror_needs_a_width_alone(shape):
    picture, counts = ways("mirror", shape)
    assert counts.keys() == as_bytes([picture, picture[..., ::-1]])
    np.testing.assert_allclose(list(counts.values()), 2000, atol=5 * 1000**0.5)


def test_each_picture_of_a_batch_is_turned_alone_and_the_data_stay():
    X = np.random.default_rng(1).standard_normal((64, 32))
    before = X.copy()
    first, again, other = (
        turned(X, SHAPE, "mirror", np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(first, again)
    assert 20 < (first != X).any(axis=1).sum() < 44
    assert (first != other).any()
    assert turned(X, SHAPE, "none", None) is X


@pytest.mark.parametrize(
    "name, shape, match",
    [
        ("six", SHAPE, "unknown symmetries 'six': there are none, mirror, eight"),
        ("eight", (1, 4, 6), "is for square pictures, not for 4 x 6 pixels"),
        ("mirror", None, "'mirror' is for pictures, and vectors have no left"),
        ("eight", None, "'eight' is for pictures"),
    ],
)
def test_data_without_such_symmetries_are_refused(name, shape, match):
    with pytest.raises(ValueError, match=match):
        check_symmetries(name, shape)
