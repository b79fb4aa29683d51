"""What the surroundings must allow before PyTensor and JAX are imported."""

import logging
import os
import sys
import tempfile
from pathlib import Path

logger = logging.getLogger("dpm")


def _flags() -> dict:
    """PyTensor's flags as they were set for this process."""
    pairs = os.environ.get("PYTENSOR_FLAGS", "").split(",")
    return dict(pair.strip().partition("=")[::2] for pair in pairs if pair.strip())


def prepare() -> None:
    """Give PyTensor a folder that it can write to, where the home folder is none.

    It makes its folder when it is imported, and fails with a traceback where it cannot:
    in containers, on clusters.
    """
    if {"compiledir", "base_compiledir"} & _flags().keys():
        return
    folder = Path(os.path.expanduser("~")) / ".pytensor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError:
        pass
    chosen = tempfile.mkdtemp(prefix="pytensor-")  # nobody else can have put code there
    flags = os.environ.get("PYTENSOR_FLAGS")
    added = f"base_compiledir={chosen}"
    os.environ["PYTENSOR_FLAGS"] = f"{flags},{added}" if flags else added
    logger.warning("dpm: %s cannot be written; PyTensor uses %s", folder, chosen)


def give_up(error: Exception) -> None:
    """End a command in one line, and an import with an error of one line."""
    words = " ".join(str(error).split())
    message = f"PyTensor cannot be imported: {words}; PYTENSOR_FLAGS sets its options"
    if sys.argv[:1] == ["-m"]:  # python -m dpm.train, before it has begun
        sys.exit(f"error: {message}")
    raise ImportError(message) from None
