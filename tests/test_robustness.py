"""Nothing is lost, nothing is silently wrong, and errors are one clear line."""

import json
import os
import shlex
import sys

import numpy as np
import pytensor.tensor as pt
import pytest
from PIL import Image

from dpm import commands, evaluate, evaluation, runs, sampler, train
from dpm.blocks import bricks, checkpoint, checks
from dpm.blocks.backend import precision
from dpm.blocks.extensions import Checkpoint, FinishAfter
from dpm.diffusion import factors
from dpm.evaluation import parzen
from dpm.extensions import decay_learning_rate
from dpm.model import DiffusionModel
from dpm.recipes import HeartbeatRecipe, ImageRecipe, SwissRollRecipe

TINY = ["--dataset", "SWISS_ROLL", "--trajectory-length", "5", "--n-hidden", "3",
        "--batch-size", "8"]  # fmt: skip
TINY_IMAGES = [
    "--dataset", "DIGITS", "--batch-size", "8", "--ext-every-n", "0", "--model-args",
    "trajectory_length=5, n_temporal_basis=2, n_hidden_conv=0, n_hidden_dense_lower=3, "
    "n_hidden_dense_upper=3",
]  # fmt: skip


def strict(text):
    """JSON by the letter: NaN and Infinity are errors."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of ten steps."""
    out = tmp_path_factory.mktemp("runs")
    assert train.main(["--output-dir", str(out), "--n-steps", "10", *TINY]) == 0
    (folder,) = out.iterdir()
    return folder


# -- nothing is written over -----


def test_an_export_replaces_only_what_it_wrote(run, tmp_path, capsys):
    before = (run / "checkpoint.npz").read_bytes()
    assert evaluate.main([str(run), "--export", str(run / "checkpoint.npz")]) == 2
    assert "is the checkpoint of a run" in capsys.readouterr().err
    copy = tmp_path / "copy.npz"
    copy.write_bytes(before)
    for force in ([], ["--force"]):
        assert evaluate.main([str(run), "--export", str(copy), *force]) == 2
        assert copy.read_bytes() == before
    assert "could not be resumed any more" in capsys.readouterr().err
    mine = tmp_path / "mine.npz"
    mine.write_text("my notes")
    assert evaluate.main([str(run), "--export", str(mine)]) == 2
    assert "or add --force" in capsys.readouterr().err
    assert mine.read_text() == "my notes"
    assert evaluate.main([str(run), "--export", str(mine), "--force"]) == 0
    assert evaluate.main([str(run), "--export", str(mine)]) == 0  # its own file
    assert (run / "checkpoint.npz").read_bytes() == before


def test_outputs_are_proved_writable_before_anything_is_scored(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(evaluate, "score", lambda *args: pytest.fail("scored first"))
    for path, words in ((tmp_path / "no" / "x.npz", "there is no folder"),
                        (tmp_path, "is not a file")):  # fmt: skip
        assert evaluate.main([str(run), "--export", str(path)]) == 2
        assert words in capsys.readouterr().err


# -- what a run was asked -----


def test_a_resumed_run_keeps_to_the_steps_it_was_asked_for(tmp_path, capsys):
    words = ["--output-dir", str(tmp_path), "--decay-steps", "30", "--n-steps", "4"]
    assert train.main([*words, *TINY_IMAGES]) == 0
    (folder,) = tmp_path.iterdir()
    assert train.main(["--resume_file", str(folder)]) == 0
    assert "--n-steps goes on" in capsys.readouterr().out
    assert checkpoint.load(folder)[1]["iterations_done"] == 4
    assert train.main(["--resume_file", str(folder), "--n-steps", "6"]) == 0
    _, meta = checkpoint.load(folder)
    assert meta["iterations_done"] == 6
    told = meta["story"]
    assert [each["n_steps"] for each in told] == [4, None, 6]
    assert [each["from_step"] for each in told] == [0, 4, 4]
    assert all(each["machine"]["cores"] == os.cpu_count() for each in told)
    assert meta["command"] == told[0]["command"]


def test_a_rate_below_the_floor_of_2015_stays(tmp_path):
    assert decay_learning_rate(500, 1e-3) == pytest.approx(1e-3 * 0.1**1e-3)
    assert decay_learning_rate(500, 1e-6) == 1e-4  # the reference's
    assert decay_learning_rate(500, 1e-6, start=1e-6) == 1e-6
    recipe = ImageRecipe("DIGITS", batch_size=8, learning_rate=1e-6)
    data = recipe.load_data()
    loop = recipe.for_data(data).main_loop(data.X_train, [FinishAfter(1)])
    (modifier,) = [e for e in loop.extensions if hasattr(e, "function")]
    modifier.do(loop)
    rate = loop.algorithm.step_rule.learning_rate.get_value()
    assert rate == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("path='/a/bark', width=16", "path='bark', width=16"),
        ('path="/a b/c d/bark.zip", seed=1', 'path="bark.zip", seed=1'),
        ("/home/me/runs/", "runs"),
        ("--output-dir=/home/me/runs", "--output-dir=runs"),
        ("n_scales=3", "n_scales=3"),
        ("/", "/"),
    ],
)
def test_kept_commands_can_be_typed_again(typed, kept, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["dpm.train", "--data-args", typed])
    words = shlex.split(commands.command_line())
    assert words == ["python", "-m", "dpm.train", "--data-args", kept]


