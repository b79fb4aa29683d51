"""MNIST and CIFAR-10: read, scaled, found, downloaded, and refused."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from dpm import datasets
from dpm.datasets import download, standard

REAL = os.environ.get("DPM_DATA", "")


def idx(pixels) -> bytes:
    """Images (n, h, w) in MNIST's format."""
    head = [0x803, *pixels.shape]
    return b"".join(k.to_bytes(4, "big") for k in head) + pixels.tobytes()


def idx_labels(n) -> bytes:
    return (0x801).to_bytes(4, "big") + n.to_bytes(4, "big") + bytes(n)


def cifar10(n, rng) -> bytes:
    labels = rng.integers(0, 10, size=(n, 1), dtype=np.uint8)
    pixels = rng.integers(0, 256, size=(n, 3072), dtype=np.uint8)
    return np.hstack([labels, pixels]).tobytes()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder that DPM_DATA names, with small data of both kinds."""
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    for name, n in (("train", 20), ("t10k", 10)):
        data = idx(rng.integers(0, 256, size=(n, 4, 4), dtype=np.uint8))
        path = tmp_path / "mnist" / f"{name}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(data))
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, n in (("data_batch_1", 3), ("data_batch_2", 4), ("test_batch", 2)):
        (folder / f"{name}.bin").write_bytes(cifar10(n, rng))
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    return tmp_path


def test_images_are_scaled_by_the_training_part(copy):
    assert datasets.at_hand("MNIST") and datasets.at_hand("CIFAR10")
    data = datasets.load("MNIST")
    assert data.image_shape == (1, 4, 4)
    assert data.X_train.shape == (20, 16) and data.X_test.shape == (10, 16)
    assert data.X_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.X_train.std() == pytest.approx(1, rel=1e-6)
    path = copy / "mnist" / "t10k-images-idx3-ubyte.gz"
    pixels = np.frombuffer(gzip.decompress(path.read_bytes())[16:], np.uint8)
    back = data.X_test.ravel() * data.scale + data.shift
    np.testing.assert_allclose(back * 255, pixels, atol=1e-3)
    assert data.grey_level * data.scale * 255 == pytest.approx(1)


def other_sets(folder):
    """Files of two sets in MNIST's format, packed and not, and others beside them."""
    rng = np.random.default_rng(1)
    parts = {
        "emnist-letters-train-images-idx3-ubyte.gz": 12,
        "emnist-letters-test-images-idx3-ubyte": 5,
        "emnist-digits-train-images-idx3-ubyte": 7,
        "emnist-digits-test-images-idx3-ubyte.gz": 4,
    }
    for name, n in parts.items():
        pixels = rng.integers(0, 256, size=(n, 4, 4), dtype=np.uint8)
        write(folder / name, idx(pixels))
    write(folder / "emnist-digits-train-labels-idx1-ubyte", idx_labels(7))
    write(folder / "notes-train.txt", b"letters")
    write(folder / "broken-train.gz", b"")
    (folder / "broken-train.gz").write_bytes(b"no")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_other_images_in_the_format_of_mnist(tmp_path, ending):
    """Under MNIST's names, as FashionMNIST and KMNIST come, and never a mixture."""
    pixels = np.arange(16 * 9, dtype=np.uint8).reshape(9, 4, 4)
    write(tmp_path / f"train-images-idx3-ubyte{ending}", idx(pixels))
    with pytest.raises(ValueError, match="no two files there are training and test"):
        standard.load_mnist(tmp_path)
    write(tmp_path / f"fashion-t10k-images-idx3-ubyte{ending}", idx(pixels[:3]))
    with pytest.raises(ValueError, match="no two files there are training and test"):
        standard.load_mnist(tmp_path)
    write(tmp_path / f"t10k-images-idx3-ubyte{ending}", idx(pixels[:2]))
    for path in (tmp_path, str(tmp_path / f"train-images-idx3-ubyte{ending}")):
        train, test = standard.load_mnist(path=path)
        np.testing.assert_array_equal(train[:, 0], pixels)
        np.testing.assert_array_equal(test[:, 0], pixels[:2])
    data = datasets.load("MNIST", path=str(tmp_path))
    assert data.image_shape == (1, 4, 4) and data.settings == {}


