"""The reference's command line: runs, resumes, draws pictures, refuses bad input."""

import contextlib
import dataclasses
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from pytensor.compile.mode import JAX, predefined_modes

from dpm import commands, datasets, evaluate, evaluation, runs, train
from dpm.blocks import checkpoint
from dpm.blocks.extensions import FinishAfter
from dpm.blocks.main_loop import TOLERATED
from dpm.recipes import ImageRecipe

ARGS = (
    "trajectory_length=6, n_temporal_basis=3, n_hidden_conv=2, n_layers_conv=1, "
    "n_hidden_dense_lower=4, n_hidden_dense_upper=4"
)
MODEL_ARGS = commands.parse_model_args(ARGS)
RECIPE = ImageRecipe(batch_size=8, model_args=MODEL_ARGS)


@pytest.fixture(scope="module", autouse=True)
def small_mnist(tmp_path_factory):
    """Forty digits of 8 x 8 pixels where MNIST is looked for."""
    from sklearn.datasets import load_digits

    digits = (load_digits().images * 15).astype(np.uint8)
    folder = tmp_path_factory.mktemp("data")
    (folder / "mnist").mkdir()
    for name, part in (("train", digits[:40]), ("t10k", digits[40:60])):
        head = b"".join(k.to_bytes(4, "big") for k in (0x803, *part.shape))
        path = folder / "mnist" / f"{name}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(head + part.tobytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DPM_DATA", str(folder))
        yield folder


def command(*words):
    return [sys.executable, "-m", "dpm.train", *map(str, words)]


def run(*words):
    """The command line in this process, compiled as for users; returns what it says."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setitem(predefined_modes, "JAX", JAX)
        assert train.main([str(word) for word in words]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that drew everything once before it began."""
    folder = tmp_path_factory.mktemp("runs")
    out = run(
        "--output-dir", folder, "--n-steps", 12, "--batch-size", 8, "--suffix=-tiny",
        "--model-args", ARGS, "--plot_before_training", "--save-every", 5,
    )  # fmt: skip
    (only,) = folder.iterdir()
    return only, out


def test_a_run_has_a_folder_with_its_settings(finished):
    folder, out = finished
    assert folder.name.startswith("diffusionmodel_MNIST-tiny-")
    assert f"next: python -m dpm.evaluate {folder}" in out
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["recipe"]["model_args"]["trajectory_length"] == 6
    assert settings["recipe"]["model_args"]["spatial_width"] == 8
    assert settings["versions"]["pytensor"]
    assert settings["arguments"]["n_steps"] == 12


def test_every_extension_left_its_files(finished):
    folder, out = finished
    assert "test K - L_null" in out and "test standard error" in out
    assert "Z-score rescale" in out and "learning rate 0.001" in out
    names = {path.name for path in folder.iterdir()}
    times = [f"_t{t:04d}" for t in range(7)]
    for kind in ("", "_inpaint", "_denoise1"):
        for state in [*times, "_true"] if kind else times:
            name = f"samples-{kind}{state}_batch000000"
            assert f"{name}.png" in names
            with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                assert file["X"].shape == (20, 1, 8, 8) and np.isfinite(file["X"]).all()
    assert len([n for n in names if n.startswith("samples")]) == 2 * (3 * 7 + 2)
    assert "monitors_batch000000.png" in names
    for kind in ("params", "grads"):
        pictures = [n for n in names if n.startswith(kind)]
        assert len(pictures) == 8  # one layer, two and two; dense depth is the conv's
    assert len([n for n in names if n.startswith("state-")]) == 8
    assert not [n for n in names if n.startswith(".")]


