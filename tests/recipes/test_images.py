"""The recipe of images."""

import dataclasses
import json

import numpy as np
import pytest

from dpm import evaluate, runs, trained
from dpm.blocks import checkpoint
from dpm.blocks.extensions import FinishAfter
from dpm.extensions import LogLikelihood
from dpm.recipes import ImageRecipe, SwissRollRecipe
from dpm.recipes.base import RecipeStream


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"sede": 1}, "DIGITS has no setting 'sede': there are n_test, seed"),
        ({"seed": [1]}, r"seed = \[1\]: it must be a whole number"),
    ],
)
def test_recipes_refuse_settings_that_the_data_lack(settings, match):
    with pytest.raises(ValueError, match=match):
        ImageRecipe("DIGITS", data_args=settings)


def test_options_of_a_run_that_would_not_be_used_are_refused(tmp_path):
    recipe = ImageRecipe("DIGITS", batch_size=8, decay_steps=5)
    cases = [
        ({"n_steps": 6}, "n_steps = 6 exceeds decay_steps = 5"),
        ({"n_steps": 0}, "n_steps = 0: it must be at least 1"),
        ({"n_steps": 2.5}, "n_steps = 2.5: it must be a whole number"),
        ({"ext_every_n": -1}, "ext_every_n = -1: it must be at least 0"),
        ({"plot_before_training": 1}, "plot_before_training = 1: it must be True or"),
        ({"save_every": 5}, "save_every = 5 is for runs that are kept"),
        ({"ext_every_n": 5}, "ext_every_n = 5 is for runs that are kept"),
        ({"resume": True}, "give the output_dir of the run"),
    ]
    for options, match in cases:
        with pytest.raises(ValueError, match=match):
            runs.train(recipe, progress=False, **options)
    toy = SwissRollRecipe(n_steps=12)
    for options, match in [
        ({"n_steps": 5}, "n_steps = 5 is for images: the recipe says how many, 12"),
        ({"ext_every_n": 5}, "ext_every_n = 5 is for images"),
        ({"plot_before_training": True}, "plot_before_training = True is for images"),
    ]:
        with pytest.raises(ValueError, match=match):
            runs.train(toy, tmp_path / "run", progress=False, **options)
    assert not list(tmp_path.iterdir())


# -- how a batch is drawn, and what is kept beside the parameters -----

SIZES = dict(
    trajectory_length=50,
    n_temporal_basis=3,
    n_hidden_conv=0,
    n_hidden_dense_lower=6,
    n_layers_dense_lower=2,
    n_hidden_dense_upper=4,
    sum_over_t="random",
)
SMALL = ImageRecipe(
    "DIGITS", batch_size=20, rule="Adam", t_per_image=True, model_args=SIZES
)
CHANGED = dataclasses.replace(SMALL, stratified_t=True, symmetries="eight", ema=0.9)


@pytest.fixture(scope="module")
def digits():
    return SMALL.load_data()


def stream(recipe, data):
    """What the steps are given, without what it takes to take them."""
    recipe = recipe.for_data(data)
    _, inputs = recipe.graph(recipe.build_model())
    paint = data.paint if recipe.fresh else None
    return RecipeStream(recipe, data.X_train, recipe.dtype, inputs, paint)


def test_times_of_a_batch_are_spread_and_each_is_as_likely_for_each_picture(digits):
    """Of 20 pictures and 49 times: two or three in each twentieth of the way."""
    loop = stream(dataclasses.replace(SMALL, stratified_t=True), digits)
    counts = np.zeros((20, 50))
    for step in range(2000):
        *_, t = loop.draws(step)
        assert t.shape == (20, 1) and t.dtype == np.float32
        assert (np.diff(np.sort(t.ravel())) >= 2).all()
        assert t.min() >= 1 and t.max() <= 49
        counts[np.arange(20), t.ravel().astype(int)] += 1
    assert (counts[:, 0] == 0).all()
    np.testing.assert_allclose(counts.sum(axis=0)[1:] / 2000, 20 / 49, atol=0.05)
    spread = (counts[:, 1:] / 2000 * 49 - 1) * (2000 / 49) ** 0.5
    assert abs(spread.std() - 1) < 0.1  # each picture's alone: as of draws by chance


def test_what_a_batch_looks_like_follows_from_its_step(digits):
    plain, turned = stream(SMALL, digits), stream(CHANGED, digits)
    for step in (3, 0, 3):
        X, changed = plain.batch(step), turned.batch(step)
        np.testing.assert_array_equal(np.sort(X), np.sort(changed))  # the same pixels
        assert 10 < (X != changed).any(axis=1).sum() <= 20
        np.testing.assert_array_equal(changed, stream(CHANGED, digits).batch(step))
    same = [
        np.isclose(plain.batch(step), turned.batch(step)).all(axis=1).tolist()
        for step in range(6)
    ]
    assert len({tuple(each) for each in same}) > 1  # each step has coins of its own
    again = dataclasses.replace(CHANGED, seed=1)
    assert (stream(again, digits).batch(3) != changed).any()


