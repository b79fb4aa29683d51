"""Pictures of folders and archives: read, refused, cut into patches."""

import tarfile

import numpy as np
import pytest
from barks import bark_files, gradient, load_bark, one_bad, packed, picture_file
from PIL import Image

from dpm.datasets import pictures


def test_pictures_become_grey():
    pixels = gradient(1)
    for kind, options in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {})):
        read = pictures.grey_picture(picture_file(pixels, kind, **options), kind)
        np.testing.assert_array_equal(read, pixels)
    colour = np.stack([pixels, pixels * 0, pixels * 0], axis=-1)
    red = pictures.grey_picture(picture_file(colour), "red")
    np.testing.assert_allclose(red, 0.299 * pixels, atol=0.6)


def test_pictures_that_unpack_to_gigabytes_are_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="exceeds limit of"):
        pictures.grey_picture(picture_file(gradient(1)), "x.png")


@pytest.mark.parametrize(
    "name",
    ["../T01_99.png", "a/../../T01_99.png", "/T01_99.png", "C:\\T01_99.png",
     "..\\T01_99.png", "a/..\\../T01.txt"],
)  # fmt: skip
@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_archives_with_a_path_leading_out_are_refused(tmp_path, name, ending):
    path = packed(tmp_path / f"x{ending}", one_bad(picture_file(gradient(9)), name))
    before = sorted(tmp_path.parent.glob("*")), sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="which leads out of its folder"):
        load_bark(path)
    assert before == (sorted(tmp_path.parent.glob("*")), sorted(tmp_path.rglob("*")))


def test_inner_paths_that_stay_inside_are_fine(tmp_path):
    moved = {f"./a/../{name}": data for name, data in bark_files().items()}
    for ending in (".zip", ".tar"):
        assert len(load_bark(packed(tmp_path / f"x{ending}", moved)).whole) == 4


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../x.png"])
def test_links_out_of_an_archive_are_refused(tmp_path, kind, target):
    path = packed(tmp_path / "x.tar", bark_files())
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("T01_kind/T01_09.png")
        info.type, info.linkname = kind, target
        archive.addfile(info)
    with pytest.raises(ValueError, match="which leads out of its folder"):
        load_bark(path)


def test_files_too_large_for_a_picture_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    for ending in (".zip", ".tar"):
        path = packed(tmp_path / f"x{ending}", bark_files())
        with pytest.raises(ValueError, match="no picture is that large"):
            load_bark(path)


def test_every_place_of_every_picture_is_as_probable():
    y, x = np.indices((5, 6))
    found = pictures.crops(
        {"a": (6 * y + x).astype(np.uint8), "b": np.full((3, 3), 99, np.uint8)},
        26_000, 3, np.random.default_rng(0),
    )  # fmt: skip
    corners, counts = np.unique(found[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == [6 * y + x for y in range(3) for x in range(4)] + [99]
    assert abs(counts - 2000).max() < 5 * np.sqrt(2000)
    inside = found[found[:, 0, 0, 0] != 99][:, 0]
    steps = 6 * np.arange(3)[:, None] + np.arange(3)
    assert (inside == inside[:, :1, :1] + steps).all()


def test_which_pictures_are_held_out_is_drawn():
    given = dict.fromkeys("abcdef")
    counts = dict.fromkeys(given, 0)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        train, test = pictures.hold_out(given, 1 / 3, rng)
        assert len(test) == 2 and sorted([*train, *test]) == list(given)
        for name in test:
            counts[name] += 1
    assert abs(np.array(list(counts.values())) - 100).max() < 5 * np.sqrt(300 * 2 / 9)


def test_patches_of_either_part_lie_at_places_of_their_own():
    """Also where both are cut from the same picture: no draws are used twice."""
    y, x = np.indices((12, 12))
    same = {"a": (12 * y + x).astype(np.uint8)}
    made = pictures.patches(same, same, 3, 200, 200, 0.5, 0)
    corners = [part[:, 0, 0, 0] for part in (made.train, made.test)]
    assert (corners[0] == corners[1]).mean() < 0.1
    assert [len(np.unique(each)) > 60 for each in corners] == [True, True]
