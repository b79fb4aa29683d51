"""What a user hands in is refused in one message, or comes back as it is."""

import numpy as np
import pytensor.tensor as pt
import pytest

from dpm.blocks import checks


@pytest.mark.parametrize("T", [1, 2.5, np.nan, True, -3])
def test_a_trajectory_has_at_least_two_whole_steps(T):
    with pytest.raises(ValueError, match=f"T = {T!r}: a trajectory needs"):
        checks.check_trajectory_length(T)


def test_whole_numbers_come_back_as_ints():
    assert type(checks.check_trajectory_length(np.float64(2.0))) is int
    count = checks.check_count(np.int32(3), "n", least=3)
    assert count == 3 and type(count) is int


def test_a_rate_of_one_is_allowed_only_where_it_is_said():
    assert checks.check_rate(0.5) == 0.5
    assert checks.check_rate(1.0, closed=True) == 1.0
    symbol = pt.scalar()
    assert checks.check_rate(symbol) is symbol
    with pytest.raises(ValueError, match=r"rho = 1 lies outside \(0, 1\)"):
        checks.check_rate([0.5, 1.0], "rho")
    for bad in (0.0, 1.5, np.nan):
        with pytest.raises(ValueError, match=rf"beta = {bad:g} lies outside \(0, 1\]"):
            checks.check_rate(bad, closed=True)


def test_shapes_that_do_not_broadcast_are_named():
    checks.check_broadcast(X=np.zeros((3, 2)), noise=np.zeros((4, 1, 2)))
    unknown = pt.matrix("X")  # of no known shape: let through
    checks.check_broadcast(X=unknown, noise=np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"X \(3, 2\), noise \(2,\s?3\)"):
        checks.check_broadcast(X=np.zeros((3, 2)), noise=np.zeros((2, 3)))
    known = pt.tensor("X", shape=(None, 2), dtype="float64")
    with pytest.raises(ValueError, match=r"X \(1, 2\)"):
        checks.check_broadcast(X=known, noise=np.zeros((4, 5)))


def test_an_unknown_choice_is_told_what_there_is():
    assert checks.check_choice("a", ("a", "b"), "mean") == "a"
    with pytest.raises(ValueError, match="unknown mean 'c': there are a, b"):
        checks.check_choice("c", ("a", "b"), "mean")


@pytest.mark.parametrize(
    "value, match",
    [
        (1, "n = 1: it must be at least 2"),
        (2.0, "n = 2.0: it must be a whole number"),
        (True, "n = True: it must be a whole number"),
        ("2", "n = '2': it must be a whole number"),
    ],
)
def test_counts_are_whole_and_large_enough(value, match):
    with pytest.raises(ValueError, match=match):
        checks.check_count(value, "n", least=2)


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan])
def test_what_must_be_positive_is_finite_too(value):
    checks.check_positive(1e-300, "gain")
    with pytest.raises(ValueError, match="gain = .*: it must be positive"):
        checks.check_positive(value, "gain")


@pytest.mark.parametrize(
    "X, match",
    [
        ([["a", "b"]], "not an array of numbers"),
        (np.zeros((0, 2)), r"shape \(0, 2\), but this model takes \(n, 2\)"),
        (np.zeros((4, 3)), r"shape \(4, 3\)"),
        (np.zeros(2), r"shape \(2,\)"),
        ([[0, 1], [np.nan, 0], [np.inf, 0]], r"nan in row 1 \(2 such rows\)"),
    ],
)
def test_data_of_another_shape_or_with_gaps_are_refused(X, match):
    with pytest.raises(ValueError, match=match):
        checks.check_data(X, 2)


def test_good_data_come_back_as_an_array():
    X = checks.check_data([[1, 2], [3, 4]], 2)
    np.testing.assert_array_equal(X, [[1, 2], [3, 4]])


def test_bits_are_zeros_and_ones():
    np.testing.assert_array_equal(checks.check_bits([[0, 1]]), [[0, 1]])
    symbol = pt.matrix()
    assert checks.check_bits(symbol) is symbol
    for bad, match in (
        ([[0, 0.5]], "X holds 0.5: bits are 0 or 1"),
        ([[np.nan, 1]], "X holds nan"),
        ([0, 1], r"X has shape \(2,\): give bits"),
        (np.zeros((0, 3)), r"X has shape \(0, 3\)"),
    ):
        with pytest.raises(ValueError, match=match):
            checks.check_bits(bad)


def test_a_seed_makes_a_generator_and_a_generator_stays():
    rng = np.random.default_rng(3)
    assert checks.as_rng(rng) is rng
    assert checks.as_rng(3).random() == np.random.default_rng(3).random()
