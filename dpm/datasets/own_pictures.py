"""Your own pictures: a folder or an archive of them, as patches or each one whole."""

import hashlib
import os
from pathlib import Path
from typing import Literal

import numpy as np

from dpm.blocks.settings import Between, Count, Natural, Place, Several, typed
from dpm.datasets.pictures import (
    ENDINGS,
    Pictures,
    check_room,
    files_in,
    hold_out,
    patches,
    read_picture,
)

ADVICE = "give path=..., a folder or an archive of pictures"
N_TRAIN, N_TEST = 50_000, 2_000  # patches, where nothing else is asked for
MOST_VALUES = 2**31  # bytes of all pictures in memory, while patches are cut


@typed
def load_images(
    path: Place = None,
    width: Count = 32,
    grey: bool = True,
    how: Literal["crop", "resize"] = "crop",
    n_train: Several | None = None,
    n_test: Several | None = None,
    held_out: Between = 0.1,
    seed: Natural = 0,
) -> Pictures:
    """Pictures of the user; whole pictures are held out for the test.

    Parameters
    ----------
    path : path-like
        Folder, with all folders in it, or archive. Identical files count once.
    width : int
        Of an image, in pixels. 32 as CIFAR-10's: small enough to be trained on a
        processor, large enough to tell what is on a picture.
    grey : bool
        Whether to keep brightness alone: a third of the numbers to learn. If not,
        images have three colours: red, green and blue.
    how : {"crop", "resize"}
        "crop" cuts patches at random places, as of bark: textures and details, of
        which few pictures give many. "resize" makes one image of each picture, its
        central square scaled (Lanczos) to `width`, up too: what pictures are of, and
        for this many of them are needed.
    n_train, n_test : int, optional
        Patches, 50,000 and 2,000 as of bark where left out. Not to be given with
        how="resize", where the number of pictures decides.
    held_out : float
        Part of the pictures to hold out, at least one. Pictures and not patches,
        because patches of one picture overlap: a test on them would reward a model
        for what it knows by heart.
    seed : int
        Of which pictures are held out, and where patches are cut.

    Notes
    -----
    Pictures are read as a viewer shows them: turned as the camera was held, and on
    white where they are transparent, for below that the stored colours are
    arbitrary. Those of 16 bits are scaled to 8, which is said once.
    """
    counts = _counts(how, n_train, n_test)
    place = _place(path)
    found = _read(place, width, grey, how)
    if not found:
        raise ValueError(
            f"{place} holds no pictures ({', '.join(ENDINGS)}): {ADVICE} of these kinds"
        )
    if len(found) < 2:
        raise ValueError(
            f"{place} holds one picture alone, {next(iter(found))} (copies of it count "
            "once): add others, one to learn and one to hold out at least"
        )
    train, test = hold_out(found, held_out, np.random.default_rng([seed, 0]))
    kept = {"grey": grey, "how": how}
    if how == "crop":
        return patches(train, test, width, *counts, held_out, seed, **kept)
    return Pictures(
        *(np.stack(list(part.values())) for part in (train, test)),
        settings={**kept, "width": width, "held_out": held_out, "seed": seed},
    )


def _counts(how, n_train, n_test) -> tuple:
    """Numbers of patches, or ValueError where how="resize" is given any."""
    given = {"n_train": (n_train, N_TRAIN), "n_test": (n_test, N_TEST)}
    for name, (n, _) in given.items():
        if how == "resize" and n is not None:
            raise ValueError(
                f"{name} = {n!r}: with how='resize' each picture is one image; leave "
                f"{name} out, and choose held_out"
            )
    return tuple(usual if n is None else n for n, usual in given.values())


def _place(path) -> Path:
    """The folder or archive that is asked for, or ValueError."""
    if path is None:
        raise ValueError(f"IMAGES are your own pictures: {ADVICE}")
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise ValueError(f"path = {path!r} names no place: {ADVICE}")
    place = Path(os.path.expanduser(path))
    if not place.exists():
        raise ValueError(f"there is no {place}: {ADVICE}")
    return place


def _read(place: Path, width: int, grey: bool, how: str) -> dict:
    """Names and pixels of all pictures, each once; already scaled, if asked for."""
    found: dict[str, np.ndarray] = {}
    seen = set()
    n_values = 0
    for name, data in files_in(place):
        digest = hashlib.sha256(data).digest()
        if digest in seen:
            continue
        seen.add(digest)
        picture = read_picture(data, name, grey, as_shown=True)
        if how == "resize":
            picture = central_square(picture, width)
        else:
            check_room(name, picture, width, ", or how='resize'")
        found[name] = picture
        n_values += picture.size
        if n_values > MOST_VALUES:
            raise ValueError(
                f"{place}: up to {name} the pictures have {n_values:,} values, more "
                f"than {MOST_VALUES:,} together: give fewer or smaller ones, or "
                "how='resize'"
            )
    return found


def central_square(picture, width: int) -> np.ndarray:
    """The largest square in a picture's middle, scaled to width x width pixels.

    Parameters
    ----------
    picture : ndarray of uint8, shape (colours, height, width)
    width : int

    Notes
    -----
    Lanczos' filter over all pixels that a new one covers: no grid of the old ones is
    left, and edges stay sharp.
    """
    from PIL import Image

    side = min(picture.shape[1:])
    top, left = ((n - side) // 2 for n in picture.shape[1:])
    square = picture[:, top : top + side, left : left + side]
    scaled = [
        Image.fromarray(np.ascontiguousarray(colour)).resize(
            (width, width), Image.Resampling.LANCZOS
        )
        for colour in square
    ]
    return np.stack([np.asarray(colour) for colour in scaled])