def test_a_folder_of_several_sets_asks_which(tmp_path):
    other_sets(tmp_path)
    match = "more than one set: give .* one of emnist-digits-train-.*, emnist-letters-t"
    with pytest.raises(ValueError, match=match):
        standard.load_mnist(tmp_path)
    for name, sizes in (("letters-train-images-idx3-ubyte.gz", (12, 5)),
                        ("digits-train-images-idx3-ubyte", (7, 4))):  # fmt: skip
        found = standard.load_mnist(tmp_path / f"emnist-{name}")
        assert tuple(map(len, found)) == sizes
    for name in ("notes-train.txt", "emnist-digits-train-labels-idx1-ubyte",
                 "emnist-digits-test-images-idx3-ubyte.gz"):  # fmt: skip
        with pytest.raises(ValueError, match="no two files there are training and"):
            standard.load_mnist(tmp_path / name)
    with pytest.raises(ValueError, match="there is no such folder or file"):
        standard.load_mnist(tmp_path / "nowhere")


def test_of_a_file_packed_and_not_the_latter_is_read(tmp_path):
    for name, n in (("train", 5), ("t10k", 2)):
        pixels = np.full((n, 2, 2), 7, np.uint8)
        write(tmp_path / f"{name}-images-idx3-ubyte", idx(pixels))
        write(tmp_path / f"{name}-images-idx3-ubyte.gz", idx(pixels[:1]))
    assert tuple(map(len, standard.load_mnist(tmp_path))) == (5, 2)


def test_cifar10_has_colour_planes_in_order(copy):
    data = datasets.load("CIFAR10")
    assert data.image_shape == (3, 32, 32)
    assert len(data.X_train) == 7 and len(data.X_test) == 2
    record = np.frombuffer(
        (copy / "cifar-10-batches-bin" / "test_batch.bin").read_bytes(), np.uint8
    ).reshape(2, 3073)
    image = standard.load_cifar10()[1][1]
    np.testing.assert_array_equal(image[0].ravel(), record[1, 1:1025])  # red
    np.testing.assert_array_equal(image[2].ravel(), record[1, 2049:])  # blue


@pytest.mark.skipif(not REAL, reason="DPM_DATA names no copy of the real MNIST")
def test_the_real_mnist():
    train, test = standard.load_mnist()
    assert train.shape == (60_000, 1, 28, 28) and test.shape == (10_000, 1, 28, 28)
    digest = hashlib.sha256(idx(train[:, 0])).hexdigest()
    assert digest == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"


@pytest.mark.skipif(not REAL, reason="DPM_DATA names no copy of the real MNIST")
def test_the_real_labels_belong_to_the_images():
    assert standard.mnist_labels_at_hand()
    for images, labels in zip(
        standard.load_mnist(), standard.load_mnist_labels(), strict=True
    ):
        assert len(labels) == len(images) and set(labels) == set(range(10))
        ink = [images[labels == digit].mean() for digit in range(10)]
        assert np.argmin(ink) == 1 and np.argmax(ink) == 0  # of a one, and a ring


