"""The recipe of the swiss roll."""

import dataclasses

import numpy as np
import pytest

from dpm import evaluation, runs
from dpm.recipes import SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)


def test_random_time_steps_are_all_the_learned_ones():
    recipe = dataclasses.replace(SMALL, n_t_per_minibatch=2)
    loop = recipe.main_loop(SMALL.load_data().X_train)
    noise, t = loop.data_stream.draws(7)
    assert noise.shape == (2, 8, 2) and t.shape == (2,)
    assert {int(t) for step in range(40) for t in loop.data_stream.draws(step)[1]} == {
        1,
        2,
        3,
        4,
    }
    assert np.isfinite(loop.run().costs).all()


def test_training_raises_K(compiled):
    recipe = dataclasses.replace(SwissRollRecipe(), n_steps=1000)
    data = recipe.load_data()
    model = recipe.build_model()
    model.initialize(np.random.default_rng(0))
    before, _ = evaluation.bound_per_sample(model, data.X_test[:1000])
    trained = runs.train(recipe, progress=False).model.get_parameter_values()
    model.set_parameter_values(trained)
    after, _ = evaluation.bound_per_sample(model, data.X_test[:1000])
    assert after.mean() > before.mean() + 0.5


@pytest.mark.parametrize(
    "field, value, match",
    [
        ("trajectory_length", 1, "trajectory_length = 1: .* at least 2"),
        ("step1_beta", 0.0, r"step1_beta = 0.0: it must lie in \(0, 1\)"),
        ("step1_beta", 1.5, r"step1_beta = 1.5: it must lie in \(0, 1\)"),
        ("dataset", "CATS", "unknown dataset 'CATS': there are SWISS_ROLL"),
        ("schedule", "cosine", "unknown schedule 'cosine': there are baseline"),
        ("rule", "SGD", "unknown rule 'SGD': there are Adam, RMSProp"),
        ("n_hidden", 0, "n_hidden = 0"),
        ("n_steps", -5, "n_steps = -5"),
        ("n_t_per_minibatch", -1, "n_t_per_minibatch = -1"),
    ],
)
def test_recipes_refuse_bad_settings(field, value, match):
    with pytest.raises(ValueError, match=match):
        dataclasses.replace(SMALL, **{field: value})