def test_what_is_typed_is_shown(capsys):
    with pytest.raises(ValueError, match=r"trajectory_length = 10\*\*9 is not a plain"):
        commands.parse_model_args("trajectory_length=10**9")
    for deep in ("a=" + "(" * 300 + ")" * 300, "a=" + "-" * 5000 + "1"):
        with pytest.raises(ValueError, match="cannot be read"):
            commands.parse_model_args(deep)


# -- before the first checkpoint -----


def test_a_run_without_a_checkpoint_leaves_nothing(tmp_path, monkeypatch, capsys):
    def stopped(self, folder, progress=True):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "train", stopped)
    assert train.main(["--output-dir", str(tmp_path), *TINY]) == 130
    assert "nothing is kept" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(
    tmp_path, monkeypatch, capsys
):
    saved, real = [], checkpoint.np.savez_compressed

    def full(file, **arrays):
        saved.append(1)
        if len(saved) > 2:
            raise OSError(28, "No space left on device", "checkpoint.npz")
        real(file, **arrays)

    monkeypatch.setattr(checkpoint.np, "savez_compressed", full)
    words = ["--output-dir", str(tmp_path), "--n-steps", "40", "--save-every", "5"]
    assert train.main([*words, *TINY]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "error: No space left on device: checkpoint.npz"
    (folder,) = tmp_path.iterdir()
    assert second.startswith(f"--resume_file {folder} goes on")
    assert checkpoint.load(folder)[1]["iterations_done"] == 5
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.npz", "settings.json",
    ]  # fmt: skip


@pytest.mark.parametrize("recipe", [SwissRollRecipe, HeartbeatRecipe, ImageRecipe])
def test_a_seed_is_checked_by_name(recipe):
    with pytest.raises(ValueError, match="seed = -1: it must be at least 0"):
        recipe(seed=-1)


def test_parameters_that_are_lost_are_not_saved(tmp_path):
    recipe = SwissRollRecipe(trajectory_length=5, n_hidden=3, batch_size=8, n_steps=4)
    loop = recipe.main_loop(recipe.load_data().X_train)
    file = tmp_path / "checkpoint.npz"
    save = Checkpoint(file, {})
    save.do(loop)
    good = file.read_bytes()
    variable = next(iter(loop.model.parameters.values()))
    variable.set_value(variable.get_value() * np.nan)
    save.do(loop)
    assert file.read_bytes() == good


def test_the_remedy_for_divergence_works(run, tmp_path, capsys):
    """The message says --lr and --start-from: both are taken."""
    words = ["--output-dir", str(tmp_path), "--n-steps", "3", *TINY]
    again = [*words, "--lr", "1e-4", "--start-from", str(run)]
    assert train.main(again) == 0


# -- large numbers -----


def test_large_numbers_stay_in_single_precision():
    """As many pixels, and steps, as no 16-bit integer counts."""
    with precision("float32"):
        model = DiffusionModel(
            182, 1, trajectory_length=40_000, n_temporal_basis=2, n_hidden_conv=2,
            n_layers_conv=1, n_hidden_dense_lower=0, n_hidden_dense_upper=2,
            variant="paper", sum_over_t="random",
        )  # fmt: skip
        X = pt.matrix("X", dtype="float32", shape=(2, 182**2))
        noise = pt.tensor4("noise", dtype="float32", shape=(2, 1, 182, 182))
        cost = model.cost(X, [(noise, pt.matrix("t", shape=(2, 1)), None)])
    assert cost.type.dtype == "float32"


def test_memory_is_reckoned_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(checks, "_memory", lambda: 24.0 * 2**30)
    with pytest.raises(ValueError, match=r"T = 1000000000 needs 74.5 GiB of memory"):
        DiffusionModel(4, 1, trajectory_length=10**9)
    with pytest.raises(ValueError, match="of shape .* needs .* GiB of memory"):
        DiffusionModel(4, 1, n_hidden_dense_lower=10**10)
    monkeypatch.setattr(checks, "_memory", lambda: 1000.0)
    with pytest.raises(ValueError, match="and this machine has .*: make it smaller"):
        checks.check_memory(126, "this")
    checks.check_memory(125, "this")


