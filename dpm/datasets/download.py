"""Files from elsewhere: in a local copy, in the cache, or downloaded and verified.

A file comes from the folder that the environment variable DPM_DATA names, laid out as
its archive is, or else from the user's cache, or else from the first mirror that serves
it with the right SHA-256. It is moved into place whole or not at all.
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import platformdirs

TIMEOUT = 30  # seconds without an answer


@dataclass(frozen=True)
class Remote:
    """One file and where it can be had.

    Attributes
    ----------
    name : str
        File name, the same at every mirror.
    sha256 : str
    mirrors : tuple of str
        URLs of folders, each ending in a slash, tried in turn.
    """

    name: str
    sha256: str
    mirrors: tuple


def cache_folder() -> Path:
    """Where downloads are kept, by the habits of the operating system."""
    return Path(platformdirs.user_cache_dir("dpm"))


def local_copy(*relative) -> Path | None:
    """The first of some paths that exists under DPM_DATA, or None.

    Raises
    ------
    ValueError
        If DPM_DATA names no folder.
    """
    given = os.environ.get("DPM_DATA")
    if not given:
        return None
    # A relative name may be meant from the project's root: chapters run below it.
    roots = [Path(given), Path(__file__).parents[2] / given]
    root = next((root for root in roots if root.is_dir()), None)
    if root is None:
        raise ValueError(
            f"DPM_DATA = {given} is not a folder: point it at your copy of the data, "
            "or unset it to download"
        )
    paths = [root / path for path in relative]
    return next((path for path in paths if path.exists()), None)


def fetch(remote: Remote, folder: str) -> Path:
    """The path of a file in the cache, downloaded if it is not there yet.

    Parameters
    ----------
    remote : Remote
    folder : str
        Of the cache.

    Raises
    ------
    ValueError
        If no mirror serves the file with the right checksum; the message says what each
        of them did, and what to do.
    """
    with warnings.catch_warnings():  # tqdm misses notebook widgets, which nobody needs
        warnings.simplefilter("ignore")
        import pooch
        import requests
    pooch.get_logger().setLevel("WARNING")
    failures = []
    for mirror in remote.mirrors:
        try:
            path = pooch.retrieve(
                mirror + remote.name,
                known_hash=f"sha256:{remote.sha256}",
                fname=remote.name,
                path=cache_folder() / folder,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=True),
            )
            return Path(path)
        except requests.RequestException as error:
            reason = getattr(error.response, "reason", None)
            failures.append(f"{mirror}: {reason or type(error).__name__}")
        except ValueError:  # pooch found another checksum, and kept nothing
            failures.append(f"{mirror}: not the file that is asked for, or cut short")
        except OSError as error:
            failures.append(f"{cache_folder()}: {error.strerror or error}")
    raise ValueError(
        f"{remote.name} cannot be downloaded ({'; '.join(failures)}): connect to the "
        f"network, or put the file in a folder '{folder}' inside a folder of your own "
        "and name that one in the environment variable DPM_DATA; --dataset DIGITS "
        "needs no download"
    )


def checked(path: Path, remote: Remote) -> Path:
    """Return a file of the user's, or raise ValueError if it is another one."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != remote.sha256:
        raise ValueError(
            f"{path} is not the file that is asked for, or cut short (SHA-256 {found}, "
            f"not {remote.sha256}): get it again, or take it away to download it"
        )
    return path


def unpacked(remote: Remote, folder: str) -> Path:
    """The cache's folder that a tar archive unpacks to, unpacked if it is not yet.

    Parameters
    ----------
    remote : Remote
    folder : str
        The one folder at the top of the archive.
    """
    target = cache_folder() / folder
    if target.is_dir():
        return target
    given = local_copy(f"archives/{remote.name}", remote.name)
    archive = checked(given, remote) if given else fetch(remote, "archives")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as temporary:
        with tarfile.open(archive) as tar:
            # An attribute, not an argument: Python 3.11.3 and before have neither.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(temporary)
        os.replace(Path(temporary) / folder, target)
    if given is None:
        shutil.rmtree(archive.parent, ignore_errors=True)
    return target
