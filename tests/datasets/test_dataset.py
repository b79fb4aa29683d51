"""What a run keeps of its data, and that other data are refused afterwards."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from dpm import commands, datasets, evaluate, recipes, runs, train
from dpm.blocks import checkpoint
from dpm.recipes import HeartbeatRecipe, ImageRecipe, SwissRollRecipe

MODEL_ARGS = commands.parse_model_args(
    "trajectory_length=6, n_temporal_basis=3, n_hidden_conv=2, n_layers_conv=1, "
    "n_hidden_dense_lower=4, n_hidden_dense_upper=4"
)
SETTINGS = {
    "DIGITS": {"seed": 3, "n_test": 97},
    "DEAD_LEAVES": {"seed": 3, "width": 8, "n_train": 40, "n_test": 10},
    "TEXTURE": {"seed": 3, "width": 8, "n_train": 40, "n_test": 10},
    "BARK4": {"seed": 3, "width": 8, "n_train": 40, "n_test": 10, "names": "oak"},
    "BARK": {"seed": 3, "width": 8, "n_train": 40, "n_test": 10},
}


def recipe_for(name):
    settings = SETTINGS[name]
    return ImageRecipe(name, batch_size=8, model_args=MODEL_ARGS, data_args=settings)


@pytest.fixture
def bark(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "bark").mkdir()
    for number in range(4):
        pixels = rng.integers(0, 200, (20, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "bark" / f"T01_{number:02}.png")
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    return tmp_path / "bark"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    runs.train(recipe_for("DIGITS"), folder, n_steps=2, progress=False)
    return folder


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_set_has_a_recipe(name, bark):
    if not datasets.at_hand(name):
        pytest.skip("scikit-image is not installed")
    recipe = recipe_for(name)
    data = recipe.load_data()
    assert SETTINGS[name].items() <= data.settings.items()
    recipe = recipe.for_data(data)
    assert recipe.model_args["uniform_noise"] == data.grey_level
    assert recipe.build_model().n_dim == 64
    saved = json.loads(json.dumps({"recipe": dataclasses.asdict(recipe)}))
    again = recipes.recipe_of(saved)
    assert again == recipe
    runs.check_recipe(again, saved)
    datasets.check_same_data(data, json.loads(json.dumps(data.description)))


def test_a_run_keeps_its_data_and_is_scored_on_what_it_held_out(digits, capsys):
    _, meta = checkpoint.load(digits)
    data = datasets.load("DIGITS", **SETTINGS["DIGITS"])
    assert meta["recipe"]["data_args"] == SETTINGS["DIGITS"]
    assert meta["data"] == data.description
    assert meta["data"]["n_test"] == 97 and meta["data"]["scale"] == data.scale
    assert evaluate.main([str(digits), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["K"]["unit"] == "bits/pixel" and np.isfinite(report["K"]["value"])


def refused(folder, capsys, *options):
    """What evaluating says, which must be one line."""
    assert evaluate.main([str(folder), *options]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    return message


def test_other_settings_are_refused(digits, capsys):
    message = refused(digits, capsys, "--data-args", "seed=4")
    assert (
        "the checkpoint's data had seed = 3, but those given have seed = 4" in message
    )
    assert "n_test" in refused(digits, capsys, "--data-args", "n_test=98")
    assert "no setting 'path'" in refused(digits, capsys, "--data-args", "path='x'")
    assert "--data-args 'seed'" in refused(digits, capsys, "--data-args", "seed")


def test_a_setting_is_named_rather_than_what_follows_from_it():
    recipe = recipe_for("DEAD_LEAVES")
    meta = json.loads(json.dumps({"data": recipe.load_data().description}))
    with pytest.raises(ValueError, match="data had smallest = 2.0, but .* = 5.0"):
        runs.data_of(recipe, meta, "smallest=5.0")


@pytest.mark.parametrize(
    "name, change, fits",
    [
        ("scale", 1e-5, True),  # as another version of a decoder would make it
        ("scale", 1e-2, False),
        ("shift", -1e-2, False),
        ("shift", 1e-5, True),
        ("grey_level", 0.1, False),
        ("n_train", 1, False),
    ],
)
def test_other_scaling_is_refused_beyond_rounding(
    digits, tmp_path, capsys, name, change, fits
):
    arrays, meta = checkpoint.load(digits)
    meta["data"][name] += change
    checkpoint.save(tmp_path / checkpoint.FILE_NAME, arrays, meta)
    if fits:
        runs.data_of(recipes.recipe_of(meta), meta)
    else:
        assert f"data had {name} = " in refused(tmp_path, capsys)
        with pytest.raises(ValueError, match=f"data had {name} = "):
            recipe = recipes.recipe_of(meta)
            runs.train(recipe, tmp_path, resume=True, n_steps=3, progress=False)


def test_checkpoints_from_before_data_were_kept_still_serve(digits, tmp_path):
    arrays, meta = checkpoint.load(digits)
    del meta["data"], meta["recipe"]["data_args"]
    checkpoint.save(tmp_path / checkpoint.FILE_NAME, arrays, meta)
    recipe = runs.load_run(tmp_path)[1]
    assert len(runs.data_of(recipe, meta).X_test) == 297  # the default split
    runs.check_recipe(recipe, meta)
    with pytest.raises(
        ValueError, match="trained with data_args = {}, but {'seed': 1}"
    ):
        other = dataclasses.replace(recipe, data_args={"seed": 1})
        runs.check_recipe(other, meta)


def test_bark_may_move_but_not_change(bark, tmp_path):
    recipe = recipe_for("BARK")
    meta = json.loads(json.dumps({"data": recipe.load_data().description}))
    assert str(tmp_path) not in json.dumps(meta)
    bark.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="no bark is at hand: put"):
        runs.data_of(recipe, meta)
    moved = f"path={str(tmp_path / 'elsewhere')!r}"
    assert runs.data_of(recipe, meta, moved).n_dim == 64
    for path in (tmp_path / "elsewhere").iterdir():
        pixels = 55 + np.asarray(Image.open(path))
        Image.fromarray(pixels).save(path)
    with pytest.raises(ValueError, match="the checkpoint's data had shift = "):
        runs.data_of(recipe, meta, moved)


def test_the_swiss_roll_keeps_its_data_too():
    recipe = SwissRollRecipe()
    meta = json.loads(json.dumps({"data": recipe.load_data().description}))
    assert meta["data"]["settings"]["noise"] == 0.3 and len(meta["data"]["shift"]) == 2
    runs.data_of(recipe, meta)
    with pytest.raises(ValueError, match="is for images"):
        runs.data_of(recipe, meta, "seed=1")
    with pytest.raises(ValueError, match="data had noise = 0.3"):
        runs.data_of(dataclasses.replace(recipe, noise=0.2), meta)
    meta["data"]["shift"][1] += 1.0
    with pytest.raises(ValueError, match="data had shift = "):
        runs.data_of(recipe, meta)


def test_the_heartbeat_keeps_its_data_too():
    recipe = HeartbeatRecipe()
    meta = json.loads(json.dumps({"data": recipe.load_data().description}))
    assert meta["data"]["settings"] == {"length": 20, "period": 5}
    assert runs.data_of(recipe, meta).exhaustive
    assert runs.data_of(recipe, {}).exhaustive  # of a checkpoint without
    with pytest.raises(ValueError, match="is for images"):
        runs.data_of(recipe, meta, "period=4")
    with pytest.raises(ValueError, match="data had period = 5"):
        runs.data_of(dataclasses.replace(recipe, period=4), meta)


def test_the_command_line_knows_the_sets_and_their_settings(tmp_path, digits, capsys):
    out = ["--output-dir", str(tmp_path), "--dataset"]
    check = [
        ("has no setting 'sede'", *out, "DIGITS", "--data-args", "sede=1"),
        ("--data-args 'seed' cannot", *out, "DIGITS", "--data-args", "seed"),
        ("--data-args is for images", *out, "SWISS_ROLL", "--data-args", "seed=1"),
        ("must be left", *out, "DIGITS", "--data-args", "n_test=1797"),
        ("leave out", "--resume_file", str(digits), "--data-args", "seed=3"),
    ]
    for match, *words in check:
        assert train.main(words) == 2
        message = capsys.readouterr().err
        assert match in message and len(message.splitlines()) == 1, message
    assert not list(tmp_path.iterdir())
    args = train.parse_args(["--dataset", "DIGITS", "--data-args", "seed=3"])
    assert train.recipe_from_args(args).data_args == {"seed": 3}
