"""Training: deterministic, resumable after SIGKILL, and clear about bad input."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dpm import evaluation, runs, train
from dpm.blocks import checkpoint
from dpm.recipes import SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)
OPTIONS = (  # random time steps too, so that their draws are seen to resume
    "--dataset SWISS_ROLL --trajectory-length 5 --n-hidden 3 --batch-size 8 "
    "--n-steps 600 --n-t-per-minibatch 2"
)


def command(folder):
    options = [*OPTIONS.split(), "--output-dir", str(folder), "--save-every", "20"]
    return [sys.executable, "-m", "dpm.train", *options]


def resume(folder):
    options = ["--resume_file", str(folder), "--save-every", "20"]
    return [sys.executable, "-m", "dpm.train", *options]


def parameters_of(folder):
    arrays, meta = checkpoint.load(folder)
    return arrays, meta


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    runs.train(SMALL, folder, progress=False)
    return folder


def test_same_seed_same_parameters(finished, tmp_path):
    runs.train(SMALL, tmp_path, progress=False)
    first, second = parameters_of(finished)[0], parameters_of(tmp_path)[0]
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_killed_and_resumed_ends_the_same(tmp_path, compiled):
    """SIGKILL at a random moment, and the end is that of a quiet run, bit for bit."""
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    env = {**os.environ, "TQDM_DISABLE": "1"}
    quiet.mkdir()
    killed.mkdir()
    assert train.main(command(quiet)[3:]) == 0
    rng = np.random.default_rng(int(time.time()))
    process = subprocess.Popen(command(killed), env=env, stdout=-3, stderr=-3)
    for _ in range(rng.integers(2, 12)):  # the first save comes before any step
        before = saved_at(killed)
        while process.poll() is None and saved_at(killed) == before:
            time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < parameters_of(killed)[1]["iterations_done"] < 600
    subprocess.run(resume(killed), env=env, check=True, capture_output=True)
    assert len(list(killed.iterdir())) == 1  # resuming starts no second run
    (a, meta_a), (b, meta_b) = parameters_of(quiet), parameters_of(killed)
    assert meta_a["iterations_done"] == meta_b["iterations_done"] == 600
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def saved_at(folder):
    """When the checkpoint of a folder was written; 0 where there is none yet."""
    path = checkpoint.file_in(folder)
    return path.stat().st_mtime_ns if path.exists() else 0


def test_evaluate_prints_json_with_units(finished):
    done = subprocess.run(
        [sys.executable, "-m", "dpm.evaluate", str(finished), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert done.stderr == ""
    for name in ("K", "L_null", "K - L_null", "L", "L - K"):
        assert report[name]["unit"] == "bits/point"
        assert np.isfinite(report[name]["value"])
        assert report[name]["standard_error"] >= 0
    value = {k: v["value"] for k, v in report.items() if "unit" in v}
    assert value["K"] < value["L"]
    assert value["K - L_null"] == pytest.approx(value["K"] - value["L_null"])
    assert len(report["kl_per_step"]) == SMALL.trajectory_length - 1


def test_K_does_not_depend_on_how_the_data_are_cut(finished):
    """Also the last, filled-up batch must count once."""
    model, recipe, _ = runs.load_run(finished)
    X = recipe.load_data().X_test[:70]
    whole, kl_whole = evaluation.bound_per_sample(model, X, n_draws=300)
    parts, kl_parts = evaluation.bound_per_sample(model, X, n_draws=300, batch_size=32)
    error = np.hypot(whole.std(), parts.std()) / np.sqrt(len(X))
    assert parts.mean() == pytest.approx(whole.mean(), abs=error / 2)
    np.testing.assert_allclose(kl_parts, kl_whole, rtol=0.1)


def test_command_line_refuses_in_one_line(refuse, tmp_path, finished):
    roll = ["--dataset", "SWISS_ROLL", "--output-dir", str(tmp_path)]
    refuse("trajectory_length = 1", *roll, "--trajectory-length", "1", folder=tmp_path)
    refuse("is for images", *roll, "--model-args", "n_scales=2", folder=tmp_path)
    refuse("is for images", *roll, "--dropout_rate", "0.1", folder=tmp_path)
    refuse("no checkpoint at", tmp_path, module="dpm.evaluate", folder=tmp_path)
    other = ["--resume_file", str(finished), "--trajectory-length", "6"]
    refuse("started with trajectory_length = 5, not 6", *other)


def test_a_folder_that_holds_a_run_is_left_alone(finished):
    with pytest.raises(ValueError, match="already holds a run: add --resume_file"):
        runs.train(SMALL, finished, progress=False)


def test_bad_data_are_refused_by_evaluation(finished):
    model, _, _ = runs.load_run(finished)
    with pytest.raises(ValueError, match="holds nan in row 1"):
        evaluation.bound_per_sample(model, [[0.0, 0.0], [np.nan, 0.0]])


def test_checkpoint_of_another_model_is_refused(finished):
    with pytest.raises(ValueError, match="trained with n_hidden = 3, but 4"):
        runs.train(dataclasses.replace(SMALL, n_hidden=4), finished, resume=True)
    arrays, meta = checkpoint.load(finished)
    other = dataclasses.replace(SMALL, n_hidden=4).build_model()
    values = {k[6:]: v for k, v in arrays.items() if k.startswith("param/")}
    with pytest.raises(ValueError, match=r"rbf.centers has shape \(3, 2\)"):
        other.set_parameter_values(values)
    with pytest.raises(ValueError, match="another kind of model"):
        meta["recipe"]["spatial_width"] = 28
        checkpoint.save(finished / "odd.npz", arrays, meta)
        runs.load_run(finished / "odd.npz")


def test_unwritable_folder_is_reported_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(SwissRollRecipe, "main_loop", None)  # training would fail
    with pytest.raises(ValueError, match="cannot be written to"):
        runs.train(SMALL, tmp_path / "file" / "run")
