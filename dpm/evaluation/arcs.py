"""How round the things in pictures are: which of their edges a disc could have made.

A picture is cut into patches of one grey. Where two patches meet, one lies in front. If
the things are discs, then near any place on that edge the pixels of the front one lie
inside a circle and those of the other outside. Whether a circle can be so drawn is
tried with thousands.
"""

import functools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dpm.blocks.checks import check_count, check_positive
from dpm.datasets.leaves import check_radii

LEAST = 4  # pixels of a patch: fewer are noise
PER_OCTAVE = 10  # radii tried
TURNS = 96  # directions tried
SHIFTS = np.linspace(-1, 1, 21)  # of the circle from the edge, in pixels


def share_on_arcs(
    pictures, close: float, reach: int = 4, smallest: float = 2.0, largest: float = 16.0
) -> np.ndarray:
    """Share of edges around which a circle parts the two patches without an error.

    An edge is a pair of neighbouring pixels of two patches. Around it is a square of
    pixels, 2 reach + 1 wide. It counts if some disc holds all pixels there of one of
    the two patches and none of the other's. Pixels of third patches say nothing.

    Parameters
    ----------
    pictures : array_like, shape (n, height, width)
        Grey.
    close : float
        Neighbours that differ by less belong to one patch.
    reach : int
    smallest, largest : float
        Radii of the discs, in pixels.

    Returns
    -------
    ndarray, shape (n,)
        In 0..1; NaN for a picture without edges.

    Raises
    ------
    ValueError
        For what is no set of grey pictures, or no radii.

    Notes
    -----
    On edges of pictures as small as ours a Hough transform finds as many circles
    where things are square, or shapeless, as where they are round.
    """
    pictures = np.asarray(pictures, dtype=float)
    if pictures.ndim != 3 or pictures.size == 0 or not np.isfinite(pictures).all():
        raise ValueError(
            f"pictures of shape {pictures.shape}: give finite numbers of shape "
            "(n, height, width), of one colour"
        )
    check_positive(close, "close")
    check_count(reach, "reach", 1)
    check_radii(smallest, largest)
    inside = discs_nearby(reach, float(smallest), float(largest)).T
    return np.array([_share(patches(p, close), reach, inside) for p in pictures])


def patches(picture, close: float) -> np.ndarray:
    """A number for each pixel, the same within a patch.

    Parameters
    ----------
    picture : ndarray, shape (height, width)
    close : float
        As of `share_on_arcs`.

    Returns
    -------
    ndarray of int, shape (height, width)
    """
    index = np.arange(picture.size).reshape(picture.shape)
    first, second = [], []
    for axis in (0, 1):
        same = np.abs(np.diff(picture, axis=axis)) < close
        before, after = (np.delete(index, end, axis) for end in (-1, 0))
        first.append(before[same])
        second.append(after[same])
    links = np.concatenate(first), np.concatenate(second)
    graph = coo_array((np.ones(len(links[0])), links), shape=(picture.size,) * 2)
    return connected_components(graph, directed=False)[1].reshape(picture.shape)


@functools.lru_cache(maxsize=4)
def discs_nearby(reach: int, smallest: float, largest: float) -> np.ndarray:
    """Discs whose circle passes near the middle of a square of pixels.

    Parameters
    ----------
    reach : int
        The square is 2 reach + 1 wide.
    smallest, largest : float
        Radii, in pixels.

    Returns
    -------
    ndarray of float32, shape (n_discs, (2 reach + 1)^2)
        1 inside, 0 outside; no two alike.
    """
    n_radii = int(np.ceil(PER_OCTAVE * np.log2(largest / smallest))) + 1
    radius = np.geomspace(smallest, largest, n_radii)[:, None, None, None]
    angle = (np.arange(TURNS) * 2 * np.pi / TURNS)[:, None, None]
    away = radius + SHIFTS[:, None]  # (n_radii, 1, n_shifts, 1)
    y, x = np.indices((2 * reach + 1,) * 2).reshape(2, -1) - reach
    off = (y - away * np.sin(angle)) ** 2 + (x - away * np.cos(angle)) ** 2
    masks = (off <= radius**2).reshape(-1, len(y))
    return np.unique(masks, axis=0).astype(np.float32)


def _share(patch, reach, inside) -> float:
    """Of one picture cut into patches, for discs (pixels, n_discs)."""
    size = np.bincount(patch.ravel())
    around = np.pad(patch, reach, constant_values=-1)
    width = 2 * reach + 1
    around = np.lib.stride_tricks.sliding_window_view(around, (width, width))
    n_edges = n_parted = 0
    for after in ((slice(1, None), slice(None)), (slice(None), slice(1, None))):
        before = tuple(slice(0, -1) if s.start else s for s in after)
        a, b = patch[before], patch[after]
        edge = (a != b) & (size[a] >= LEAST) & (size[b] >= LEAST)
        near = around[before][edge].reshape(-1, width**2)
        one, other = (
            (near == p[edge][:, None]).astype(np.float32) for p in (a, b)
        )  # (n_edges, pixels)
        more = (one - other) @ inside  # pixels of one inside a disc, less of the other
        # a disc is wrong by the front's pixels outside of it and the other's inside
        wrong = np.minimum(
            one.sum(axis=1) - more.max(axis=1), other.sum(axis=1) + more.min(axis=1)
        )
        n_edges += len(near)
        if len(near):
            n_parted += (wrong < 0.5).sum()
    return n_parted / n_edges if n_edges else np.nan
