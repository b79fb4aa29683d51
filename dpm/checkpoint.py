"""Runs on disk: one ``.npz`` of plain arrays, written whole or not at all."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from dpm.files import write_whole

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
