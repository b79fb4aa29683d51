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


def check_names() -> None:
    """Raise ImportError where JAX could not name the files that a graph is made by.

    Under the locale C, Python without UTF-8 mode has letters beyond ASCII as stray
    bytes, on which XLA fails ("std::bad_cast").
    """
    main = getattr(sys.modules["__main__"], "__file__", None)
    for path in (__file__, sys.prefix, main or ""):
        try:
            path.encode("utf8")
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode("utf8", "replace")
            raise ImportError(
                f"the locale has no letters beyond ASCII, and {shown} has some, on "
                "which JAX fails: set PYTHONUTF8=1"
            ) from None


def check_platform() -> None:
    """Raise ImportError where JAX is to use a device that is not there.

    JAX is loaded for it, so nothing is done where no device was asked for.
    """
    asked = os.environ.get("JAX_PLATFORMS", "")
    if asked in ("", "cpu"):
        return
    import jax

    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise ImportError(
            f"JAX_PLATFORMS={asked}: JAX finds no such device"
            f"{words and f' ({words})'}; set JAX_PLATFORMS=cpu, or leave it out"
        ) from None


def give_up(error: Exception) -> None:
    """End a command in one line, and an import with an error of one line."""
    message = " ".join(str(error).split())
    if not isinstance(error, ImportError):
        message = f"PyTensor cannot be imported: {message}; see PYTENSOR_FLAGS"
    if sys.argv[:1] == ["-m"]:  # python -m dpm.train, before it has begun
        sys.exit(f"error: {message}")
    raise ImportError(message) from None
