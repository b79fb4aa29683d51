"""Sets of images that others use too: MNIST, CIFAR-10, and scikit-learn's digits.

The models of this book learn images alone; labels serve to judge samples. How images
are scaled is said once, in `dpm.datasets.dataset.scaled`.
"""

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np

from dpm.blocks.settings import Natural, Place, Several, typed
from dpm.datasets.download import Remote, cache_folder, fetch, local_copy, unpacked
from dpm.datasets.pictures import Pictures

MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
MNIST_FILES = {
    "train": Remote(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        MNIST_MIRRORS,
    ),
    "test": Remote(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        MNIST_MIRRORS,
    ),
}
MNIST_LABELS = {
    "train": Remote(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        MNIST_MIRRORS,
    ),
    "test": Remote(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        MNIST_MIRRORS,
    ),
}
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_PICKLED = "cifar-10-batches-py"
CIFAR10_ARCHIVE = Remote(
    "cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    (
        "https://www.cs.toronto.edu/~kriz/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ),
)
CIFAR10_RECORD = 1 + 3 * 32 * 32  # label, then the red, the green and the blue plane


def read_bytes(path) -> bytes:
    """Contents of a file, unpacked where its name ends in .gz, or ValueError."""
    path = Path(path)
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): it is missing, damaged or cut short; "
            "delete it and get it again"
        ) from None


IDX = {"images": (0x803, 3), "labels": (0x801, 1)}  # how they start, and their axes


