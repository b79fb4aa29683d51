"""The command that scores: options that would not be used are refused."""

import json
from pathlib import Path

import pytest

from dpm import evaluate

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
