"""What all recipes share: draws, and data that fit."""

import dataclasses

import numpy as np
import pytest

from dpm.recipes import INITIALIZE, NOISE, SHUFFLE, TIME, SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)


def test_another_seed_draws_other_numbers():
    other = dataclasses.replace(SMALL, seed=1)
    for purpose in (INITIALIZE, SHUFFLE, NOISE, TIME):
        first = SMALL.rng(purpose, 3).random(4)
        assert not np.isin(other.rng(purpose, 3).random(4), first).any()
        assert not np.isin(SMALL.rng(purpose, 4).random(4), first).any()


@pytest.mark.parametrize(
    "data, match",
    [
        (np.array([[0.0, 1.0]] * 9 + [[np.nan, 0.0]]), "holds nan in row 9"),
        (np.array([[0.0, 1.0]] * 9 + [[0.0, -np.inf]]), "holds -inf in row 9"),
        (np.zeros((10, 3)), r"shape \(10, 3\), but this model takes \(n, 2\)"),
        (np.zeros(10), r"shape \(10,\)"),
        (np.zeros((0, 2)), r"shape \(0, 2\)"),
        ([["a", "b"]], "not an array of numbers"),
        (np.zeros((3, 2)), "batch_size = 8 exceeds the 3 training samples"),
    ],
)
def test_bad_training_data_are_refused(data, match):
    with pytest.raises(ValueError, match=match):
        SMALL.main_loop(data)