def test_a_file_cannot_ask_for_more_than_it_holds(run, tmp_path):
    arrays, meta = checkpoint.load(run)
    meta["recipe"]["n_hidden"] = 10**7
    checkpoint.save(tmp_path / "large.npz", arrays, meta)
    with pytest.raises(ValueError, match="has more numbers than the file holds"):
        runs.load_run(tmp_path / "large.npz")
    with bricks.room_for(3), pytest.raises(ValueError, match="more numbers"):
        bricks.Linear(2, 2, bricks.Constant(0.0))
    bricks.Linear(2, 2, bricks.Constant(0.0))  # outside there is room


# -- numbers that are none -----


def small_model(dtype="float32"):
    with precision(dtype):
        model = DiffusionModel(4, 1, trajectory_length=6, n_hidden_conv=0,
                               n_hidden_dense_lower=4, n_temporal_basis=2)  # fmt: skip
    model.initialize(np.random.default_rng(0))
    return model


def test_a_walk_says_at_which_step_it_was_lost():
    model = small_model()

    def lost(X, t):
        return X * (np.nan if t == 3 else 1.0), np.ones_like(X)

    with pytest.raises(FloatingPointError, match="the walk holds nan at t = 3"):
        sampler.sample(model, 2, 0, get_mu_sigma=lost, progress=False)
    with pytest.raises(FloatingPointError, match="the walk holds inf at t = 2"):
        sampler.sample(model, 2, 0, start=(2, np.full((2, 16), np.inf)), progress=False)
    for mean, deviation, words in (
        (np.nan, 1.0, "holds nan"), (0.0, np.nan, "holds nan"),
        (np.inf, 1.0, "infinite mean"), (0.0, 0.0, "must be positive"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            factors.Gaussian(mean, deviation)
    steep = factors.Smooth(lambda X, t: (1e38 * X * 1e10).sum(axis=(1, 2, 3)))
    with pytest.raises(FloatingPointError, match="at t = "):
        sampler.sample(model, 2, 0, steep, progress=False)


def test_a_bound_that_is_lost_is_named():
    model, X = small_model(), np.zeros((3, 16))
    X[1] = 1e30
    for score in (
        lambda: evaluation.bound_all_t(model, X, progress=False),
        lambda: evaluation.bound_at_random_t(model, X, 2),
    ):
        with pytest.raises(ValueError, match=r"K of row 1 is .* \(1 of 3\)"):
            score()


def test_a_window_too_narrow_for_its_numbers_is_refused():
    X = np.random.default_rng(0).random((5, 4))
    for sigma in (0.0, 1e-30, -1.0, np.nan, [0.1, 1e-20]):
        with pytest.raises(ValueError, match="a width must be positive"):
            parzen.log_density(X, X[:2], sigma)
    assert np.isfinite(parzen.log_density(X, X[:2], 1e-8)).all()


def test_json_has_null_for_what_is_no_number(run, tmp_path, capsys):
    found = checkpoint.json_text({"a": [np.nan, 1.0, {"b": -np.inf}], "c": (0.5,)})
    assert strict(found) == {"a": [None, 1.0, {"b": None}], "c": [0.5]}
    assert evaluate.main([str(run), "--json"]) == 0
    strict(capsys.readouterr().out)
    strict((run / "settings.json").read_text())


# -- every remedy that a message names -----


def test_pictures_that_moved_can_be_named_when_a_run_goes_on(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    for number in range(4):
        picture = Image.fromarray(rng.integers(0, 255, (12, 12), dtype=np.uint8))
        picture.save(tmp_path / "here" / f"{number}.png")
    out, model = tmp_path / "runs", TINY_IMAGES[-1]
    out.mkdir()
    words = ["--dataset", "IMAGES", "--batch-size", "4", "--ext-every-n", "0"]
    words += ["--n-steps", "2", "--output-dir", str(out), "--model-args", model]
    settings = "width=4, n_train=16, n_test=4"
    typed = ["--data-args", f"path='{tmp_path / 'here'}', {settings}"]
    assert train.main([*words, *typed]) == 0
    (folder,) = out.iterdir()
    for file in (tmp_path / "here").iterdir():
        file.rename(tmp_path / "there" / file.name)
    resume = ["--resume_file", str(folder), "--n-steps", "3"]
    assert train.main(resume) == 2
    assert "path" in capsys.readouterr().err
    moved = ["--data-args", f"path='{tmp_path / 'there'}'"]
    assert train.main([*resume, *moved]) == 0
    assert train.main([*resume, "--data-args", "width=8"]) == 2
    assert "but for a path that has changed" in capsys.readouterr().err
