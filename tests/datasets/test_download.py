"""Downloads: verified, whole or not at all, from the next mirror where one fails."""

import gzip
import hashlib
import http.server
import io
import os
import tarfile
import threading

import numpy as np
import pytest

from dpm import datasets
from dpm.datasets import download, standard
from dpm.datasets.download import Remote


def idx(pixels) -> bytes:
    """Images (n, h, w) in MNIST's format."""
    head = [0x803, *pixels.shape]
    return b"".join(k.to_bytes(4, "big") for k in head) + pixels.tobytes()


def cifar10(n, rng) -> bytes:
    labels = rng.integers(0, 10, size=(n, 1), dtype=np.uint8)
    pixels = rng.integers(0, 256, size=(n, 3072), dtype=np.uint8)
    return np.hstack([labels, pixels]).tobytes()


def test_a_wrong_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("DPM_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="DPM_DATA = .*nowhere is not a folder"):
        datasets.load("MNIST")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves /good/, /wrong/ and /cut/; everything else is missing."""

    payloads: dict = {}
    asked: list = []

    def do_GET(self):
        self.asked.append(self.path)
        _, kind, name = self.path.split("/")
        if kind not in ("good", "wrong", "cut") or name not in self.payloads:
            self.send_error(404)
            return
        data = self.payloads[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if kind == "wrong":
            data = data[:-1] + b"?"
        self.wfile.write(data[: len(data) // 2] if kind == "cut" else data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.delenv("DPM_DATA", raising=False)
    for module in (download, standard):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    Handler.asked = []
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


def remote(server, data, *kinds, name="file.bin"):
    Handler.payloads = {name: data}
    digest = hashlib.sha256(data).hexdigest()
    return Remote(name, digest, tuple(f"{server}/{kind}/" for kind in kinds))


def kept():
    """Files in the cache, half-finished ones too."""
    return [p.name for p in download.cache_folder().rglob("*") if p.is_file()]


def test_the_right_file_is_kept_and_not_asked_for_again(server):
    data = os.urandom(5000)
    wanted = remote(server, data, "good")
    for _ in range(2):
        assert download.fetch(wanted, "here").read_bytes() == data
    assert len(Handler.asked) == 1 and kept() == ["file.bin"]


def test_the_next_mirror_is_tried_after_wrong_cut_and_missing_files(server):
    data = os.urandom(4999) + b"!"
    wanted = remote(server, data, "wrong", "cut", "missing", "good")
    assert download.fetch(wanted, "here").read_bytes() == data
    assert [path.split("/")[1] for path in Handler.asked] == [
        "wrong", "cut", "missing", "good",
    ]  # fmt: skip
    assert kept() == ["file.bin"]


def test_nothing_is_kept_when_no_mirror_serves_the_file(server):
    wanted = remote(server, os.urandom(4999) + b"!", "wrong", "cut", "missing")
    with pytest.raises(ValueError) as error:
        download.fetch(wanted, "mnist")
    message = str(error.value)
    assert "wrong/: not the file that is asked for" in message
    assert "missing/: Not Found" in message
    assert "DPM_DATA" in message and "'mnist'" in message
    assert kept() == []


def test_a_damaged_file_in_the_cache_is_replaced(server):
    data = os.urandom(4999) + b"!"
    wanted = remote(server, data, "good")
    path = download.fetch(wanted, "here")
    path.write_bytes(b"damaged")
    assert download.fetch(wanted, "here").read_bytes() == data


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("DPM_DATA", raising=False)
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    nobody = Remote("file.bin", "0" * 64, ("http://127.0.0.1:9/",))
    with pytest.raises(ValueError, match="ConnectionError.*connect to the network, or"):
        download.fetch(nobody, "mnist")


def test_mnist_is_downloaded(server, monkeypatch):
    data = gzip.compress(idx(np.eye(4, dtype=np.uint8).repeat(6, 0).reshape(6, 4, 4)))
    one = remote(server, data, "good", name="file.gz")
    monkeypatch.setattr(standard, "MNIST_FILES", {"train": one, "test": one})
    assert not datasets.at_hand("MNIST")
    assert datasets.load("MNIST").X_train.shape == (6, 16)
    assert datasets.at_hand("MNIST")


def test_cifar10_is_downloaded_and_unpacked_once(server, monkeypatch):
    archive = remote(server, packed_cifar10(), "good")
    monkeypatch.setattr(standard, "CIFAR10_ARCHIVE", archive)
    assert not datasets.at_hand("CIFAR10")
    for _ in range(2):
        assert datasets.load("CIFAR10").X_train.shape == (3, 3072)
    assert len(Handler.asked) == 1
    assert sorted(kept()) == ["data_batch_1.bin", "test_batch.bin"]


def packed_cifar10():
    """CIFAR-10's archive with three pictures in each of two files."""
    packed, rng = io.BytesIO(), np.random.default_rng(0)
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("data_batch_1.bin", "test_batch.bin"):
            data = cifar10(3, rng)
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


@pytest.mark.parametrize("folder", ["archives", "."])
def test_an_archive_is_taken_where_the_message_says_to_put_it(
    folder, server, monkeypatch, tmp_path
):
    data = packed_cifar10()
    offline = remote(server, data, "missing", name="cifar-10-binary.tar.gz")
    monkeypatch.setattr(standard, "CIFAR10_ARCHIVE", offline)
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="put the file in a folder 'archives'"):
        datasets.load("CIFAR10")
    place = tmp_path / folder / offline.name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data[:-1] + b"?")
    with pytest.raises(ValueError, match="is not the file that is asked for"):
        datasets.load("CIFAR10")
    place.write_bytes(data)
    assert datasets.load("CIFAR10").X_train.shape == (3, 3072)
    assert place.read_bytes() == data  # the user's own stays


def test_the_pickled_version_of_cifar10_is_named_and_not_read(
    server, monkeypatch, tmp_path
):
    offline = remote(server, b"", "missing", name="cifar-10-binary.tar.gz")
    monkeypatch.setattr(standard, "CIFAR10_ARCHIVE", offline)
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(ValueError, match="pickled files, which may run anything"):
        datasets.load("CIFAR10")
