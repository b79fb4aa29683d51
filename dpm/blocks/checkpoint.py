"""Runs on disk: one ``.npz`` of plain arrays; any file written whole or not at all."""

import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

PREFIX = ".dpm-"
FORMAT = "dpm-run-1"
FILE_NAME = "checkpoint.npz"
DAMAGE = (  # what reading a file that is cut, altered or of another kind can raise
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
LARGE = 50_000  # numbers, from which on --bits applies to an array


def remove_unfinished(folder) -> None:
    """Remove what `write_whole` left in a folder when its process was killed."""
    for path in Path(folder).glob(f"{PREFIX}*.tmp"):
        path.unlink(missing_ok=True)


def write_whole(path, write) -> None:
    """Write a file beside its final place and move it there in one step.

    Parameters
    ----------
    path : path-like
        An older file of that name stays as it is until the new one is complete.
    write : callable
        Called with the open binary file.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save(path, arrays: dict, meta: dict) -> None:
    """Write arrays and their description, replacing the file in one move.

    Parameters
    ----------
    path : path-like
        The ``.npz`` file.
    arrays : dict
        Arrays by name; names may hold slashes.
    meta : dict
        Anything JSON can hold.
    """
    text = json.dumps({"format": FORMAT, **meta}, sort_keys=True)
    write_whole(
        path, lambda file: np.savez_compressed(file, meta=np.array(text), **arrays)
    )


def file_in(path) -> Path:
    """The checkpoint that is meant: a file, a run's folder, or the only run inside."""
    path = Path(path)
    if not path.is_dir():
        return path
    files = sorted(path.glob(f"*/{FILE_NAME}"))
    if (path / FILE_NAME).exists() or not files:
        return path / FILE_NAME
    if len(files) > 1:
        names = ", ".join(file.parent.name for file in files)
        raise ValueError(f"{path} holds several runs: give one of {names}")
    return files[0]


def load(path) -> tuple[dict, dict]:
    """Read what `save` wrote.

    Returns
    -------
    arrays : dict
    meta : dict

    Raises
    ------
    ValueError
        If there is no such file, it is damaged, or it is not a run of dpm.
    """
    path = file_in(path)
    if not path.is_file():
        raise ValueError(
            f"no checkpoint at {path}: give the folder that "
            "'python -m dpm.train --output-dir' wrote"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except DAMAGE as error:
        raise ValueError(
            f"{path} cannot be read as a checkpoint, it is damaged or of another "
            f"kind ({error}): train again, or copy it again from where it came"
        ) from None
    try:
        meta = json.loads(str(arrays.pop("meta")[()]))
        known = meta["format"] == FORMAT
    except (KeyError, ValueError, TypeError, AttributeError):
        known = False
    if not known:
        raise ValueError(
            f"{path} is an .npz file, but not a checkpoint of dpm ({FORMAT}): give "
            "the folder that 'python -m dpm.train --output-dir' wrote"
        )
    return arrays, meta


def rounded(model, half=(), bits: int | None = None) -> dict:
    """Parameters in the precision that is exported, which the model then has too.

    Parameters
    ----------
    model : Brick
    half : collection of str
        Paths of those that go into half precision; the others go into single.
    bits : int, optional
        Put every array of `LARGE` or more numbers into half precision, and keep so many
        bits of its ten of mantissa: the file is compressed, and zeros take no room.
    """
    values = {}
    for path, value in model.get_parameter_values().items():
        large = bits is not None and value.size >= LARGE
        value = value.astype("float16" if large or path in half else "float32")
        values[path] = round_mantissa(value, bits) if large else value
    model.set_parameter_values(values)
    return values


def round_mantissa(x, bits: int) -> np.ndarray:
    """Half precision numbers rounded to so many bits of mantissa, 1 to 10."""
    if not 1 <= bits <= 10:
        raise ValueError(f"bits = {bits}: half precision has 1 to 10 to keep")
    x = np.asarray(x, dtype="float16")
    if not np.isfinite(x).all():
        raise ValueError(
            "a parameter is too large for half precision: leave out --bits"
        )
    rest = 10 - bits
    if rest == 0:
        return x
    whole = x.view("uint16").astype("uint32") + (1 << (rest - 1))
    return (whole >> rest << rest).astype("uint16").view("float16")


def export(path, values: dict, meta: dict, report: dict) -> None:
    """Write rounded parameters, how they were made, and their score.

    The file is for reading only: what resuming needs is left out.
    """
    arrays = {f"param/{k}": v for k, v in values.items()}
    save(path, arrays, {**meta, "report": report})