def test_checkpoints_can_be_scored(finished, capsys):
    folder, _ = finished
    assert evaluate.main([str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    gap, L_null = report["K - L_null"], report["L_null"]
    assert gap["unit"] == "bits/pixel" and gap["standard_error"] > 0
    assert gap["value"] == pytest.approx(report["K"]["value"] - L_null["value"])
    assert L_null["value"] == pytest.approx(-0.5 * np.log2(2 * np.pi * np.e))
    assert len(report["kl_per_step"]) == 5


def test_every_score_can_be_asked_for(finished, capsys):
    folder, _ = finished
    options = "--all-t --n-images 6 --on-train --log-p 2 --n-trajectories 3"
    options = [str(folder), *options.split(), "--parzen", "20"]
    assert evaluate.main([*options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"] == {"n": 6, "all_t": True}
    assert report["train"]["samples"] == report["samples"]
    assert None not in report["kl_per_step"]
    assert report["train"]["K"]["value"] != report["K"]["value"]
    assert report["grey levels"]["unit"] == "bits/dimension, at most"
    assert 1 <= report["eq. 9"]["effective_sample_size"] <= 3
    window = report["Parzen window"]
    assert window["n_samples"] == 20 and window["unit"] == "bits/image"
    assert window["value"] == pytest.approx(window["nats"] / np.log(2))
    assert evaluate.main(options) == 0
    out = capsys.readouterr().out
    for words in ("training data: K", "log p of 2", "of 3 trajectories", "20 samples"):
        assert words in out
    assert f"{report['K']['value']:.3f}" in out


def test_resuming_takes_more_steps_in_the_same_folder(finished, compiled):
    folder, _ = finished
    before = len(list(folder.parent.iterdir()))
    out = run("--resume_file", folder, "--n-steps", 15, "--ext-every-n", 0)
    assert "15 steps" in out
    assert len(list(folder.parent.iterdir())) == before
    straight = runs.train(RECIPE, n_steps=15, progress=False)
    arrays, meta = checkpoint.load(folder)
    assert meta["iterations_done"] == 15 and len(arrays["costs"]) == 15
    for path, value in straight.model.get_parameter_values().items():
        np.testing.assert_array_equal(arrays[f"param/{path}"], value)


def test_killed_again_and_again_ends_the_same(tmp_path):
    """SIGKILL at random moments, and the end is that of a quiet run, bit for bit."""
    steps, rng = 240, np.random.default_rng(int(time.time()))
    flags = "mode=Mode,linker=py,optimizer=merge"  # interpreted, to start quickly
    env = {**os.environ, "TQDM_DISABLE": "1", "PYTENSOR_FLAGS": flags}
    first = command(
        "--output-dir", tmp_path, "--n-steps", steps, "--batch-size", 8,
        "--model-args", ARGS, "--save-every", 5, "--ext-every-n", 0,
    )  # fmt: skip
    again = command("--resume_file", tmp_path, "--n-steps", steps, "--save-every", 5)
    done = [0]
    for attempt in range(4):
        process = subprocess.Popen(
            again if attempt else first, env=env, stdout=-3, stderr=-3
        )
        seen = 0
        wanted = rng.integers(1, 8)  # saves to wait for before the kill
        last = saved_at(tmp_path)
        while process.poll() is None and seen < wanted:
            time.sleep(0.002)
            now = saved_at(tmp_path)
            seen, last = seen + (now != last), now
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(checkpoint.load(tmp_path)[1]["iterations_done"])
    assert done == sorted(done) and 0 < done[-1] < steps
    subprocess.run(again, env=env, check=True, capture_output=True)
    assert not list(tmp_path.glob("*/.*"))  # nor is anything half written left
    arrays, meta = checkpoint.load(tmp_path)
    quiet = runs.train(RECIPE, n_steps=steps, progress=False)  # interpreted too
    assert meta["iterations_done"] == steps
    np.testing.assert_array_equal(arrays["costs"], quiet.costs)
    for name, variable in quiet.state.items():
        np.testing.assert_array_equal(arrays[name], variable.get_value(), name)


def saved_at(folder):
    path = checkpoint.file_in(folder)
    return path.stat().st_mtime_ns if path.exists() else 0


def test_the_rate_changes_every_500_steps_and_is_saved():
    data = RECIPE.load_data()
    recipe = RECIPE.for_data(data)
    loop = recipe.main_loop(data.X_train, [FinishAfter(501)]).run()
    rate = loop.algorithm.step_rule.learning_rate.get_value()
    assert rate == pytest.approx(1e-3 * 0.1**0.001, rel=1e-6)
    other = recipe.main_loop(data.X_train)
    other.restore(*loop.snapshot({}))
    assert other.algorithm.step_rule.learning_rate.get_value() == rate


def test_draws_are_what_they_should_be():
    data = RECIPE.load_data()
    loop = RECIPE.for_data(data).main_loop(data.X_train)
    noise, uniform, t = (
        np.array(a)
        for a in zip(*(loop.data_stream.draws(step) for step in range(60)), strict=True)
    )
    assert {float(k) for k in t.ravel()} == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(1, abs=0.02)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert len(np.unique(noise)) > 0.999 * noise.size  # no step repeats another


def test_dropout_is_off_when_scoring():
    recipe = ImageRecipe(batch_size=8, model_args=MODEL_ARGS, dropout_rate=0.5)
    loop = runs.train(recipe, n_steps=3, progress=False)
    masks = [v for v in loop.algorithm.inputs if v.name == "dropout"]
    assert len(masks) == 1 + 1 + 2  # one convolution, one dense layer, two upper ones
    K, _, _ = evaluation.estimate_bound(loop.model, loop.data_stream.X_train)
    assert np.isfinite(K).all()


@pytest.mark.parametrize("sum_over_t", ["exact", "random"])
def test_other_estimates_of_the_sum_train_too(sum_over_t):
    more = {"sum_over_t": sum_over_t, "n_t_per_minibatch": 2, "variant": "paper"}
    recipe = ImageRecipe(batch_size=8, model_args={**MODEL_ARGS, **more})
    loop = runs.train(recipe, n_steps=2, progress=False)
    assert np.isfinite(loop.costs).all() and loop.costs[0] != loop.costs[1]


def test_lost_gradients_are_skipped_but_not_for_ever():
    data = RECIPE.load_data()
    loop = RECIPE.for_data(data).main_loop(data.X_train, [FinishAfter(3)])
    good = loop.data_stream.draws

    def lost(step):
        noise, uniform, t = good(step)
        return [noise * (np.nan if step != 1 else 1), uniform, t]

    loop.data_stream.draws = lost
    loop.run()
    assert np.isnan(loop.costs[0]) and np.isfinite(loop.costs[1])
    for value in loop.model.get_parameter_values().values():
        assert np.isfinite(value).all()
    loop = RECIPE.for_data(data).main_loop(data.X_train, [FinishAfter(99)])
    loop.data_stream.draws = lambda step: [good(step)[0] * np.nan, *good(step)[1:]]
    with pytest.raises(FloatingPointError, match=f"at step {TOLERATED - 1}"):
        loop.run()


def test_bad_options_are_refused_in_one_line(refuse, tmp_path, small_mnist):
    out = ["--output-dir", tmp_path]
    check = [
        (
            "unknown dataset 'CATS': there are BARK, BARK4, CIFAR10, DEAD_LEAVES, "
            "DIGITS, HEARTBEAT, IMAGES, MNIST, SWISS",
            "--dataset",
            "CATS",
        ),
        ("unknown model argument 'n_scale': there are", "--model-args", "n_scale=2"),
        ("cannot be read", "--model-args", "n_scales=__import__('os').getpid()"),
        ("n_scales = 5 needs a width", "--model-args", "n_scales=5"),
        (
            "n_scales = 5 needs a width divisible by 16",
            "--dataset",
            "BARK4",
            "--recipe",
            "pictures",
            "--data-args",
            "width=72, n_train=20, n_test=4",
        ),
        ("but MNIST has images of 8 x 8", "--model-args", "spatial_width=28"),
        ("add --dataset SWISS_ROLL", "--n-hidden", "16"),
        ("exceeds the 40 training samples", "--batch-size", "41"),
        ("n_steps = 0", "--n-steps", "0"),
        ("is neither true nor false", "--plot_before_training", "maybe"),
        ("dropout_rate = 1.0", "--dropout_rate", "1"),
    ]
    for match, *words in check:
        refuse(match, *out, *words, folder=tmp_path)
    refuse("does not exist: make it", "--output-dir", tmp_path / "no", folder=tmp_path)
    nowhere = {"DPM_DATA": str(tmp_path / "nowhere")}
    refuse("nowhere is not a folder", *out, folder=tmp_path, env=nowhere)


def test_a_refusal_is_the_exit_status_of_the_process(tmp_path):
    words = command("--output-dir", tmp_path, "--n-steps", 0)
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_label_files_and_bad_checkpoints_are_refused(refuse, tmp_path, finished):
    data = tmp_path / "data"
    (data / "mnist").mkdir(parents=True)
    labels = (0x801).to_bytes(4, "big") + (3).to_bytes(4, "big") + b"123"
    for name in ("train", "t10k"):
        (data / "mnist" / f"{name}-images-idx3-ubyte").write_bytes(labels)
    (tmp_path / "runs").mkdir()
    refuse(
        "holds labels", "--output-dir", tmp_path / "runs",
        folder=tmp_path, env={"DPM_DATA": str(data)},
    )  # fmt: skip
    whole = (finished[0] / checkpoint.FILE_NAME).read_bytes()
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole[: len(whole) // 2])
    refuse("damaged or of another kind", "--resume_file", cut, folder=tmp_path)
    np.savez(tmp_path / "foreign.npz", a=1)
    refuse(
        "not a checkpoint of dpm", "--resume_file", tmp_path / "foreign.npz",
        folder=tmp_path,
    )  # fmt: skip
    whole_copy = tmp_path / "copy.npz"
    whole_copy.write_bytes(whole)
    refuse("not the checkpoint.npz of a run", "--resume_file", whole_copy,
           folder=tmp_path)  # fmt: skip
    refuse("leave out --dataset", "--resume_file", finished[0], "--dataset", "MNIST")
    refuse("batch_size = 8, not 9", "--resume_file", finished[0], "--batch-size", "9")


def test_a_model_of_another_size_is_not_scored_on_these_images(finished):
    model, _, _ = runs.load_run(finished[0])
    other = datasets.load("MNIST")
    other.image_shape = (1, 4, 16)
    with pytest.raises(ValueError, match=r"takes images of shape \(1, 8, 8\)"):
        evaluation.evaluate(model, other)


# -- named recipes -----


def test_the_command_line_names_recipes():
    def recipe(text):
        return train.recipe_from_args(train.parse_args(text.split()))

    assert recipe("") == ImageRecipe("MNIST") == recipe("--recipe reference")
    assert recipe("--dataset MNIST") == ImageRecipe("MNIST")
    assert recipe("--dataset CIFAR10") == ImageRecipe("CIFAR10")
    ours = recipe("--dataset MNIST --recipe ours")
    assert ours.decay_steps > 0 and ours.t_per_image
    assert recipe("--dataset MNIST --quick").decay_steps < ours.decay_steps
    changed = "--recipe ours --decay-steps 9 --rule RMSProp --t-per-image no"
    changed = recipe(f"--dataset MNIST {changed}")
    assert changed.model_args == ours.model_args and not changed.t_per_image
    assert (changed.decay_steps, changed.rule) == (9, "RMSProp")
    other = recipe(
        "--dataset DEAD_LEAVES --recipe ours --model-args n_scales=1 --data-args seed=3"
    )
    assert other.data_args == {"noise": 4.0, "seed": 3}
    assert other.model_args["n_scales"] == 1
    assert recipe("--dataset HEARTBEAT --quick").n_steps == 60_000
    for words in ("--dataset SWISS_ROLL --decay-steps 9", "--recipe wide"):
        with pytest.raises(ValueError):
            recipe(words)


def test_how_batches_are_drawn_and_averaged_are_options():
    def recipe(text):
        return train.recipe_from_args(train.parse_args(text.split()))

    words = "--ema 0.99 --symmetries mirror --fresh --stratified-t --t-per-image"
    found = recipe(f"--dataset DEAD_LEAVES {words}")
    assert (found.ema, found.symmetries) == (0.99, "mirror")
    assert found.fresh and found.stratified_t
    pictures = recipe("--dataset MNIST --recipe pictures")
    off = "--ema 0 --stratified-t no --symmetries none --fresh no"
    changed = recipe(f"--dataset MNIST --recipe pictures {off}")
    assert pictures.ema > 0 == changed.ema and pictures.stratified_t
    assert not changed.stratified_t and changed.model_args == pictures.model_args


@pytest.mark.parametrize(
    "words, match",
    [
        (["--ema", "1"], "ema = 1.0: it must lie in [0, 1)"),
        (["--ema", "much"], "invalid float value: 'much'"),
        (["--symmetries", "six"], "there are none, mirror, eight"),
        (["--stratified-t"], "add t_per_image"),
        (["--fresh"], "no new pictures of MNIST can be painted"),
        (["--dataset", "SWISS_ROLL", "--ema", "0.9"], "--ema is for images"),
        (["--dataset", "HEARTBEAT", "--fresh"], "--fresh is for images"),
    ],
)
def test_options_of_batches_are_refused_where_they_would_not_serve(
    words, match, refuse, tmp_path
):
    refuse(match, "--output-dir", tmp_path, *words, folder=tmp_path)


def test_help_tells_of_every_option_of_images(capsys):
    with pytest.raises(SystemExit):
        train.main(["--dataset", "MNIST", "--recipe", "pictures", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in train.FOR_IMAGES:
        assert "--" + name.replace("_", "-") in text
    assert "0 for none (0.999)" in text and "random start (yes)" in text


def test_the_rate_falls_to_nothing_and_the_run_ends():
    recipe = ImageRecipe(
        batch_size=8,
        model_args=MODEL_ARGS,
        decay_steps=6,
        rule="Adam",
        t_per_image=True,
    )
    loop = runs.train(recipe, progress=False)
    assert loop.iterations_done == 6
    assert float(loop.algorithm.step_rule.learning_rate.get_value()) < 1e-9
    t = next(v for v in loop.algorithm.inputs if v.name == "t")
    assert t.type.shape == (8, 1)
    noise, uniform, times = loop.data_stream.draws(0)
    assert times.shape == (8, 1) and len(set(times.ravel())) > 1


def test_runs_from_before_a_setting_existed_go_on(tmp_path):
    """What their description does not name has the default."""
    runs.train(RECIPE, tmp_path, n_steps=2, progress=False, ext_every_n=0)
    arrays, meta = checkpoint.load(tmp_path)
    for name in ("rule", "decay_steps", "t_per_image", "data_args"):
        del meta["recipe"][name]
    checkpoint.save(tmp_path / checkpoint.FILE_NAME, arrays, meta)
    more = runs.train(
        RECIPE, tmp_path, True, n_steps=3, progress=False, ext_every_n=0
    )  # what the data decide, such as spatial_width, need not be said again
    assert more.iterations_done == 3


def test_large_arrays_are_exported_with_fewer_bits(tmp_path, monkeypatch, capsys):
    run_folder = tmp_path / "run"
    runs.train(RECIPE, run_folder, n_steps=2, progress=False, ext_every_n=0)
    monkeypatch.setattr(checkpoint, "LARGE", 500)
    sizes = {}
    for bits in (2, 10):
        out = tmp_path / f"{bits}.npz"
        words = [str(run_folder), "--export", str(out), "--bits", str(bits)]
        assert evaluate.main(words) == 0
        arrays, meta = checkpoint.load(out)
        sizes[bits] = out.stat().st_size
        assert meta["bits"] == bits and meta["report"]["K"]["value"]
        kinds = {v.dtype.name for v in arrays.values()}
        assert kinds == {"float16", "float32"}
        whole, _ = checkpoint.load(run_folder)
        for path, value in arrays.items():
            np.testing.assert_allclose(
                value, whole[path], rtol=2.0 ** -(bits + 1) + 2e-3, atol=1e-5
            )
    assert sizes[2] < sizes[10]
    assert evaluate.main([*words[:-1], "11"]) == 2
    assert "bits = 11: half precision has 1 to 10" in capsys.readouterr().err


def test_large_arrays_are_exported_on_levels(tmp_path, monkeypatch, capsys):
    run_folder, out = tmp_path / "run", tmp_path / "15.npz"
    runs.train(RECIPE, run_folder, n_steps=2, progress=False, ext_every_n=0)
    monkeypatch.setattr(checkpoint, "LARGE", 500)
    whole, told = checkpoint.load(run_folder)
    described = told.pop("data")  # as in the oldest files
    checkpoint.save(run_folder / checkpoint.FILE_NAME, whole, told)
    words = [str(run_folder), "--export", str(out), "--levels", "15"]
    assert evaluate.main(words) == 0
    arrays, meta = checkpoint.load(out)
    assert meta["data"] == described  # of the data that it was scored on
    assert meta["levels"] == 15 and not any("step/" in name for name in arrays)
    on_levels = 0
    for path, value in arrays.items():
        columns = value.reshape(len(value), -1) if value.ndim > 2 else value.T
        n_levels = [len(np.unique(abs(column))) for column in columns]
        on_levels += value.size >= 500 and max(n_levels) <= 8
        off = np.abs(value - whole[path]).max() / np.abs(whole[path]).max(initial=1e-9)
        assert off <= (0.5 if value.size >= 500 else 1e-6)
    assert on_levels
    model, *_ = runs.load_run(out)
    for path, value in model.get_parameter_values().items():
        np.testing.assert_array_equal(value, arrays[f"param/{path}"])
    assert evaluate.main([*words[:-1], "16"]) == 2
    assert "levels = 16: an odd number from 3 to 255" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate.main([*words, "--bits", "4"])
    assert "two ways to round" in capsys.readouterr().err


def test_a_guess_can_be_limited_when_it_is_scored(tmp_path, capsys):
    recipe = dataclasses.replace(
        RECIPE, model_args={**RECIPE.model_args, "mean": "guess"}
    )
    run, out = tmp_path / "run", tmp_path / "out.npz"
    runs.train(recipe, run, n_steps=2, progress=False, ext_every_n=0)
    K = {}
    for limit in (None, 1e-3):
        words = [str(run), "--json", "--export", str(out)]
        words += [] if limit is None else ["--guess-limit", str(limit)]
        assert evaluate.main(words) == 0
        K[limit] = json.loads(capsys.readouterr().out)["K"]["value"]
        model, _, meta = runs.load_run(out)
        assert model.guess_limit == limit
        assert meta["recipe"]["model_args"].get("guess_limit") == limit
        assert meta["report"]["K"]["value"] == K[limit]
    assert K[None] != K[1e-3]
    assert evaluate.main([str(run), "--guess-limit", "-1"]) == 2
    assert "guess_limit = -1.0: it must be positive" in capsys.readouterr().err


def test_a_run_can_start_with_the_parameters_of_another(tmp_path):
    first = runs.train(RECIPE, tmp_path / "a", n_steps=2, progress=False, ext_every_n=0)
    other = dataclasses.replace(RECIPE, learning_rate=1e-9, rule="Adam")
    options = {"progress": False, "ext_every_n": 0, "n_steps": 1}
    second = runs.train(other, tmp_path / "b", start=tmp_path / "a", **options)
    for path, value in second.model.get_parameter_values().items():
        before = first.model.get_parameter_values()[path]
        np.testing.assert_allclose(value, before, atol=1e-7)
    _, meta = checkpoint.load(tmp_path / "b")
    assert meta["start"]["iterations_done"] == 2
    more = runs.train(
        second.data_stream.recipe, tmp_path / "b", True, **{**options, "n_steps": 2}
    )
    assert more.iterations_done == 2
    assert checkpoint.load(tmp_path / "b")[1]["start"] == meta["start"]
    wider = dataclasses.replace(RECIPE, model_args={**MODEL_ARGS, "n_hidden_conv": 3})
    with pytest.raises(ValueError, match="has shape"):
        runs.train(wider, tmp_path / "c", start=tmp_path / "a", **options)


def test_a_bad_start_leaves_no_folder(tmp_path, capsys):
    words = ["--output-dir", str(tmp_path), "--batch-size", "8", "--model-args", ARGS]
    assert train.main([*words, "--start-from", str(tmp_path / "nothing")]) == 2
    assert "error: no checkpoint at" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
