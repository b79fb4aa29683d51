"""The command that scores: options that would not be used are refused."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dpm import evaluate
from dpm.exact.known import KnownMixture

ROLL = Path(__file__).parents[1] / "book" / "checkpoints" / "swiss_roll_learned_T5.npz"


@pytest.mark.parametrize(
    "words, match",
    [
        (["--bits", "4"], "--bits is for --export: add that, or leave it out"),
        (["--n-trajectories", "4"], "--n-trajectories is for --log-p"),
        (["--parzen", "20"], "--parzen is for images, but the run is on SWISS_ROLL"),
        (["--guess-limit", "0.1"], "--guess-limit is for images"),
        (["--data-args", "seed=1"], "--data-args is for images"),
        (["--n-draws", "0"], "n_draws = 0: at least one"),
        (["--n-images", "0"], "n = 0: it must be at least 1"),
        (["--no-such-option"], "unrecognized arguments"),
    ],
)
def test_what_would_not_be_used_is_refused(words, match, refuse, tmp_path):
    refuse(match, ROLL, *words, module="dpm.evaluate", folder=tmp_path)


def test_a_kept_model_is_scored(capsys):
    assert evaluate.main([str(ROLL), "--json", "--n-images", "200"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["K"]["unit"] == "bits/point"
    assert report["K"]["value"] < report["L"]["value"]
    assert report["recipe"]["trajectory_length"] == 5


def number(value, error=0.25, **more):
    return {"value": value, "standard_error": error, "unit": "bits/pixel", **more}


REPORT = {
    "K": number(1.5),
    "samples": {"n": 6, "all_t": True},
    "train": {"K": number(2.5)},
    "eq. 9": {
        "log p": number(3.5),
        "n": 7,
        "n_trajectories": 9,
        "effective_sample_size": 4.04,
    },
    "Parzen window": number(
        4.5, sigma=0.2, sigma_at_end_of_grid=True, n_samples=20, nats=3.0
    ),
}


def test_every_number_has_a_line_with_its_error_and_unit():
    assert dict(evaluate.lines(REPORT)) == {
        "K": "   1.500 +- 0.250 bits/pixel",
        "training data: K": "   2.500 +- 0.250 bits/pixel",
        "log p of 7 samples": "   3.500 +- 0.250 bits/pixel",
        "worth 4.0 equal ones": "of 9 trajectories a sample",
        "Parzen window": "   4.500 +- 0.250 bits/pixel",
        "20 samples": "sigma 0.200, at an end of its grid",
    }
    inside = {**REPORT["Parzen window"], "sigma_at_end_of_grid": False}
    assert (
        dict(evaluate.lines({"Parzen window": inside}))["20 samples"] == "sigma 0.200"
    )


def test_names_end_in_one_column(capsys):
    evaluate.show(REPORT)
    printed = capsys.readouterr().out.splitlines()
    names = [name for name, _ in evaluate.lines(REPORT)]
    width = max(map(len, names))
    assert [line[:width].strip() for line in printed] == names
    assert all(line[width - 1] != " " for line in printed)


def test_options_are_off_unless_asked_for():
    args = evaluate.parse_args(["somewhere"])
    assert args.run == "somewhere" and args.seed == 0
    off = (args.json, args.all_t, args.on_train)
    assert not any(off) and args.log_p is args.parzen is args.guess_limit is None
    assert evaluate.parse_args(["x", "--parzen"]).parzen == 10_000
    assert evaluate.parse_args(["x", "--parzen", "20"]).parzen == 20


def test_what_is_for_images_is_refused_elsewhere():
    model = KnownMixture([0.1, 0.2], [[0.0]], 1.0)
    with pytest.raises(ValueError, match="--guess-limit is for images"):
        evaluate.limit_guess(model, 0.1, {"recipe": {}})
    data = SimpleNamespace(image_shape=None, name="SWISS_ROLL")
    args = evaluate.parse_args(["x", "--parzen"])
    with pytest.raises(ValueError, match="--parzen is for images, .* on SWISS_ROLL"):
        evaluate.score(model, data, args)


def test_what_cannot_be_scored_is_refused_in_one_line(refuse, tmp_path):
    command = {"module": "dpm.evaluate", "folder": tmp_path}
    refuse("no checkpoint at", tmp_path / "nowhere", **command)
    refuse("--parzen", tmp_path, "--parzen", "many", **command)
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    out = tmp_path / "out.npz"
    foreign = tmp_path / "foreign.npz", "--export", out
    refuse("not a checkpoint of dpm", *foreign, **command)


def test_the_report_can_be_written_as_json(monkeypatch, capsys):
    meta = {"recipe": {"dataset": "SWISS_ROLL"}}
    monkeypatch.setattr(evaluate, "load_run", lambda run, which: (None, None, meta))
    monkeypatch.setattr(evaluate, "data_of", lambda recipe, meta, words: None)
    monkeypatch.setattr(evaluate, "score", lambda model, data, args: REPORT)
    assert evaluate.main(["x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**meta, **REPORT}
    assert evaluate.main(["x"]) == 0
    assert "training data: K" in capsys.readouterr().out
