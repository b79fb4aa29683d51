"""The command that fits the rival of Table 2."""

import json

import numpy as np
import pytest

from dpm import datasets
from dpm.evaluation.picture_model import PictureModel


def test_a_model_can_be_stored_and_read_again(tmp_path, capsys):
    from dpm import fit_mcgsm
    from dpm.blocks import checkpoint

    out = tmp_path / "rival.npz"
    words = "--data-args n_train=40,n_test=4,width=10 --radius 2 --n-components 2"
    words += " --n-scales 2 --n-pixels 300 --epochs 5 --export"
    assert fit_mcgsm.main([*words.split(), str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    arrays, meta = checkpoint.load(out)
    assert meta["report"] == report and meta["data"]["settings"]["noise"] == 4.0
    model = PictureModel.from_arrays(arrays)
    data = datasets.load("DEAD_LEAVES", n_train=40, n_test=4, width=10, noise=4.0)
    again = fit_mcgsm.score(model, fit_mcgsm.pictures(data, data.X_test, [0, 2]))
    assert again["log p"]["value"] == pytest.approx(report["log p"]["value"])
    assert again["log p, inside"] != again["log p"]
    assert model.sample(2, np.random.default_rng(0), progress=False).shape == (
        2,
        10,
        10,
    )
    with pytest.raises(ValueError, match="'shape' is missing"):
        PictureModel.from_arrays({})
    assert fit_mcgsm.main(["--n-pixels", "0"]) == 2
    assert "n_pixels = 0" in capsys.readouterr().err
    assert fit_mcgsm.main(["--epochs", "0"]) == 2
    assert "epochs = 0" in capsys.readouterr().err
