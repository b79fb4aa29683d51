"""What all recipes share: draws, and data that fit."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.recipes import (
    SHUFFLE,
    TIME,
    HeartbeatRecipe,
    ImageRecipe,
    SwissRollRecipe,
)
from dpm.recipes.base import (
    INITIALIZE,
    NOISE,
    BaseRecipe,
    RecipeStream,
    check_batch_size,
    half_cosine_extensions,
)

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


@dataclass(frozen=True)
class Plain(BaseRecipe):
    """A recipe whose steps draw one number, which is theirs alone."""

    seed: int = 0
    batch_size: int = 4

    def draws(self, step, inputs):
        return [self.rng(NOISE, step).random()]


X = np.arange(14.0)[:, None]  # three batches of four, and two rows left over


def rows(recipe, steps):
    stream = RecipeStream(recipe, X, "float32", [])
    return [stream.batch(step).ravel().astype(int).tolist() for step in steps]


def test_an_epoch_visits_no_row_twice_and_each_has_its_own_order():
    found = rows(Plain(), range(300))
    epochs = [sum(found[start : start + 3], []) for start in range(0, 300, 3)]
    assert all(len(batch) == 4 for batch in found)
    assert all(len(set(epoch)) == 12 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 100
    left_over = [row for epoch in epochs for row in set(range(14)) - set(epoch)]
    assert set(left_over) == set(range(14))  # none is left out for ever


def test_the_data_of_a_step_do_not_depend_on_those_before():
    in_order, steps = rows(Plain(), range(20)), [17, 3, 4, 0, 19]
    assert rows(Plain(), steps) == [in_order[step] for step in steps]
    assert rows(Plain(seed=1), range(20)) != in_order


def test_a_step_is_given_data_in_the_models_precision_and_its_draws():
    data, drawn = RecipeStream(Plain(), X, "float32", []).get_data(5)
    assert data.dtype == np.float32 and data.ravel().tolist() == rows(Plain(), [5])[0]
    assert drawn == Plain().rng(NOISE, 5).random() != Plain().rng(NOISE, 6).random()


@pytest.mark.parametrize(
    "recipe, names",
    [
        (SwissRollRecipe(n_t_per_minibatch=6), ["noise"]),
        (HeartbeatRecipe(), ["noise"]),
        (ImageRecipe("DIGITS"), ["noise", "uniform", "t", "dropout"]),
        (
            ImageRecipe("DIGITS", t_per_image=True, stratified_t=True),
            ["noise", "uniform", "t", "dropout"],
        ),
    ],
)
def test_whatever_a_step_draws_is_its_own_and_always_the_same(recipe, names):
    inputs = [pt.tensor(name, shape=(9, 7), dtype="float32") for name in names]
    drawn = [recipe.draws(step, inputs) for step in (0, 1, 2, 3, 1)]
    for kind in zip(*drawn, strict=True):
        *first, again = [np.asarray(each).tobytes() for each in kind]
        assert len(set(first)) == 4 and again == first[1]
    by_kind = {np.asarray(each).ravel()[:9].tobytes() for each in drawn[0]}
    assert len(by_kind) == len(drawn[0])  # no two kinds have the same numbers


@pytest.mark.parametrize("stratified", [False, True])
def test_times_of_images_are_all_the_learned_ones(stratified):
    recipe = ImageRecipe("DIGITS", t_per_image=True, stratified_t=stratified,
                         model_args={"trajectory_length": 5})  # fmt: skip
    t = pt.tensor("t", shape=(50, 1), dtype="float32")
    found = np.concatenate([recipe.draws(step, [t])[0] for step in range(8)])
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [1, 2, 3, 4] and counts.min() > 70


def test_purposes_and_numbers_draw_apart_and_always_the_same():
    first = Plain().rng(NOISE, 2).random()
    assert Plain().rng(NOISE, 2).random() == first
    others = Plain().rng(INITIALIZE, 2), Plain().rng(NOISE, 3), Plain(1).rng(NOISE, 2)
    assert first not in [rng.random() for rng in others]


def test_a_recipe_has_no_settings_of_data_and_no_tables_unless_it_says_so():
    recipe = Plain()
    assert recipe.for_data(None) is recipe and recipe.tables(None) == []


def test_data_must_fill_a_batch():
    check_batch_size(Plain(), X[:4])
    with pytest.raises(ValueError, match="batch_size = 4 exceeds the 3 training sampl"):
        check_batch_size(Plain(), X[:3])


def test_the_rate_follows_half_a_cosine_down_to_zero():
    rate = pytensor.shared(np.float64(0.2))
    every_step, end = half_cosine_extensions(rate, 0.2, 8)
    assert end.n_steps == 8
    rates = [every_step.function(step, None) for step in (0, 2, 4, 6, 8, 9)]
    falls = [1, 0.5 + np.sqrt(0.125), 0.5, 0.5 - np.sqrt(0.125), 0, 0]
    np.testing.assert_allclose(rates, 0.2 * np.array(falls), atol=1e-15)