def test_labels_are_read_or_refused(tmp_path, monkeypatch):
    labels = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
    data = (0x801).to_bytes(4, "big") + (5).to_bytes(4, "big") + labels.tobytes()
    path = tmp_path / "labels.gz"
    np.testing.assert_array_equal(
        standard.read_idx(write(path, data), "labels"), labels
    )
    with pytest.raises(ValueError, match="its 5 labels need 13: it is damaged"):
        standard.read_idx(write(path, data[:-1]), "labels")
    images = idx(np.zeros((2, 3, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="holds images, not labels: give the file"):
        standard.read_idx(write(path, images), "labels")
    with pytest.raises(ValueError, match="not an IDX file of labels .no 0x801"):
        standard.read_idx(write(path, b"neither"), "labels")
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    assert not standard.mnist_labels_at_hand()
    for remote in standard.MNIST_LABELS.values():
        write(tmp_path / "mnist" / remote.name, data)
    assert standard.mnist_labels_at_hand()
    for found in standard.load_mnist_labels():
        np.testing.assert_array_equal(found, labels)


@pytest.mark.skipif(
    not (Path(REAL) / "cifar-10-batches-bin").is_dir() or not REAL,
    reason="DPM_DATA names no copy of CIFAR-10",
)
def test_cifar10_at_hand_is_read_though_it_may_be_a_part():
    data = datasets.load("CIFAR10")
    assert data.image_shape == (3, 32, 32) and len(data.X_train) >= 1000
    assert data.X_train.mean() == pytest.approx(0, abs=1e-4)
    assert data.X_train.std() == pytest.approx(1, rel=1e-4)
    red, green, blue = data.X_train.reshape(-1, 3, 1024).mean(axis=(0, 2))
    assert red > green > blue  # photographs are warm
    assert data.description["n_train"] == len(data.X_train)


def write(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    "data, match",
    [
        (idx_labels(5), "holds labels, not images"),
        (idx(np.zeros((5, 4, 4), np.uint8))[:-1], "its 5 images of 4 x 4 need 96"),
        (idx(np.zeros((5, 4, 4), np.uint8)) + b"x", "has 97 bytes"),
        (b"GIF89a, a picture of another kind", "not an IDX file"),
        (b"\x00\x00\x08\x03", "not an IDX file"),
        (b"", "not an IDX file"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_bad_idx_files_are_refused(tmp_path, data, match, ending):
    with pytest.raises(ValueError, match=match):
        standard.read_idx(write(tmp_path / f"images{ending}", data))


def test_damaged_and_missing_files_are_refused(tmp_path):
    packed = gzip.compress(idx(np.zeros((5, 4, 4), np.uint8)))
    for data in (packed[:-9], packed[:20], b"not packed"):
        (tmp_path / "images.gz").write_bytes(data)
        with pytest.raises(ValueError, match="missing, damaged or cut short"):
            standard.read_idx(tmp_path / "images.gz")
    with pytest.raises(ValueError, match="missing, damaged"):
        standard.read_idx(tmp_path / "nowhere")


def test_bad_cifar10_files_are_refused(copy):
    batch = copy / "cifar-10-batches-bin" / "data_batch_2.bin"
    whole = batch.read_bytes()
    batch.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match="not a multiple of 3073"):
        datasets.load("CIFAR10")
    batch.write_bytes(b"\xff" + whole[1:])
    with pytest.raises(ValueError, match="labels beyond 9"):
        datasets.load("CIFAR10")
    (batch.parent / "test_batch.bin").unlink()
    with pytest.raises(ValueError, match=r"lacks data_batch_\*.bin or test_batch.bin"):
        datasets.load("CIFAR10")


def test_images_that_cannot_be_scaled_are_refused(copy):
    path = copy / "mnist" / "train-images-idx3-ubyte.gz"
    write(path, idx(np.full((20, 4, 4), 7, np.uint8)))
    with pytest.raises(ValueError, match="all pixels .* are the same"):
        datasets.load("MNIST")
    write(path, idx(np.zeros((20, 4, 6), np.uint8)))
    with pytest.raises(ValueError, match="must be square and alike"):
        datasets.load("MNIST")


def test_a_relative_folder_may_be_meant_from_the_projects_root(copy, monkeypatch):
    root = Path(download.__file__).parents[2]
    monkeypatch.setenv("DPM_DATA", os.path.relpath(copy, root))
    monkeypatch.chdir(root / "dpm")
    assert len(datasets.load("MNIST").X_train) == 20


# -- downloads, from a server on this machine ---------------------------------------
