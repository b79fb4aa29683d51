"""Writing files whole or not at all."""

import os
import tempfile
from pathlib import Path

PREFIX = ".dpm-"


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
