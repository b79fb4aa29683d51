"""Photographed textures: bark, from the user's own copy, and two stand-ins for it.

The paper learns the pictures T01 to T04 of the texture database of Lazebnik, Schmid and
Ponce (2005). No stable address of them is known, so they are not downloaded. BARK4,
four other photographs of bark, comes with this package, and TEXTURE, photographs of
brick, grass and gravel, with scikit-image. Their numbers do not compare with the
paper's.
"""

import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np

from dpm.blocks.checks import check_choice
from dpm.blocks.settings import Between, Count, Natural, Place, Several, typed
from dpm.datasets.download import local_copy
from dpm.datasets.pictures import (
    ARCHIVES,
    Pictures,
    files_in,
    grey_picture,
    hold_out,
    patches,
)

BARK_CLASSES = ("T01", "T02", "T03", "T04")
BARK_PLACES = ("bark", *(f"bark{ending}" for ending in ARCHIVES))
BARK_ADVICE = (
    "put the folders T01 to T04 of the texture database of Lazebnik et al. (2005), or "
    "their archives, into a folder 'bark' inside the folder that the environment "
    "variable DPM_DATA names, or give path=...; --dataset BARK4, of four other "
    "photographs of bark, needs no files"
)
BARK4 = {  # SHA-256 of the files in the folder beside this one, all 512 x 512
    "birch": "0101c13a45fed0ca42cc7db747b0367aa587a3de09fc1ffdfa034835888a6b62",
    "oak": "388e7ddbd9cfa818e24134871042cf1171b54c72ad0c20d66acb79166e786e3c",
    "pine": "0f88d1e1bba4c43a020b7322de1203f4c823895bc68e56b7b8c57827e5aca701",
    "willow": "58cc0aa6b92d2b43df71692dde15822e5a56b2d87231884019a475a4072d23cd",
}
BARK4_FOLDER = Path(__file__).parent / "bark4"
TEXTURES = {  # files of scikit-image, all 512 x 512, in the public domain (CC0)
    "brick": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "grass": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
}


@typed
def load_bark(
    path: Place = None,
    width: Count = 32,
    n_train: Several = 50_000,
    n_test: Several = 2_000,
    held_out: Between = 0.1,
    seed: Natural = 0,
) -> Pictures:
    """Patches of bark; whole pictures are held out for the test.

    Parameters
    ----------
    path : path-like, optional
        Folder or archive. Left out, ``bark``, ``bark.zip``, ``bark.tar.gz``, ... in
        the folder that DPM_DATA names. Pictures of the class T01 are those with a name,
        or in a folder with a name, that begins with T01.
    width : int
        Of a patch, in pixels.
    n_train, n_test : int
        Patches.
    held_out : float
        Part of the pictures of each class, at least one.
    seed : int
        Of which pictures are held out, and where patches are cut.
    """
    place = Path(path).expanduser() if path is not None else local_copy(*BARK_PLACES)
    if place is None or not place.exists():
        missing = "no bark is at hand" if place is None else f"there is no {place}"
        raise ValueError(f"{missing}: {BARK_ADVICE}")
    groups: dict[str, dict] = {name: {} for name in BARK_CLASSES}
    seen = set()  # a picture in a folder and in its archive must not be held out once
    for name, data in files_in(place):
        kind = bark_class(name)
        if kind and data not in seen:
            seen.add(data)
            groups[kind][name] = grey_picture(data, name)
    groups = {kind: found for kind, found in groups.items() if found}
    if not groups:
        raise ValueError(
            f"{place} holds no pictures of {', '.join(BARK_CLASSES)}: {BARK_ADVICE}"
        )
    rng = np.random.default_rng([seed, 0])
    train, test = {}, {}
    for kind, found in groups.items():
        if len(found) < 2:
            raise ValueError(
                f"{place} holds one picture of {kind} alone, {next(iter(found))}: at "
                "least two are needed, one to learn and one to hold out"
            )
        learned, kept = hold_out(found, held_out, rng)
        train |= learned
        test |= kept
    return patches(train, test, width, n_train, n_test, held_out, seed)


