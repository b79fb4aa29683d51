"""Pictures that stand in for bark."""

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

from dpm import datasets

SMALL = {"width": 8, "n_train": 60, "n_test": 20}


def picture_file(pixels, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def gradient(number, height=30, width=40):
    """A picture whose every pixel says where it is, and in which picture."""
    y, x = np.indices((height, width))
    return ((7 * y + 3 * x + 50 * number) % 256).astype(np.uint8)


def bark_files() -> dict:
    """Four classes of three pictures, laid out as the database is, and others."""
    files = {
        f"T{k:02}_kind/T{k:02}_{i:02}.png": picture_file(gradient(3 * k + i))
        for k in range(1, 6)
        for i in range(1, 4)
    }
    return {**files, "readme.txt": b"text", "T01_kind/._T01_01.png": b"not a picture"}


def packed(path, files: dict):
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    kind = {".tar": "", ".gz": ":gz", ".tgz": ":gz", ".xz": ":xz"}[path.suffix]
    with tarfile.open(path, f"w{kind}") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def load_bark(path=None, **settings):
    return datasets.load("BARK", path=path, **{**SMALL, **settings})


def one_bad(data, name="T02_kind/T02_02.png"):
    return {**bark_files(), name: data}
