"""Runs on disk: one ``.npz`` of plain arrays, written whole or not at all."""

import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

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
    path = Path(path)
    text = json.dumps({"format": FORMAT, **meta}, sort_keys=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, meta=np.array(text), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
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