def bark_class(name: str) -> str | None:
    """T01 to T04 where a file or one of its folders is named so, else None."""
    for part in reversed(name.split("/")):
        match = re.match(r"(T\d\d)(?![\d-])", part, re.IGNORECASE)
        if match:
            kind = match[1].upper()
            return kind if kind in BARK_CLASSES else None
    return None


def bark_at_hand() -> bool:
    """Whether DPM_DATA has bark."""
    return local_copy(*BARK_PLACES) is not None


def texture_file(name: str) -> Path | None:
    """The file of a texture inside scikit-image, or None where it is not installed."""
    found = importlib.util.find_spec("skimage")  # looks for it, and imports nothing
    if found is None:
        return None
    path = Path(found.origin).parent / "data" / f"{name}.png"
    return path if path.is_file() else None


def texture(name: str) -> np.ndarray:
    """One of scikit-image's textures, (512, 512) uint8, or ValueError."""
    check_choice(name, sorted(TEXTURES), "texture")
    remedy = "install the version of scikit-image that requirements.txt names"
    return verified(texture_file(name), TEXTURES[name], f"{name}.png", remedy)


def bark4(name: str) -> np.ndarray:
    """One of the four photographs of bark, (512, 512) uint8, or ValueError."""
    check_choice(name, sorted(BARK4), "kind of bark")
    path = BARK4_FOLDER / f"{name}.png"
    remedy = "install the package again, or take the file from its repository"
    return verified(path, BARK4[name], f"bark4/{name}.png", remedy)


def verified(path: Path | None, sha256: str, name: str, remedy: str) -> np.ndarray:
    """Grey levels of a picture file that is known byte for byte, or ValueError.

    Parameters
    ----------
    path : Path or None
        None where it was not found.
    sha256 : str
        Of the whole file.
    name, remedy : str
        Of the file, and what to do where it is not that one, for the message.
    """
    data = path.read_bytes() if path is not None and path.is_file() else None
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        state = "is not there" if data is None else "is another file than it was"
        raise ValueError(f"the picture {name} {state}: {remedy}")
    return grey_picture(data, path)


@typed
def load_texture(
    names: str = "brick,grass,gravel",
    width: Count = 32,
    n_train: Several = 50_000,
    n_test: Several = 2_000,
    held_out: Count = 256,
    seed: Natural = 0,
) -> Pictures:
    """Patches of scikit-image's textures; a strip of each is held out for the test.

    Parameters
    ----------
    names : str
        Of the textures, with commas between.
    width, n_train, n_test : int
        As of `load_bark`.
    held_out : int
        Columns at the right of each picture that no training patch reaches into.
    seed : int
    """
    return _strips(texture, names, width, n_train, n_test, held_out, seed)


@typed
def load_bark4(
    names: str = "birch,oak,pine,willow",
    width: Count = 32,
    n_train: Several = 50_000,
    n_test: Several = 2_000,
    held_out: Count = 256,
    seed: Natural = 0,
) -> Pictures:
    """Patches of four photographs of bark; a strip of each is held out for the test.

    Parameters
    ----------
    names : str
        Of the kinds of bark, with commas between.
    width, n_train, n_test, held_out, seed
        As of `load_texture`.
    """
    return _strips(bark4, names, width, n_train, n_test, held_out, seed)


def _strips(read, names, width, n_train, n_test, held_out, seed) -> Pictures:
    """Patches of pictures by name, those of the test from columns at the right."""
    chosen = [name.strip() for name in names.split(",")]
    pictures = {name: read(name) for name in chosen}
    if len(pictures) < len(chosen):
        raise ValueError(f"names = {names!r}: name each picture once")
    size = 512
    if not width <= held_out <= size - width:
        raise ValueError(
            f"held_out = {held_out}: of {size} columns, patches of {width} x {width} "
            f"need {width} or more on either side"
        )
    train = {k: picture[:, :-held_out] for k, picture in pictures.items()}
    test = {k: picture[:, -held_out:] for k, picture in pictures.items()}
    names = ",".join(chosen)
    return patches(train, test, width, n_train, n_test, held_out, seed, names=names)


def texture_at_hand() -> bool:
    """Whether scikit-image has brought the pictures along."""
    return all(map(texture_file, TEXTURES))
