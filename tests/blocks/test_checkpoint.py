"""Checkpoints: whole or refused, whatever was done to the file."""

import numpy as np
import pytest

from dpm import runs
from dpm.blocks import checkpoint
from dpm.recipes import SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    runs.train(SMALL, folder, progress=False)
    return folder


def test_truncated_checkpoints_are_refused(finished, tmp_path):
    whole = (finished / checkpoint.FILE_NAME).read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        file = tmp_path / "cut.npz"
        file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="damaged or of another kind"):
            runs.load_run(file)


def test_damage_is_noticed_or_harmless(finished, tmp_path):
    """Flip one byte here and there: the same arrays come back, or an error does."""
    whole = (finished / checkpoint.FILE_NAME).read_bytes()
    good, _ = checkpoint.load(finished)
    noticed = 0
    for place in np.random.default_rng(0).integers(len(whole), size=200):
        data = bytearray(whole)
        data[place] ^= 0xFF
        (tmp_path / "bad.npz").write_bytes(data)
        try:
            arrays, _ = checkpoint.load(tmp_path / "bad.npz")
        except ValueError:
            noticed += 1
            continue
        for name in arrays.keys() & good.keys():
            np.testing.assert_array_equal(arrays[name], good[name])
    assert noticed > 100


def test_foreign_files_are_refused(tmp_path):
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not a checkpoint of dpm"):
        runs.load_run(tmp_path / "foreign.npz")
    np.savez(tmp_path / "pickle.npz", meta=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="damaged or of another kind"):
        runs.load_run(tmp_path / "pickle.npz")


def test_a_failed_save_leaves_the_old_checkpoint(finished, monkeypatch):
    before = (finished / checkpoint.FILE_NAME).read_bytes()

    def full_disk(*args, **kwargs):
        args[0].write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(finished / checkpoint.FILE_NAME, {}, {})
    assert (finished / checkpoint.FILE_NAME).read_bytes() == before
    assert not list(finished.glob(".*.tmp"))


def test_a_folder_of_several_runs_is_not_guessed_at(finished, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        file = (finished / checkpoint.FILE_NAME).read_bytes()
        (tmp_path / name / checkpoint.FILE_NAME).write_bytes(file)
    with pytest.raises(ValueError, match="several runs: give one of a, b"):
        runs.load_run(tmp_path)


@pytest.mark.parametrize("shape", [(40, 30), (6, 5, 3, 3)])
def test_levels_are_the_nearest_of_a_good_step(shape):
    x = np.random.default_rng(0).standard_t(2, shape).astype("float32")
    codes, step = checkpoint.on_levels(x, 15)
    assert codes.dtype == "int8" and np.abs(codes).max() == 7
    off = np.abs(codes * step - x)
    inside = np.abs(x) <= 7 * step
    assert (off[inside] <= np.broadcast_to(step / 2, shape)[inside] + 1e-5).all()
    inputs = tuple(range(1, x.ndim)) if x.ndim > 2 else 0
    reach = np.abs(x).max(axis=inputs, keepdims=True) / 7
    plain = (np.rint(x / reach) * reach - x) ** 2
    assert ((off**2).sum(axis=inputs) <= plain.sum(axis=inputs) * (1 + 1e-6)).all()
    assert (off**2).sum() < 0.97 * plain.sum()


def test_levels_of_what_cannot_be_rounded():
    assert not checkpoint.on_levels(np.zeros((3, 2)), 3)[0].any()
    for levels in (1, 4, 257):
        with pytest.raises(ValueError, match=f"levels = {levels}: an odd number"):
            checkpoint.on_levels(np.ones((2, 2)), levels)
    with pytest.raises(ValueError, match="not finite"):
        checkpoint.on_levels(np.full((2, 2), np.nan), 15)
