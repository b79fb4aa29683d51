"""Bark, its stand-ins, and scikit-learn's digits: read, cut, held out, refused."""

import numpy as np
import pytest
from barks import SMALL, bark_files, gradient, load_bark, one_bad, packed, picture_file

from dpm import datasets
from dpm.datasets import pictures, textures


@pytest.fixture
def bark(tmp_path, monkeypatch):
    """A folder that DPM_DATA names, with bark unpacked."""
    for name, data in bark_files().items():
        path = tmp_path / "bark" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    return tmp_path


def places(X, data):
    """Of each patch the 3 x class + number of the picture it was cut from."""
    back = np.rint((X * data.scale + data.shift) * 255).astype(int)
    back = back.reshape(-1, 8, 8)
    sources = [gradient(number) for number in range(4, 16)]
    found = []
    for patch in back:
        hits = []
        for number, source in enumerate(sources, start=4):
            windows = np.lib.stride_tricks.sliding_window_view(source, (8, 8))
            hits += [number] * bool((windows == patch).all(axis=(2, 3)).any())
        found.append(hits)
    return found


def test_bark_patches_are_cut_from_the_four_classes_and_others_held_out(bark):
    assert datasets.at_hand("BARK")
    data = load_bark()
    assert data.X_train.shape == (60, 64) and data.X_test.shape == (20, 64)
    assert data.image_shape == (1, 8, 8)
    assert data.X_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.X_train.std() == pytest.approx(1, rel=1e-5)
    assert [w.shape for w in data.whole] == [(1, 30, 40)] * 4  # one picture a class
    assert all(places(data.X_train, data)) and all(places(data.X_test, data))
    again = load_bark()
    np.testing.assert_array_equal(data.X_train, again.X_train)
    assert (load_bark(seed=1).X_train != data.X_train).any()
    assert data.settings == {**SMALL, "held_out": 0.1, "seed": 0}