def test_an_average_is_scored_kept_resumed_and_exported(tmp_path, capsys, digits):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = {"progress": False, "ext_every_n": 0, "data": digits}
    loop = runs.train(CHANGED, whole, n_steps=9, **options)
    runs.train(CHANGED, parts, n_steps=4, **options)
    runs.train(CHANGED, parts, True, n_steps=9, **options)
    (a, meta), (b, _) = (checkpoint.load(folder) for folder in (whole, parts))
    assert a.keys() == b.keys() and any(k.startswith("average/") for k in a)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert "parameters" not in meta and meta["recipe"]["ema"] == 0.9

    plain = runs.train(dataclasses.replace(CHANGED, ema=0.0), n_steps=9, **options)
    last, average = loop.model.get_parameter_values(), loop.algorithm.average.values()
    for path, value in plain.model.get_parameter_values().items():
        np.testing.assert_allclose(value, last[path], rtol=1e-5, atol=1e-6)
        assert (average[path] != last[path]).any()

    for which, expected in ((None, average), ("average", average), ("last", last)):
        found = runs.load_run(whole, which)[0].get_parameter_values()
        for path, value in found.items():
            np.testing.assert_array_equal(value, expected[path])
    assert ", averaged" in repr(trained.load(whole))
    assert ", averaged" not in repr(trained.load(whole, "last"))

    out, K = tmp_path / "out.npz", {}
    for more, which, expected in (
        (["--parameters", "last"], "last", last),
        ([], "average", average),
    ):
        words = [str(whole), "--n-images", "9", "--n-draws", "1", "--json", *more]
        assert evaluate.main([*words, "--export", str(out)]) == 0
        K[which] = json.loads(capsys.readouterr().out)["K"]["value"]
        model, _, exported = runs.load_run(out)
        assert exported["parameters"] == which
        for path, value in model.get_parameter_values().items():
            np.testing.assert_array_equal(value, expected[path])
    assert K["average"] != K["last"]


def test_an_average_that_was_not_kept_is_refused(tmp_path, capsys, digits):
    runs.train(SMALL, tmp_path, n_steps=1, progress=False, ext_every_n=0, data=digits)
    assert evaluate.main([str(tmp_path), "--parameters", "average"]) == 2
    error = capsys.readouterr().err
    assert "this run kept no average: train with --ema" in error
    assert len(error.splitlines()) == 1


def test_another_run_starts_with_the_average_and_fitting_ends_with_it(tmp_path, digits):
    options = {"progress": False, "ext_every_n": 0, "data": digits, "n_steps": 6}
    loop = runs.train(CHANGED, tmp_path / "a", **options)
    average = loop.algorithm.average.values()
    run = runs.Run(SMALL, data=digits, start=tmp_path / "a")
    model = trained.fit(CHANGED, n_steps=6, progress=False)
    for path, value in average.items():
        np.testing.assert_array_equal(run.model.get_parameter_values()[path], value)
        np.testing.assert_array_equal(model.model.get_parameter_values()[path], value)
    assert model.meta["parameters"] == "average"


def test_what_is_scored_while_training_is_the_average(digits):
    recipe = CHANGED.for_data(digits)
    loop = recipe.main_loop(digits.X_train, [FinishAfter(6)]).run()
    score = LogLikelihood(digits.X_test[:40], digits.scale, 1, n_draws=1)
    score.do(loop)
    last = loop.model.get_parameter_values()
    loop.model.set_parameter_values(loop.algorithm.average.values())
    loop.algorithm.average = None
    score.do(loop)
    loop.model.set_parameter_values(last)
    score.do(loop)
    (_, first), (_, average), (_, other) = loop.records["test K - L_null"]
    assert first == average != other


LEAVES = dataclasses.replace(
    SMALL, dataset="DEAD_LEAVES", fresh=True,
    data_args={"width": 8, "n_train": 40, "n_test": 4, "noise": 4.0, "largest": 4.0},
)  # fmt: skip


def test_fresh_pictures_are_new_at_each_step_and_scaled_as_the_others():
    data = LEAVES.load_data()
    fresh = stream(LEAVES, data)
    batches = [fresh.batch(step) for step in range(60)]
    assert batches[0].shape == (20, 64) and batches[0].dtype == data.X_train.dtype
    np.testing.assert_array_equal(batches[7], stream(LEAVES, data).batch(7))
    everything = np.concatenate([*batches, data.X_train])
    assert len(np.unique(everything, axis=0)) == len(everything)
    found = (everything * data.scale + data.shift) * 255
    levels = np.rint(found)
    np.testing.assert_allclose(found, levels, atol=1e-3)
    assert levels.min() >= 0 and levels.max() <= 255
    assert abs(levels[:-40].mean() - 127.5) < 5
    others = dataclasses.replace(LEAVES, fresh=False)
    assert (stream(others, data).batch(7) != batches[7]).any()
    loop = runs.train(LEAVES, n_steps=2, progress=False, data=data)
    assert np.isfinite(loop.costs).all()


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"ema": 1.0}, r"ema = 1.0: it must lie in \[0, 1\)"),
        ({"symmetries": "all"}, "unknown symmetries 'all': there are none, mirror"),
        ({"stratified_t": True, "t_per_image": False}, "add t_per_image"),
        (
            {"stratified_t": True, "model_args": {**SIZES, "sum_over_t": "exact"}},
            "is for random time steps, not for sum_over_t = 'exact'",
        ),
        ({"fresh": True}, "no new pictures of DIGITS can be painted"),
    ],
)
def test_what_could_not_be_done_is_refused_before_training(settings, match, digits):
    with pytest.raises(ValueError, match=match):
        runs.Run(dataclasses.replace(SMALL, **settings), data=digits)
    with pytest.raises(ValueError, match="give paint, which makes samples anew"):
        dataclasses.replace(SMALL, fresh=True).main_loop(np.zeros((20, 64)))
