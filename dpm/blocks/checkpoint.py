"""Runs on disk: one ``.npz`` of plain arrays; any file written whole or not at all."""

import json
import math
import os
import tempfile
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from dpm.blocks.processes import is_writer

PREFIX = ".dpm-"
FORMAT = "dpm-run-1"
FILE_NAME = "checkpoint.npz"
DAMAGE = (  # what reading a file that is cut, altered or of another kind can raise
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,  # a broken header of an array
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
LARGE = 50_000  # numbers, from which on --bits and --levels apply to an array
PARAMETER, STEP = "param/", "step/"  # what names of arrays begin with


def remove_unfinished(folder) -> None:
    """Remove what `write_whole` left in a folder when its process was killed."""
    if not is_writer():
        return
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

    Notes
    -----
    Of several processes the first alone writes.
    """
    if not is_writer():
        return
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


def json_text(value, **options) -> str:
    """JSON as everybody reads it: numbers that are not finite become null."""
    return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value):
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_writable(path, option: str = "--output-dir") -> Path:
    """Prove that a folder can be written to, or can be made where it is not there."""
    path = Path(path)
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there, prefix=PREFIX):
            pass
    except OSError as error:
        raise ValueError(
            f"output folder {path} cannot be written to ({error.strerror}): choose "
            f"another {option}"
        ) from None
    return path


def check_export(path, force: bool = False) -> None:
    """Raise ValueError where `export` must not write, before anything is computed.

    It may replace what it wrote before, other files if `force` says so, and never the
    checkpoint of a run.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(
            f"--export {path}: there is no folder {path.parent}: make it, or choose "
            "another file"
        )
    check_writable(path.parent, "--export")
    if not path.exists():
        return
    if not path.is_file():
        raise ValueError(f"--export {path} is not a file: choose another name")
    try:
        arrays, meta = load(path)
    except ValueError:
        arrays, meta = {}, {}
    if "costs" in arrays or path.name == FILE_NAME:
        raise ValueError(
            f"--export {path} is the checkpoint of a run, which could not be resumed "
            "any more: choose another file"
        )
    if "report" not in meta and not force:
        raise ValueError(
            f"--export {path} is there already, and is no exported model: choose "
            "another file, or add --force to replace it"
        )


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
    text = json_text({"format": FORMAT, **meta}, sort_keys=True)
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
    steps = {k: arrays.pop(k) for k in list(arrays) if k.startswith(STEP)}
    steps = {PARAMETER + k.removeprefix(STEP): v for k, v in steps.items()}
    try:
        return on_steps(arrays, steps), meta
    except (TypeError, ValueError) as error:  # no numbers, or of other shapes
        raise ValueError(f"{path} is damaged: {' '.join(str(error).split())}") from None


def rounded(
    model, half=(), bits: int | None = None, levels: int | None = None
) -> tuple[dict, dict]:
    """Parameters as they are exported, whose values the model then has too.

    Parameters
    ----------
    model : Brick
    half : collection of str
        Paths of those that go into half precision; the others go into single.
    bits : int, optional
        Put every array of `LARGE` or more numbers into half precision, and keep so many
        bits of its ten of mantissa: the file is compressed, and zeros take no room.
    levels : int, optional
        Put those arrays on so many evenly spaced levels instead, see `on_levels`.

    Returns
    -------
    values, steps : dict
        By path; where there is a step, the parameters are values times steps.
    """
    values, steps = {}, {}
    for path, value in model.get_parameter_values().items():
        large = value.size >= LARGE
        if large and levels is not None:
            values[path], steps[path] = on_levels(value, levels)
            continue
        large = large and bits is not None
        value = value.astype("float16" if large or path in half else "float32")
        values[path] = round_mantissa(value, bits) if large else value
    model.set_parameter_values(on_steps(values, steps))
    return values, steps


def on_steps(values: dict, steps: dict) -> dict:
    """Parameters of whole numbers and steps, where there are any."""
    return {k: v * steps[k] if k in steps else v for k, v in values.items()}


def on_levels(x, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Round an array to evenly spaced levels, the same of both signs, and zero.

    Each output has a step of its own: that of a few, up to the one that reaches its
    largest number, which leaves the smallest squared error.

    Parameters
    ----------
    x : array_like, shape (n_in, n_out) or (n_out, n_in, height, width)
        Weights of a dense layer, or filters.
    levels : int
        Odd, 3 to 255.

    Returns
    -------
    codes : ndarray of int8, shape of x
        From -(levels - 1)/2 to (levels - 1)/2.
    step : ndarray of float32, that broadcasts to x
    """
    if not (3 <= levels <= 255 and levels % 2):
        raise ValueError(f"levels = {levels}: an odd number from 3 to 255 is due")
    x = np.asarray(x, dtype="float32")
    if not np.isfinite(x).all():
        raise ValueError("a parameter is not finite: export an earlier checkpoint")
    most = (levels - 1) // 2
    inputs = tuple(range(1, x.ndim)) if x.ndim > 2 else 0
    reach = np.abs(x).max(axis=inputs, keepdims=True) / most
    best, error = np.ones_like(reach), np.full_like(reach, np.inf)
    for share in np.linspace(1.0, 0.3, 15, dtype="float32"):
        step = np.where(reach > 0, reach * share, 1)
        off = np.clip(np.rint(x / step), -most, most) * step - x
        off = (off**2).sum(axis=inputs, keepdims=True)
        best, error = np.where(off < error, step, best), np.minimum(error, off)
    return np.clip(np.rint(x / best), -most, most).astype("int8"), best


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


def export(path, values: dict, meta: dict, report: dict, steps=None) -> None:
    """Write rounded parameters, how they were made, and their score.

    The file is for reading only: what resuming needs is left out.
    """
    arrays = {f"{PARAMETER}{k}": v for k, v in values.items()}
    arrays |= {f"{STEP}{k}": v for k, v in (steps or {}).items()}
    save(path, arrays, {**meta, "report": report})