def test_no_training_patch_comes_from_a_held_out_picture(tmp_path):
    """Each picture has one grey of its own, so that patches say where they are from."""
    flat = {
        f"T{k:02}/{i}.png": picture_file(np.full((9, 9), 20 * k + i, np.uint8))
        for k in (1, 2, 3, 4)
        for i in range(5)
    }
    path = packed(tmp_path / "flat.zip", flat)
    data = load_bark(path, n_train=600, n_test=200, held_out=0.4)
    level = {
        part: set(np.rint((X * data.scale + data.shift) * 255).astype(int).ravel())
        for part, X in (("train", data.X_train), ("test", data.X_test))
    }
    assert not level["train"] & level["test"]
    for k in (1, 2, 3, 4):
        per_class = [len({v for v in level[p] if v // 20 == k}) for p in level]
        assert per_class == [3, 2]
    whole = np.array([w[0, 0, 0] for w in data.whole]) * data.scale + data.shift
    assert set(np.rint(whole * 255).astype(int)) == level["test"]


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_archives_give_what_folders_give(bark, tmp_path, ending):
    unpacked = load_bark(bark / "bark")
    archive = packed(tmp_path / f"x{ending}", bark_files())
    before = sorted(tmp_path.rglob("*"))
    data = load_bark(archive)
    np.testing.assert_array_equal(data.X_train, unpacked.X_train)
    np.testing.assert_array_equal(data.X_test, unpacked.X_test)
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked beside it


def test_archives_inside_the_folder_count_and_nothing_counts_twice(bark):
    packed(bark / "bark" / "T01-T05.zip", bark_files())
    assert len(load_bark().whole) == 4 and load_bark(held_out=0.7).X_train.std() > 0
    both = load_bark()
    for path in (bark / "bark").rglob("T0*.png"):
        path.unlink()
    alone = load_bark()
    np.testing.assert_array_equal(both.X_train, alone.X_train)


def test_classes_are_read_from_names():
    known = {
        "T01_01.jpg": "T01",
        "T04_40.jpg": "T04",
        "t02_bark2/x.jpg": "T02",
        "T01-T05/T05_01.jpg": None,
        "T01-T05/x.jpg": None,
        "T05_wood/T01.jpg": "T01",
        "T011.jpg": None,
        "photo.jpg": None,
    }
    assert {name: textures.bark_class(name) for name in known} == known


@pytest.mark.parametrize(
    "data, match",
    [
        (picture_file(gradient(9))[:-60], "T02_02.png cannot be read as a picture"),
        (b"GIF89a, but no more", "T02_02.png cannot be read as a picture"),
        (b"", "T02_02.png cannot be read as a picture"),
        (picture_file(gradient(9).astype(np.int32), "TIFF"), "not of 8 or 16 bits"),
        (picture_file(gradient(9, 7, 40)), "has 7 x 40 pixels, too few for .* 8 x 8"),
    ],
)
@pytest.mark.parametrize("ending", ["folder", ".zip", ".tar.gz"])
def test_bad_pictures_are_refused(bark, tmp_path, data, match, ending):
    if ending == "folder":
        (bark / "bark" / "T02_kind" / "T02_02.png").write_bytes(data)
        path = None
    else:
        path = packed(tmp_path / f"x{ending}", one_bad(data))
    with pytest.raises(ValueError, match=match) as error:
        load_bark(path, n_train=500)
    assert "\n" not in str(error.value)


def test_jpegs_that_are_cut_short_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    whole = picture_file(rng.integers(0, 256, (90, 90), dtype=np.uint8), "JPEG")
    assert pictures.grey_picture(whole, "x.jpg").shape == (90, 90)
    with pytest.raises(ValueError, match="x.jpg cannot be read as a picture"):
        pictures.grey_picture(whole[: len(whole) // 2], "x.jpg")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".tar"])
def test_damaged_archives_are_refused(tmp_path, ending):
    path = packed(tmp_path / f"x{ending}", bark_files())
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"no archive"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="cannot be read as an archive"):
            load_bark(path)
    spoilt = bytearray(whole)
    spoilt[len(whole) // 3] ^= 0xFF
    path.write_bytes(bytes(spoilt))
    if ending == ".tar":  # has no checksums
        return
    with pytest.raises(ValueError, match="cannot be read as"):
        load_bark(path)


def test_missing_bark_is_told_where_to_go(tmp_path, monkeypatch):
    monkeypatch.delenv("DPM_DATA", raising=False)
    assert not datasets.at_hand("BARK")
    advice = "T01 to T04 .* Lazebnik .* 'bark' .* DPM_DATA .*--dataset BARK4"
    with pytest.raises(ValueError, match=f"no bark is at hand: put .*{advice}"):
        load_bark()
    with pytest.raises(ValueError, match=f"there is no .*nowhere: put .*{advice}"):
        load_bark(tmp_path / "nowhere")
    monkeypatch.setenv("DPM_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="no bark is at hand"):
        load_bark()
    (tmp_path / "bark").mkdir()
    (tmp_path / "bark" / "photo.png").write_bytes(picture_file(gradient(1)))
    with pytest.raises(ValueError, match=f"no pictures of T01, .*{advice}"):
        load_bark()
    (tmp_path / "bark" / "T03_01.png").write_bytes(picture_file(gradient(1)))
    with pytest.raises(ValueError, match="one picture of T03 alone, T03_01.png"):
        load_bark()
    with pytest.raises(ValueError, match="neither a folder nor an archive"):
        load_bark(tmp_path / "bark" / "photo.png")


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"held_out": 0}, "held_out = 0: it must lie in"),
        ({"held_out": 1.0}, "held_out = 1.0"),
        ({"width": 31}, "too few for patches of 31 x 31"),
        ({"width": 0}, "width = 0"),
        ({"n_train": 1}, "n_train = 1: it must be at least 2"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"mean": 3}, "no setting 'mean': there are path, width"),
    ],
)
def test_bad_settings_of_bark_are_refused(bark, settings, match):
    with pytest.raises(ValueError, match=match):
        load_bark(**settings)


# -- the stand-ins, and the digits ---------------------------------------------------

needs_textures = pytest.mark.skipif(
    not datasets.at_hand("TEXTURE"), reason="scikit-image is not installed"
)


STRIPS = [
    pytest.param(dataset, read, name, marks=[needs_textures] * (dataset == "TEXTURE"))
    for dataset, read, names in (
        ("TEXTURE", textures.texture, textures.TEXTURES),
        ("BARK4", textures.bark4, textures.BARK4),
    )
    for name in sorted(names)
]


@pytest.mark.parametrize("dataset, read, name", STRIPS)
def test_photographs_hold_out_their_right_half(dataset, read, name):
    data = datasets.load(dataset, names=name, **SMALL)
    source = read(name)
    assert source.shape == (512, 512) and source.dtype == np.uint8
    (whole,) = data.whole
    assert whole.shape == (1, 512, 256)
    table = np.rint((whole[0] * data.scale + data.shift) * 255)
    np.testing.assert_array_equal(table, source[:, 256:])
    fresh = data.paint(60, np.random.default_rng(1))
    assert (fresh != data.X_train).any()
    left, right = source[:, :256], source[:, 256:]
    for X, side in ((data.X_train, left), (fresh, left), (data.X_test, right)):
        patches = np.rint((X * data.scale + data.shift) * 255).astype(np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(side, (8, 8))
        cut = {window.tobytes() for window in windows.reshape(-1, 64)}
        assert all(patch.tobytes() in cut for patch in patches)


@needs_textures
def test_textures_are_mixed_and_drawn_by_the_seed():
    data = datasets.load("TEXTURE", **SMALL)
    assert len(data.whole) == 3 and data.settings["names"] == "brick,grass,gravel"
    assert (datasets.load("TEXTURE", **SMALL, seed=1).X_test != data.X_test).any()
    again = datasets.load("TEXTURE", **data.settings)
    np.testing.assert_array_equal(again.X_test, data.X_test)


@needs_textures
@pytest.mark.parametrize(
    "settings, match",
    [
        ({"names": "bark"}, "unknown texture 'bark': there are brick, grass, gravel"),
        ({"names": ""}, "unknown texture ''"),
        ({"names": "grass, grass"}, "names = 'grass, grass': name each picture once"),
        ({"held_out": 7}, "held_out = 7: of 512 columns, patches of 8 x 8 need 8"),
        ({"held_out": 505}, "held_out = 505"),
        ({"width": 300}, "patches of 300 x 300"),
        ({"held_out": 0}, "held_out = 0"),
    ],
)
def test_bad_settings_of_textures_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        datasets.load("TEXTURE", **{**SMALL, **settings})


def test_without_scikit_image_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(textures.importlib.util, "find_spec", lambda name: None)
    assert not datasets.at_hand("TEXTURE")
    missing = "brick.png is not there: install the version of scikit-image"
    with pytest.raises(ValueError, match=missing):
        datasets.load("TEXTURE")
    (tmp_path / "brick.png").write_bytes(picture_file(gradient(1)))
    monkeypatch.setattr(textures, "texture_file", lambda name: tmp_path / "brick.png")
    with pytest.raises(ValueError, match="is another file than it was: install"):
        datasets.load("TEXTURE")


def test_four_barks_are_at_hand_and_mixed():
    assert datasets.at_hand("BARK4")
    data = datasets.load("BARK4", **SMALL)
    assert len(data.whole) == 4 and data.settings["names"] == "birch,oak,pine,willow"
    two = datasets.load("BARK4", names="oak, pine", **SMALL)
    assert len(two.whole) == 2 and two.settings["names"] == "oak,pine"
    with pytest.raises(ValueError, match="unknown kind of bark 'elm': there are birch"):
        datasets.load("BARK4", names="oak,elm", **SMALL)
    licence = (textures.BARK4_FOLDER / "LICENSE").read_text()
    assert licence.startswith("MIT License")


def test_a_bark_that_is_altered_or_missing_is_refused(monkeypatch, tmp_path):
    """Where only the end is other than it was, the picture looks the same."""
    oak = (textures.BARK4_FOLDER / "oak.png").read_bytes()
    monkeypatch.setattr(textures, "BARK4_FOLDER", tmp_path)
    remedy = "install the package again"
    with pytest.raises(ValueError, match=f"bark4/oak.png is not there: {remedy}"):
        datasets.load("BARK4", names="oak", **SMALL)
    (tmp_path / "oak.png").write_bytes(oak + b" ")
    with pytest.raises(ValueError, match=f"bark4/oak.png is another file .*: {remedy}"):
        datasets.load("BARK4", names="oak", **SMALL)
    (tmp_path / "oak.png").write_bytes(oak)
    assert len(datasets.load("BARK4", names="oak", **SMALL).X_train) == 60


def test_digits_are_all_there_once():
    from sklearn.datasets import load_digits

    data = datasets.load("DIGITS")
    assert len(data.X_train) == 1500 and len(data.X_test) == 297
    assert data.image_shape == (1, 8, 8)
    assert data.grey_level * data.scale * 16 == pytest.approx(1)
    assert data.X_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.X_train.std() == pytest.approx(1, rel=1e-5)
    both = np.concatenate([data.X_train, data.X_test]) * data.scale + data.shift
    rows = sorted(map(tuple, np.rint(both * 16).astype(int).tolist()))
    assert rows == sorted(map(tuple, load_digits().data.astype(int).tolist()))
    other = datasets.load("DIGITS", seed=1, n_test=300)
    assert len(other.X_test) == 300 and (other.X_test[:297] != data.X_test).any()


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"n_test": 1796}, "n_test = 1796: of 1797 digits"),
        ({"n_test": 1}, "n_test = 1: it must be at least 2"),
        ({"seed": -2}, "seed = -2"),
        ({"width": 8}, "DIGITS has no setting 'width': there are n_test, seed"),
    ],
)
def test_bad_settings_of_digits_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        datasets.load("DIGITS", **settings)