def read_idx(path, what: str = "images") -> np.ndarray:
    """Read images or labels in MNIST's format.

    Parameters
    ----------
    path : path-like
        An IDX file, gzipped if its name ends in ``.gz``.
    what : {"images", "labels"}

    Returns
    -------
    ndarray of uint8, shape (n, height, width) or (n,)

    Raises
    ------
    ValueError
        If it is something else, labels in place of images for instance, or cut short.
    """
    data, (magic, n_axes) = read_bytes(path), IDX[what]
    start, head = int.from_bytes(data[:4], "big"), 4 + 4 * n_axes
    for other, (theirs, _) in IDX.items():
        if start == theirs != magic:
            raise ValueError(
                f"{path} holds {other}, not {what}: give the file whose name has "
                f"{what!r}"
            )
    if start != magic or len(data) < head:
        raise ValueError(
            f"{path} is not an IDX file of {what} (no {magic:#x} at its start)"
        )
    shape = tuple(int(k) for k in np.frombuffer(data, ">u4", n_axes, offset=4))
    expected = head + math.prod(shape)
    if len(data) != expected:
        of = " of " * (n_axes > 1) + " x ".join(map(str, shape[1:]))
        raise ValueError(
            f"{path} has {len(data)} bytes, but its {shape[0]} {what}{of} need "
            f"{expected}: it is damaged or cut short; get it again"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def read_cifar10_images(path) -> np.ndarray:
    """Read images in CIFAR-10's binary format.

    Returns
    -------
    ndarray of uint8, shape (n, 3, 32, 32)
    """
    data = np.frombuffer(read_bytes(path), np.uint8)
    if len(data) == 0 or len(data) % CIFAR10_RECORD:
        raise ValueError(
            f"{path} has {len(data)} bytes, not a multiple of {CIFAR10_RECORD}: it is "
            "damaged, cut short, or not a file of CIFAR-10's binary version"
        )
    records = data.reshape(-1, CIFAR10_RECORD)
    if records[:, 0].max() > 9:
        raise ValueError(
            f"{path} has labels beyond 9: it is not a file of CIFAR-10's binary version"
        )
    return records[:, 1:].reshape(-1, 3, 32, 32)


def _places(relative: str) -> list[Path]:
    """Where a file of some data set may lie: in the user's copy, in the cache."""
    local = local_copy(relative)
    return [cache_folder() / relative, *([local] if local else [])]


def _mnist_file(remote: Remote) -> Path:
    """A file of MNIST, packed or not: of the user, in the cache, or downloaded."""
    plain = remote.name.removesuffix(".gz")
    path = local_copy(f"mnist/{remote.name}", f"mnist/{plain}")
    return path or fetch(remote, "mnist")


@typed
def load_mnist(path: Place = None) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's training and test images, (n, 1, 28, 28) uint8 (LeCun et al., 1998).

    Parameters
    ----------
    path : path-like, optional
        Of other images in MNIST's format, as FashionMNIST's, KMNIST's and EMNIST's are:
        a folder with their files, packed or not, or the file of the images to train on,
        beside which those of the test lie. EMNIST's are stored with rows for columns,
        and taken as they are.
    """
    files = map(_mnist_file, MNIST_FILES.values()) if path is None else idx_pair(path)
    return tuple(read_idx(file)[:, None] for file in files)


def idx_pair(path) -> tuple[Path, Path]:
    """Files of training and of test images in MNIST's format, that belong together.

    Parameters
    ----------
    path : path-like
        A folder, or the file of training images. Which files have images is read from
        their first bytes. Names with "train" are of one part, with "t10k" or "test" of
        the other; two belong together whose names are the same but for that.

    Raises
    ------
    ValueError
        If there is no such pair, or a folder has several.
    """
    place = Path(path).expanduser()
    folder = place if place.is_dir() else place.parent
    if not place.exists():
        raise ValueError(f"path = {path}: there is no such folder or file")
    parts: dict[str, dict] = {"train": {}, "test": {}}
    for file in sorted(folder.iterdir(), reverse=True):  # what is not packed comes last
        if found := re.search("train|test|t10k", file.name):
            part = "train" if found[0] == "train" else "test"
            rest = file.name.replace(found[0], "", 1).removesuffix(".gz")
            if (place in (file, folder) or part == "test") and _has_images(file):
                parts[part][rest] = file
    pairs = sorted(parts["train"].keys() & parts["test"].keys())
    if not pairs:
        raise ValueError(
            f"path = {path}: no two files there are training and test images in "
            "MNIST's format (train-images-idx3-ubyte and t10k-images-idx3-ubyte, "
            "packed or not, or names that begin with that of their set)"
        )
    if len(pairs) > 1:
        listed = ", ".join(parts["train"][rest].name for rest in pairs)
        raise ValueError(
            f"path = {path} holds more than one set: give the file to train on, one of "
            f"{listed}"
        )
    return parts["train"][pairs[0]], parts["test"][pairs[0]]


def _has_images(path: Path) -> bool:
    """Whether a file begins as one of images in MNIST's format."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            return int.from_bytes(file.read(4), "big") == IDX["images"][0]
    except (EOFError, OSError, zlib.error):
        return False


def load_mnist_labels() -> tuple[np.ndarray, np.ndarray]:
    """Which digits MNIST's training and test images show, (n,) uint8."""
    return tuple(read_idx(_mnist_file(f), "labels") for f in MNIST_LABELS.values())


def load_cifar10() -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's training and test images, (n, 3, 32, 32) uint8 (Krizhevsky, 2009)."""
    folder = local_copy(CIFAR10_FOLDER)
    pickled = local_copy(CIFAR10_PICKLED)
    try:
        folder = folder or unpacked(CIFAR10_ARCHIVE, CIFAR10_FOLDER)
    except ValueError as error:
        if pickled is None:
            raise
        raise ValueError(
            f"{pickled} is CIFAR-10's version for Python: pickled files, which may run "
            f"anything when they are read, so they are not. Get the binary version, "
            f"{CIFAR10_ARCHIVE.name}, from where you had it ({error})"
        ) from None
    batches = sorted(folder.glob("data_batch_*.bin"))
    test = folder / "test_batch.bin"
    if not batches or not test.exists():
        raise ValueError(
            f"{folder} lacks data_batch_*.bin or test_batch.bin: it is not CIFAR-10's "
            "binary version"
        )
    train = np.concatenate([read_cifar10_images(path) for path in batches])
    return train, read_cifar10_images(test)


@typed
def load_digits(n_test: Several = 297, seed: Natural = 0) -> Pictures:
    """Scikit-learn's 1,797 digits of 8 x 8 pixels in 17 grey levels, with no download.

    Parameters
    ----------
    n_test : int
        Held out, drawn at random.
    seed : int
        Of that draw.
    """
    from sklearn.datasets import load_digits as bundled  # slow to import

    pixels = bundled().images.astype(np.uint8)[:, None]
    if n_test > len(pixels) - 2:
        raise ValueError(
            f"n_test = {n_test}: of {len(pixels)} digits at least 2 must be left"
        )
    order = np.random.default_rng(seed).permutation(len(pixels))
    return Pictures(
        pixels[order[n_test:]],
        pixels[order[:n_test]],
        levels=17,
        settings={"n_test": n_test, "seed": seed},
    )


def mnist_at_hand() -> bool:
    """Whether both files of MNIST's images are there."""
    return _are_there(MNIST_FILES)


def mnist_labels_at_hand() -> bool:
    """Whether both files of MNIST's labels are there."""
    return _are_there(MNIST_LABELS)


def _are_there(files: dict) -> bool:
    return all(
        any(map(Path.is_file, _places(f"mnist/{remote.name}")))
        for remote in files.values()
    )


def cifar10_at_hand() -> bool:
    """Whether CIFAR-10's folder is there."""
    return any(map(Path.is_dir, _places(CIFAR10_FOLDER)))
