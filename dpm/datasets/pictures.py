"""Pictures of any size: read from a folder or an archive, and cut into patches.

Archives are read in memory, file by file: nothing is unpacked to the disk.
"""

import functools
import io
import logging
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from dpm.blocks.checks import check_count, check_memory

logger = logging.getLogger("dpm")

ENDINGS = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".gif", ".tif", ".tiff")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_BYTES = 2**28  # of one file in an archive
DAMAGE = (  # what damaged files make Pillow and the readers of archives raise
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class Pictures(NamedTuple):
    """A set of images before it is scaled.

    Attributes
    ----------
    train, test : ndarray of uint8, shape (n, colours, height, width)
    levels : int
        Grey levels 0 to levels - 1.
    settings : dict
        Arguments that make the same images again, without the folders they came from.
    whole : list of ndarray of uint8, shape (colours, height, width)
        Held-out pictures that the test images were cut from.
    paint : callable or None
        ``paint(n, rng)`` makes n more training images, if more can be made or cut.
    """

    train: np.ndarray
    test: np.ndarray
    levels: int = 256
    settings: dict = {}
    whole: list = []
    paint: Callable | None = None


def is_archive(path) -> bool:
    """Whether a name ends as those of archives do."""
    return str(path).lower().endswith(ARCHIVES)


def is_picture(path) -> bool:
    """Whether a name ends as those of pictures do, and is not hidden."""
    name = PurePosixPath(str(path)).name
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def read_picture(data: bytes, name, grey: bool = True, as_shown: bool = False):
    """A picture file as 8-bit pixels, or ValueError; of a film the first picture.

    Parameters
    ----------
    data : bytes
        Contents of the file, of any kind that Pillow reads with 8 bits a colour:
        palettes, black and white, and the four colours of printers too. Grey pictures
        of 16 bits are scaled to 8, which is said once.
    name : path-like
        For the message.
    grey : bool
        Whether to keep brightness alone, and not red, green and blue.
    as_shown : bool
        Whether to make of the pixels what a viewer shows: turned as the camera was
        held (EXIF), and laid on white where they are transparent. If not, they stay
        as they are stored, and transparency is left out.

    Returns
    -------
    ndarray of uint8, shape (colours, height, width)
    """
    from PIL import Image

    bomb = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                if picture.mode[0] in "IF":
                    picture = _eight_bits(picture)
                shown = _shown(picture) if as_shown else picture
                pixels = np.asarray(shown.convert("L" if grey else "RGB"))
    except (*DAMAGE, *bomb) as error:
        raise ValueError(
            f"{name} cannot be read as a picture ({error}): it is damaged, cut short "
            "or of another kind; replace it or take it away"
        ) from None
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def _eight_bits(picture):
    """A Pillow picture of 16 bits as one of 8; ValueError for one of other numbers."""
    from PIL import Image

    numbers = np.asarray(picture)
    sixteen = picture.mode[:4] == "I;16" or picture.format in ("PNG", "PPM")
    if not sixteen or not 0 <= numbers.min() <= numbers.max() < 2**16:
        raise ValueError(f"its pixels are {picture.mode}, not of 8 or 16 bits")
    _say_that_bits_are_lost()
    eight = Image.fromarray(np.rint(numbers / 257).astype(np.uint8))
    eight.getexif().update(picture.getexif())
    return eight


@functools.cache
def _say_that_bits_are_lost() -> None:
    """Once, however many pictures there are."""
    logger.warning(
        "dpm: pictures of 16 bits are scaled to 8, 65535 to 255; those of a camera "
        "that fills fewer bits are dark"
    )


def _shown(picture):
    """A Pillow picture turned as its EXIF says, on white."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if not picture.has_transparency_data:
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA"))


def grey_picture(data: bytes, name) -> np.ndarray:
    """Grey levels of a picture file as stored, (height, width), or ValueError."""
    return read_picture(data, name)[0]


def files_in(path) -> Iterator[tuple[str, bytes]]:
    """Names, in order, and contents of the pictures in a folder or an archive.

    Archives in a folder are read too, those inside an archive are not.

    Raises
    ------
    ValueError
        If there is no such folder or archive, it is damaged, or an archive holds a
        path that leads out of it.
    """
    path = Path(path)
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_dir():
                continue
            if is_archive(file):
                inside = file.relative_to(path).as_posix()
                yield from ((f"{inside}/{name}", data) for name, data in _members(file))
            elif is_picture(file):
                yield file.relative_to(path).as_posix(), _read(file)
    elif not path.is_file():
        raise ValueError(f"there is no folder or archive {path}")
    elif not is_archive(path):
        raise ValueError(
            f"{path} is neither a folder nor an archive ({', '.join(ARCHIVES)}): give "
            "the folder around it"
        )
    else:
        yield from _members(path)


def _read(file: Path) -> bytes:
    """Contents of a file, or ValueError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Pictures of one archive; all its names are checked before any is read."""
    contents = _zipped if path.name.lower().endswith(".zip") else _tarred
    try:
        yield from contents(path)
    except LeadsOut:
        raise
    except DAMAGE as error:
        raise ValueError(
            f"{path} cannot be read as an archive ({error}): it is damaged, cut short "
            "or locked; get it again"
        ) from None


class LeadsOut(ValueError):
    """An archive holds a path out of its own folder, or a file far too large."""


def _zipped(path):
    """Names and contents of the pictures in a zip archive."""
    with zipfile.ZipFile(path) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.filename)
        for info in infos:
            _check_member(path, info.filename, info.file_size)
        for info in infos:
            if is_picture(info.filename):
                yield info.filename, archive.read(info)


def _tarred(path):
    """Names and contents of the pictures in a tar archive."""
    with tarfile.open(path) as archive:
        members = sorted(archive.getmembers(), key=lambda member: member.name)
        for member in members:
            _check_member(path, member.name, member.size)
            if member.issym() or member.islnk():
                folder = PurePosixPath(member.name).parent if member.issym() else ""
                _check_member(path, str(PurePosixPath(folder) / member.linkname))
        _check_end(archive)
        for member in members:
            if member.isfile() and is_picture(member.name):
                yield member.name, archive.extractfile(member).read()


def _check_end(archive) -> None:
    """Raise TarError unless the block of zeros is there that closes an archive.

    The standard library takes a damaged header, and a file's end, for that block.
    """
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.TarError("its end is missing")


def _check_member(path, name: str, size: int = 0) -> None:
    """Raise LeadsOut where a name leads out of its archive, or a file is too large."""
    depth = 0
    parts = re.split(r"[/\\]", name)
    outside = parts[0] == "" or re.match("[A-Za-z]:", name)
    for part in parts:
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        outside = outside or depth < 0
    if outside:
        raise LeadsOut(
            f"{path} holds the path {name!r}, which leads out of its folder: such an "
            "archive is not to be trusted, and nothing was read from it"
        )
    if is_picture(name) and size > MOST_BYTES:
        raise LeadsOut(
            f"{path} holds {name!r} of {size} bytes: no picture is that large"
        )


def hold_out(pictures: dict, held_out: float, rng) -> tuple[dict, dict]:
    """Two or more pictures split at random, at least one for either side.

    Parameters
    ----------
    pictures : dict
        Names to anything.
    held_out : float
        Part of them for the second.
    rng : numpy Generator
    """
    n = len(pictures)
    n_out = min(max(1, round(held_out * n)), n - 1)
    chosen = set(rng.permutation(n)[:n_out].tolist())
    train, test = {}, {}
    for number, name in enumerate(pictures):
        (test if number in chosen else train)[name] = pictures[name]
    return train, test


def with_colours(picture) -> np.ndarray:
    """A picture (height, width) or (colours, height, width), in the latter form."""
    return picture.reshape(-1, *picture.shape[-2:])


def check_room(name, picture, width: int, others: str = "") -> None:
    """Raise ValueError where a picture is smaller than a patch.

    `others` are further remedies, for the end of the message.
    """
    height, wide = picture.shape[-2:]
    if min(height, wide) < width:
        raise ValueError(
            f"{name} has {height} x {wide} pixels, too few for patches of "
            f"{width} x {width}: take it away, or choose a smaller width{others}"
        )


def patches(train, test, width, n_train, n_test, held_out, seed, **more) -> Pictures:
    """Patches of pictures to learn from and of pictures held out, and the settings.

    Parameters
    ----------
    train, test : dict
        Names to pictures, as of `crops`.
    width, n_train, n_test, held_out, seed
        As of `dpm.datasets.textures.load_bark`.
    **more
        Other settings to keep.
    """

    def paint(n, rng):
        return crops(train, n, width, rng)

    return Pictures(
        crops(train, n_train, width, np.random.default_rng([seed, 1])),
        crops(test, n_test, width, np.random.default_rng([seed, 2])),
        settings={
            **more,
            "width": width,
            "n_train": n_train,
            "n_test": n_test,
            "held_out": held_out,
            "seed": seed,
        },
        whole=[with_colours(picture) for picture in test.values()],
        paint=paint,
    )


def crops(pictures: dict, n: int, width: int, rng) -> np.ndarray:
    """Patches at random places of random pictures, all places as probable.

    Parameters
    ----------
    pictures : dict
        Names to ndarrays of uint8, shape (height, width) or (colours, height, width).
    n, width : int
        So many patches of width x width pixels.
    rng : numpy Generator

    Returns
    -------
    ndarray of uint8, shape (n, colours, width, width)

    Raises
    ------
    ValueError
        If a picture is smaller than a patch.
    """
    check_count(n, "number of patches", 2)
    check_count(width, "width", 1)
    check_memory(n * width**2 // 2, f"n = {n}, width = {width}")  # bytes, and floats
    for name, picture in pictures.items():
        check_room(name, picture, width)
    pictures = [with_colours(picture) for picture in pictures.values()]
    out = np.empty((n, len(pictures[0]), width, width), np.uint8)
    places = [(p.shape[1] - width + 1, p.shape[2] - width + 1) for p in pictures]
    weight = np.array([rows * columns for rows, columns in places], float)
    which = rng.choice(len(pictures), size=n, p=weight / weight.sum())
    row, column = (rng.integers(0, np.array(places)[which].T)).astype(int)
    for number, picture in enumerate(pictures):
        windows = np.lib.stride_tricks.sliding_window_view(
            picture, (width, width), axis=(1, 2)
        )
        (mine,) = np.nonzero(which == number)
        out[mine] = windows[:, row[mine], column[mine]].swapaxes(0, 1)
    return out
