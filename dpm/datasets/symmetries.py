"""Pictures turned over at random, where what they show has no left, or no top.

A picture that is as probable when seen in a mirror makes two of one.
"""

import numpy as np

from dpm.blocks.checks import check_choice


def left_right(X):
    return X[..., ::-1]


def top_bottom(X):
    return X[..., ::-1, :]


def transposed(X):
    return X.swapaxes(-1, -2)


SYMMETRIES = {  # each change is made or not, by a coin: all that they combine to
    "none": (),
    "mirror": (left_right,),
    "eight": (left_right, top_bottom, transposed),  # the symmetries of the square
}


def check_symmetries(name: str, image_shape: tuple | None) -> None:
    """Raise ValueError unless pictures of a shape have such symmetries.

    Parameters
    ----------
    name : {"none", "mirror", "eight"}
    image_shape : tuple or None
        (colours, height, width); None of data that are no pictures.
    """
    check_choice(name, SYMMETRIES, "symmetries")
    if name == "none":
        return
    if image_shape is None:
        raise ValueError(
            f"symmetries = {name!r} is for pictures, and vectors have no left and "
            "right: leave it out"
        )
    _, height, width = image_shape
    if transposed in SYMMETRIES[name] and height != width:
        raise ValueError(
            f"symmetries = {name!r} is for square pictures, not for {height} x {width} "
            "pixels: choose 'mirror'"
        )


def turned(X, image_shape: tuple, name: str, rng) -> np.ndarray:
    """Rows of pictures, each turned over in one of the ways, all as probable.

    Parameters
    ----------
    X : ndarray, shape (n, colours * height * width)
    image_shape : tuple
        (colours, height, width).
    name : {"none", "mirror", "eight"}
        Both ways, or all eight ways, to lay a square on itself.
    rng : numpy Generator

    Returns
    -------
    ndarray
        Of the shape of X, which is left as it is.
    """
    check_symmetries(name, image_shape)
    changes = SYMMETRIES[name]
    if not changes:
        return X
    pictures = X.reshape(-1, *image_shape).copy()
    coins = rng.integers(0, 2, size=(len(changes), len(X)), dtype=bool)
    for change, heads in zip(changes, coins, strict=True):
        pictures[heads] = change(pictures[heads])
    return pictures.reshape(X.shape)
