"""Dead leaves: pictures of discs that lie over one another, and what is known of them.

Leaf after leaf is laid down, the front one first: a new leaf shows only where nothing
lies yet. Its radius r has a density proportional to r^-3 between two
cut-offs, so that each octave of sizes covers as much as the next, as in photographs;
its centre is uniform over the plane, its grey level uniform (Lee et al., 2001).
"""

import functools
from typing import Annotated

import numpy as np
from annotated_types import Interval

from dpm.blocks.checks import check_count, check_memory, check_positive
from dpm.blocks.settings import Count, Natural, Positive, Several, typed
from dpm.datasets.pictures import Pictures

BLOCK = 250  # pictures made at once; which numbers a picture draws depends on it
MOST_LEAVES = 2**21  # at once, to bound memory
LEAST_RADIUS = 0.1
DEPTH = 1.5  # leaves over each point in one round, on average


def check_radii(smallest: float, largest: float) -> None:
    """Raise ValueError unless 0 < smallest < largest, both finite."""
    check_positive(smallest, "smallest")
    check_positive(largest, "largest")
    if smallest >= largest:
        raise ValueError(
            f"smallest = {smallest} and largest = {largest}: the smallest radius must "
            "be below the largest"
        )


def dead_leaves(
    n: int,
    width: int = 32,
    smallest: float = 2.0,
    largest: float = 16.0,
    seed=0,
    levels: int = 256,
) -> np.ndarray:
    """Draw pictures of dead leaves. Each is stationary: no place differs from another.

    Parameters
    ----------
    n, width : int
        So many pictures of width x width pixels.
    smallest, largest : float
        Cut-offs of the radius, in pixels.
    seed : int or sequence of int
        The first pictures are the same whatever `n`.
    levels : int
        Grey levels 0 to levels - 1, all as probable.

    Returns
    -------
    ndarray of uint8, shape (n, 1, width, width)
        A pixel has the grey of the leaf that lies at its centre.
    """
    size = block_size(n, width, smallest, largest)
    seeds = np.atleast_1d(seed).tolist()
    blocks = []
    for number in range(-(-n // size)):
        rng = np.random.default_rng([*seeds, number])
        blocks.append(_block(rng, size, width, smallest, largest, levels))
    return np.concatenate(blocks)[:n, None]


def block_size(n, width, smallest, largest) -> int:
    """How many pictures to make at once; ValueError where none could be."""
    check_count(n, "n", 1)
    check_count(width, "width", 1)
    check_radii(smallest, largest)
    if smallest < LEAST_RADIUS:
        raise ValueError(
            f"smallest = {smallest}: leaves below {LEAST_RADIUS} of a pixel seldom "
            "meet one, and covering all pixels would take for ever"
        )
    check_memory(n * width**2 // 2, f"n = {n}, width = {width}")  # bytes, and floats
    return max(1, min(BLOCK, BLOCK * 32**2 // width**2))


def painted(n, rng, width=32, smallest=2.0, largest=16.0, noise=0.0) -> np.ndarray:
    """`dead_leaves`, with noise on them, drawn by a generator: as `load_dead_leaves`.

    Parameters
    ----------
    n : int
    rng : numpy Generator
    width, smallest, largest, noise
        As of `load_dead_leaves`.

    Returns
    -------
    ndarray of uint8, shape (n, 1, width, width)
    """
    most = block_size(n, width, smallest, largest)
    sizes = [min(most, n - start) for start in range(0, n, most)]
    blocks = [_block(rng, size, width, smallest, largest, 256) for size in sizes]
    return with_noise(np.concatenate(blocks)[:, None], noise, rng)


def _block(rng, n, width, smallest, largest, levels):
    """Lay leaves on n pictures until every pixel is covered: (n, width, width)."""
    grey = np.zeros((n, width, width), np.uint8)
    bare = np.ones((n, width, width), bool)
    disc = np.pi * np.log(largest / smallest)  # integral of r^-3 pi r^2
    n_leaves = int(np.ceil(DEPTH * _reach(width, smallest, largest).sum() / disc))
    n_leaves = min(n_leaves, MOST_LEAVES // n)
    rows = np.arange(n)
    while len(rows):
        # (pictures, leaves), the front leaf first
        leaves = draw_leaves(rng, (len(rows), n_leaves), width, smallest, largest)
        shade = rng.integers(0, levels, size=(len(rows), n_leaves), dtype=np.uint8)
        grey[rows], bare[rows] = lay(grey[rows], bare[rows], *leaves, shade)
        rows = rows[bare[rows].any(axis=(1, 2))]
    return grey


def _reach(width, smallest, largest):
    """Integrals of r^-3 (side + 2r)^2, term by term: 1, r and r^2 of the square."""
    side = width - 1.0
    a, b = smallest, largest
    return np.array(
        [
            side**2 * (a**-2 - b**-2) / 2,
            4 * side * (1 / a - 1 / b),
            4 * np.log(b / a),
        ]
    )


def draw_leaves(rng, shape, width, smallest, largest):
    """Radii and centres of leaves that may touch a picture of pixels 0 to width - 1.

    A leaf of radius r touches it only if its centre lies in a square of side
    width - 1 + 2r around it. So radii are drawn with density r^-3 times the area of
    that square, a mixture of three powers of r, and the centre uniformly in it.

    Returns
    -------
    radius, row, column : ndarray of float
        Of the given shape.
    """
    weight = _reach(width, smallest, largest)
    kind = np.searchsorted(np.cumsum(weight)[:2] / weight.sum(), rng.random(shape))
    u = rng.random(shape)
    a, b = smallest, largest
    radius = np.where(
        kind == 0,
        (a**-2 + u * (b**-2 - a**-2)) ** -0.5,
        np.where(kind == 1, 1 / (1 / a + u * (1 / b - 1 / a)), a * (b / a) ** u),
    )
    side = width - 1.0
    row = (side + 2 * radius) * rng.random(shape) - radius
    column = (side + 2 * radius) * rng.random(shape) - radius
    return radius, row, column


def lay(grey, bare, radius, row, column, shade):
    """Paint leaves, front to back, on what is still bare.

    A leaf is cut into the rows of pixels that it covers, and those into pixels. Leaves
    and rows with nothing bare under them are left out as soon as that is known.

    Parameters
    ----------
    grey : ndarray of uint8, shape (n, height, width)
    bare : ndarray of bool, shape (n, height, width)
        Pixels not covered yet.
    radius, row, column, shade : ndarray, shape (n, n_leaves)
        Of the front leaf first.

    Returns
    -------
    grey, bare : ndarray
        New arrays.
    """
    n, height, width = bare.shape
    grey, bare = grey.ravel(), bare.copy()
    above = np.zeros((n, height + 1, width + 1), np.int32)  # bare pixels above, left
    above[:, 1:, 1:] = bare.cumsum(1, dtype=np.int32).cumsum(2, dtype=np.int32)
    picture = np.repeat(np.arange(n), radius.shape[1])
    r, y, x, shade = (a.ravel() for a in (radius, row, column, shade))

    top, bottom = _cut(y, r, height)
    left, right = _cut(x, r, width)
    seen = _in_box(above, picture, top, bottom, left, right) > 0
    picture, r, y, x, shade, top, bottom = (
        a[seen] for a in (picture, r, y, x, shade, top, bottom)
    )
    leaf, line = _expand(top, bottom)
    half = np.sqrt(np.maximum(r[leaf] ** 2 - (line - y[leaf]) ** 2, 0))
    left, right = _cut(x[leaf], half, width)
    start = (picture[leaf] * height + line) * width
    seen = _in_box(above, picture[leaf], line, line + 1, left, right) > 0
    leaf, left, right, start = (a[seen] for a in (leaf, left, right, start))

    span, column = _expand(left, right)
    pixel = start[span] + column
    shade = shade[leaf[span]]
    free = bare.ravel()[pixel]
    # Of values for the same pixel the last one stays: the front leaf must come last.
    pixel, shade = pixel[free][::-1], shade[free][::-1]
    grey[pixel] = shade
    bare.ravel()[pixel] = False
    return grey.reshape(bare.shape), bare


def _cut(centre, half, size):
    """First pixel within `half` of a centre, and the one after the last, in range."""
    first = np.ceil(centre - half).astype(np.int64).clip(0, size)
    end = np.floor(centre + half).astype(np.int64).clip(-1, size - 1) + 1
    return first, np.maximum(end, first)


def _in_box(above, picture, top, bottom, left, right):
    """How many bare pixels boxes hold, from sums over all that lies above and left."""
    return (
        above[picture, bottom, right]
        - above[picture, top, right]
        - above[picture, bottom, left]
        + above[picture, top, left]
    )


def _expand(start, stop):
    """All whole numbers of ranges, with the index of the range that each is from."""
    length = stop - start
    index = np.repeat(np.arange(len(length)), length)
    first = np.repeat(length.cumsum() - length, length)
    return index, np.arange(len(index)) - first + start[index]


def same_leaf(distance, smallest: float, largest: float) -> np.ndarray:
    """Probability that two points show the same leaf: the correlation of their greys.

    The first leaf to cover one of the points decides: they show the same leaf if it
    covers both. Centres that cover both fill a lens, those that cover either two discs
    less a lens, so

    .. math:: P(d) = \\frac{E[A_\\cap(r, d)]}{E[2 \\pi r^2 - A_\\cap(r, d)]}.

    Parameters
    ----------
    distance : array_like
        In pixels.
    smallest, largest : float
        Cut-offs of the radius.

    Returns
    -------
    ndarray
        Of the distance's shape.

    Notes
    -----
    Lee, Mumford and Huang (2001).
    """
    check_radii(smallest, largest)
    discs = 2 * np.pi * np.log(largest / smallest)

    def lens(r, d):
        u = d / (2 * r)
        return 2 * (np.arccos(u) - u * np.sqrt(1 - u**2)) / r  # r^-3 times its area

    from scipy import integrate  # a fifth of a second to import, and seldom used

    def probability(d):
        least = max(smallest, d / 2)
        if least >= largest:
            return 0.0
        both = integrate.quad(lens, least, largest, args=(d,), limit=200)[0]
        return both / (discs - both)

    return np.vectorize(probability, otypes=[float])(np.abs(distance))


def with_noise(pixels, noise: float, rng) -> np.ndarray:
    """8-bit pixels with normal noise of so many grey levels, 8-bit again."""
    if noise == 0:
        return pixels
    room = 3 * noise
    noisy = rng.standard_normal(pixels.shape, dtype=np.float32)
    noisy *= noise
    noisy += room + pixels * np.float32(1 - 2 * room / 255)
    return np.rint(noisy).clip(0, 255).astype(np.uint8)


@typed
def load_dead_leaves(
    width: Count = 32,
    n_train: Several = 50_000,
    n_test: Several = 2_000,
    smallest: Positive = 2.0,
    largest: Positive = 16.0,
    seed: Natural = 0,
    noise: Annotated[float, Interval(ge=0, lt=40)] = 0.0,
) -> Pictures:
    """Pictures of discs, drawn anew each time: see `dead_leaves`.

    Parameters
    ----------
    width : int
    n_train, n_test : int
        Their draws have nothing in common.
    smallest, largest : float
        Cut-offs of the radius, in pixels.
    seed : int
    noise : float
        Standard deviation, in grey levels of 255, of the normal noise on each pixel, as
        a camera has it. The greys of the discs then keep three deviations off the ends.
    """
    settings = {
        "width": width,
        "n_train": n_train,
        "n_test": n_test,
        "smallest": smallest,
        "largest": largest,
        "seed": seed,
        "noise": noise,
    }
    train, test = (
        with_noise(
            dead_leaves(n, width, smallest, largest, seed=[seed, part]),
            noise,
            np.random.default_rng([seed, part, 1]),
        )
        for part, n in enumerate((n_train, n_test))
    )
    kind = dict(width=width, smallest=smallest, largest=largest, noise=noise)
    return Pictures(
        train, test, settings=settings, paint=functools.partial(painted, **kind)
    )
