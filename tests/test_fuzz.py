"""Checkpoints that were altered anyhow are read, or refused in one line.

    python tests/test_fuzz.py 100000   # by hand, as many as you like

A small run of each kind is written and altered at random: bytes of the file are cut,
flipped, put in or set to zero; values of its description become others, of other types
too; arrays are dropped, renamed, or get another type or shape. Reading it then gives a
model, or a ValueError of one line. Anything else is an answer that no user should get.
"""

import collections
import dataclasses
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from dpm import runs
from dpm.blocks import checkpoint
from dpm.recipes import HeartbeatRecipe, ImageRecipe, SwissRollRecipe

KINDS = {
    "roll": SwissRollRecipe(trajectory_length=4, n_hidden=2, batch_size=4, n_steps=1),
    "heartbeat": HeartbeatRecipe(
        trajectory_length=4, n_hidden=2, n_layers=1, batch_size=4, n_steps=1,
        n_t_per_minibatch=2,
    ),
    "images": ImageRecipe(
        "DIGITS", batch_size=4, ema=0.9, data_args={"n_test": 10},
        model_args=dict(
            trajectory_length=4, n_temporal_basis=2, n_hidden_conv=0,
            n_hidden_dense_lower=2, n_hidden_dense_upper=2, mean="guess",
        ),
    ),
}  # fmt: skip
VALUES = (
    None, True, False, -1, 0, 2, 7.5, 1e308, -1e-9, 10**12, 2**63, "", "x", "nan", [],
    [1, "a"], {}, {"a": 1}, "MNIST", "SWISS_ROLL", "float16", [[]], "../../etc",
)  # fmt: skip
DTYPES = ("U3", "S2", "complex64", "bool", "int8", "uint64", "float16", "datetime64[s]")


def whole_file(recipe) -> bytes:
    """The checkpoint of a run that has just begun."""
    data = recipe.load_data()
    loop = recipe.for_data(data).main_loop(data.X_train)
    meta = {"command": "python -m dpm.train", "recipe": None, "versions": {},
            "data": data.description}  # fmt: skip
    meta["recipe"] = dataclasses.asdict(recipe.for_data(data))
    file = io.BytesIO()
    arrays, meta = loop.snapshot(meta)
    text = checkpoint.json_text({"format": checkpoint.FORMAT, **meta})
    np.savez_compressed(file, meta=np.array(text), **arrays)
    return file.getvalue()


def places(value, path=()):
    """Paths of all values inside of a description."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, each in inner:
        yield from places(each, (*path, key))


def of_other_bytes(data: bytes, rng) -> bytes:
    """Bytes cut, flipped, put in, or zero."""
    data, place = bytearray(data), int(rng.integers(len(data)))
    length = int(rng.integers(1, 60))
    change = rng.integers(5)
    if change == 0:
        return bytes(data[:place])
    if change == 1:
        del data[place : place + length]
    elif change == 2:
        data[place] ^= int(rng.integers(1, 256))
    elif change == 3:
        data[place:place] = rng.bytes(length)
    else:
        data[place : place + length] = bytes(length)
    return bytes(data)


def of_other_values(data: bytes, rng) -> bytes:
    """A value of the description replaced or dropped, or an array changed."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    if rng.random() < 0.6:
        meta = json.loads(str(arrays["meta"]))
        paths = [path for path in places(meta) if path]
        *path, last = paths[rng.integers(len(paths))]
        inside = meta
        for key in path:
            inside = inside[key]
        if rng.random() < 0.15:
            del inside[last]
        else:
            inside[last] = VALUES[rng.integers(len(VALUES))]
        arrays["meta"] = np.array(json.dumps(meta))
    else:
        name = sorted(arrays)[rng.integers(len(arrays))]
        value = arrays.pop(name)
        change = rng.integers(5)
        if change == 0:
            arrays[name + "x"] = value
        elif change == 1 and value.dtype.kind in "fiu":
            with np.errstate(all="ignore"):
                arrays[name] = np.nan_to_num(value).astype(
                    DTYPES[rng.integers(len(DTYPES))]
                )
        elif change == 2:
            arrays[name] = value.reshape(-1)[: rng.integers(3)]
        elif change == 3:
            arrays[f"step/{name.removeprefix('param/')}"] = np.array("x")
            arrays[name] = value
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def answer(data: bytes, path: Path) -> str | None:
    """What is wrong with the answer to a file, or None where nothing is."""
    path.write_bytes(data)
    try:
        runs.load_run(path)
    except ValueError as error:
        return None if len(str(error).splitlines()) == 1 else f"lines: {error!r}"
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return f"{type(error).__name__}: {str(error)[:90]}"
    return None


def fuzz(n: int, seed: int = 0) -> collections.Counter:
    """How often which bad answer came, of n altered files."""
    whole = {kind: whole_file(recipe) for kind, recipe in KINDS.items()}
    bad = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(n):
            rng = np.random.default_rng([seed, number])
            kind = list(KINDS)[number % len(KINDS)]
            alter = (of_other_bytes, of_other_values)[number % 2]
            found = answer(alter(whole[kind], rng), Path(folder) / "altered.npz")
            if found is not None:
                bad[f"{kind}, {alter.__name__}: {found}"] += 1
    return bad


def test_the_files_that_are_altered_can_be_read(tmp_path):
    for recipe in KINDS.values():
        assert answer(whole_file(recipe), tmp_path / "whole.npz") is None


def test_no_altered_checkpoint_is_answered_badly():
    assert not fuzz(2_000)


def test_a_bad_answer_would_be_noticed(monkeypatch):
    def broken(path):
        raise TypeError("an answer that no user should get")

    monkeypatch.setattr(runs, "load_run", broken)
    assert sum(fuzz(6).values()) == 6


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    found = fuzz(n)
    for words, times in found.most_common():
        print(f"{times:6} {words}")  # noqa: T201
    sys.exit(bool(found))
