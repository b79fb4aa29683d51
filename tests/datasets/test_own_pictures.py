"""The user's own pictures: read, cut or scaled, held out, refused."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms

from dpm import datasets
from dpm.datasets import own_pictures, pictures
from dpm.recipes import ImageRecipe

SMALL = {"width": 8, "n_train": 60, "n_test": 20}
SIZES = {"a.png": (30, 40), "deep/b.bmp": (40, 30), "deep/c.png": (33, 33)}


def colourful(number, height, width):
    """A picture whose every pixel and colour says where it is, and in which picture."""
    y, x = np.indices((height, width))
    planes = [7 * y + 3 * x + 50 * number + 90 * colour for colour in range(3)]
    return (np.stack(planes, axis=-1) % 256).astype(np.uint8)


def picture_file(pixels, kind="PNG", **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(number, size=9):
    """A picture with a grey of its own, so that its patches say where they are from."""
    return picture_file(np.full((size, size), number, np.uint8))


def write(folder, files: dict):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Three pictures and a text."""
    files = {
        name: picture_file(colourful(i, *size), "BMP" if "bmp" in name else "PNG")
        for i, (name, size) in enumerate(SIZES.items())
    }
    return write(tmp_path / "mine", {**files, "readme.txt": b"text"})


def load(path, **settings):
    return datasets.load("IMAGES", path=path, **settings)


def levels(X, data):
    """Pixels in 0..255 again, in the form of images."""
    grey = np.rint((X * data.scale + data.shift) * 255).astype(np.uint8)
    return grey.reshape(-1, *data.image_shape)


@pytest.mark.parametrize("grey", [True, False])
def test_patches_are_cut_from_the_pictures(folder, grey):
    data = load(folder, grey=grey, **SMALL)
    colours = 1 if grey else 3
    assert data.image_shape == (colours, 8, 8)
    assert data.X_train.shape == (60, colours * 64) and len(data.X_test) == 20
    assert data.X_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.X_train.std() == pytest.approx(1, rel=1e-5)
    (whole,) = data.whole
    assert whole.shape[0] == colours and whole.shape[1:] in SIZES.values()
    sources = []
    for i, size in enumerate(SIZES.values()):
        picture = Image.fromarray(colourful(i, *size)).convert("L" if grey else "RGB")
        sources.append(np.asarray(picture).reshape(*size, colours).transpose(2, 0, 1))
    cut = {
        window.tobytes()
        for source in sources
        for window in np.lib.stride_tricks.sliding_window_view(
            source, (colours, 8, 8)
        ).reshape(-1, colours, 8, 8)
    }
    for X in (data.X_train, data.X_test):
        assert all(patch.tobytes() in cut for patch in levels(X, data))


@pytest.mark.parametrize("how", ["crop", "resize"])
@pytest.mark.parametrize("grey", [True, False])
def test_settings_make_the_same_data_and_hold_no_folder(folder, how, grey):
    counts = {"n_train": 60, "n_test": 20} if how == "crop" else {}
    data = load(folder, width=8, grey=grey, how=how, **counts)
    assert data.settings == dict(
        width=8, grey=grey, how=how, held_out=0.1, seed=0, **counts
    )
    again = load(folder, **data.settings)
    np.testing.assert_array_equal(data.X_train, again.X_train)
    np.testing.assert_array_equal(data.X_test, again.X_test)
    datasets.check_same_data(again, data.description)
    assert "mine" not in str(data.description)
    recipe = ImageRecipe("IMAGES", data_args={"path": str(folder), **data.settings})
    np.testing.assert_array_equal(recipe.load_data().X_test, data.X_test)


def test_an_archive_gives_what_its_folder_gives(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
    for how in ({"how": "resize", "width": 8}, SMALL):
        one, other = load(folder, **how), load(str(tmp_path / "mine.zip"), **how)
        np.testing.assert_array_equal(one.X_train, other.X_train)
        np.testing.assert_array_equal(one.X_test, other.X_test)


def test_left_out_there_are_as_many_patches_as_of_bark(folder):
    data = load(folder, width=2)
    assert (len(data.X_train), len(data.X_test)) == (50_000, 2_000)


@pytest.mark.parametrize("how", ["crop", "resize"])
def test_no_picture_is_on_both_sides(tmp_path, how):
    write(tmp_path, {f"{i}.png": flat(10 * i) for i in range(20)})
    counts = {"n_train": 600, "n_test": 200} if how == "crop" else {}
    for seed in range(3):
        data = load(tmp_path, width=4, how=how, held_out=0.3, seed=seed, **counts)
        train, test = (
            set(levels(X, data).ravel()) for X in (data.X_train, data.X_test)
        )
        assert not train & test and len(train) == 14 and len(test) == 6
    if how == "resize":
        assert (len(data.X_train), len(data.X_test)) == (14, 6) and not data.whole


def test_one_is_held_out_at_least_and_one_is_learned(tmp_path):
    write(
        tmp_path,
        {
            "a.png": picture_file(colourful(0, 9, 9)),
            "b.png": picture_file(colourful(1, 9, 9)),
        },
    )
    for held_out in (0.01, 0.99):
        data = load(tmp_path, width=9, how="resize", grey=False, held_out=held_out,
                    seed=1)  # fmt: skip
        assert len(data.X_train) == len(data.X_test) == 1


def test_identical_pictures_count_once(folder):
    one = load(folder, how="resize", width=8)
    write(folder, {f"{i}/copy.png": (folder / "a.png").read_bytes() for i in range(9)})
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.write(folder / "a.png", "again.png")
    assert len(load(folder, how="resize", width=8).X_train) == len(one.X_train) == 2


def test_a_square_of_the_right_size_is_not_touched():
    picture = colourful(1, 20, 31).transpose(2, 0, 1)
    found = own_pictures.central_square(picture, 20)
    np.testing.assert_array_equal(found, picture[:, :, 5:25])
    np.testing.assert_array_equal(
        own_pictures.central_square(picture.swapaxes(1, 2), 20),
        picture[:, :, 5:25].swapaxes(1, 2),
    )


def test_scaling_down_takes_all_pixels_into_account():
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (60, 1))[None]
    half = own_pictures.central_square(ramp, 30)[0]
    inside = slice(3, -3)
    np.testing.assert_allclose(  # each the mean of the two that it covers
        half[:, inside], np.tile(np.arange(2, 240, 8), (30, 1))[:, inside], atol=1
    )
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)[None]
    assert np.abs(own_pictures.central_square(board, 8).astype(int) - 127).max() <= 2
    steady = np.full((3, 50, 70), 200, np.uint8)
    assert (own_pictures.central_square(steady, 7) == 200).all()
    assert (own_pictures.central_square(steady[:, :3], 7) == 200).all()  # up too


def read(pixels, kind="PNG", grey=False, **options):
    data = picture_file(pixels, kind, **options)
    return pictures.read_picture(data, "x", grey, as_shown=True)


def test_transparent_pictures_are_laid_on_white():
    colours = colourful(1, 6, 7)
    alpha = np.full((6, 7), 255, np.uint8)
    alpha[0], alpha[1] = 0, 51
    found = read(np.dstack([colours, alpha])).transpose(1, 2, 0)
    np.testing.assert_array_equal(found[2:], colours[2:])
    assert (found[0] == 255).all()
    np.testing.assert_allclose(found[1], 0.2 * colours[1] + 0.8 * 255, atol=1)
    grey = Image.fromarray(np.dstack([colours[..., 0], alpha]))
    assert grey.mode == "LA"
    for as_grey in (True, False):
        for plane in read(grey, grey=as_grey):
            np.testing.assert_array_equal(plane[2:], colours[2:, :, 0])
            assert (plane[0] == 255).all()
    stored = pictures.grey_picture(picture_file(grey), "x")  # as bark is read
    np.testing.assert_array_equal(stored, colours[..., 0])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_pictures_of_16_bits_are_scaled_and_that_is_said_once(kind, caplog):
    pictures._say_that_bits_are_lost.cache_clear()
    wide = np.array([[0, 128, 129, 257], [65535, 65406, 65278, 32896]], np.uint16)
    for _ in range(2):
        found = read(wide, kind, grey=True)
        np.testing.assert_array_equal(found[0], [[0, 0, 1, 1], [255, 254, 254, 128]])
    assert read(wide, kind).shape == (3, 2, 4)
    assert [record.getMessage()[:41] for record in caplog.records] == [
        "dpm: pictures of 16 bits are scaled to 8,"
    ]
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind != "PPM":
        turned = read(wide, kind, grey=True, exif=exif)
        np.testing.assert_array_equal(turned[0], np.rot90(found[0], -1))


def test_palettes_black_and_white_and_printers_colours():
    pixels = (np.indices((6, 7)).sum(axis=0) % 3).astype(np.uint8)
    palette = Image.fromarray(pixels)
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 9])
    table = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 9]])
    for kind in ("PNG", "GIF"):
        np.testing.assert_array_equal(
            read(palette, kind), table[pixels].transpose(2, 0, 1)
        )
        assert read(palette, kind, grey=True).shape == (1, 6, 7)
    clear = read(palette, transparency=1)
    assert (clear[:, pixels == 1] == 255).all()
    np.testing.assert_array_equal(clear[:, pixels == 2].T[0], table[2])
    bits = Image.fromarray(pixels == 1)
    assert bits.mode == "1"
    for plane in (*read(bits), *read(bits, grey=True)):
        np.testing.assert_array_equal(plane, 255 * (pixels == 1))
    ink = Image.new("CMYK", (7, 6), (255, 0, 0, 0))
    np.testing.assert_array_equal(read(ink, "TIFF")[:, 0, 0], [0, 255, 255])


def test_pictures_are_turned_as_the_camera_was_held():
    pixels = colourful(1, 6, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned clockwise
    found = read(pixels, exif=exif)
    np.testing.assert_array_equal(found, np.rot90(pixels, -1).transpose(2, 0, 1))
    stored = pictures.read_picture(picture_file(pixels, exif=exif), "x", grey=False)
    np.testing.assert_array_equal(stored, pixels.transpose(2, 0, 1))


def test_crops_of_colours_keep_the_colours_together():
    y, x = np.indices((5, 6))
    picture = np.stack([6 * y + x + 50 * c for c in range(3)]).astype(np.uint8)
    found = pictures.crops({"a": picture}, 500, 3, np.random.default_rng(0))
    assert found.shape == (500, 3, 3, 3)
    steps = 6 * np.arange(3)[:, None] + np.arange(3)
    expected = found[:, :1, :1, :1] + 50 * np.arange(3)[:, None, None] + steps
    np.testing.assert_array_equal(found, expected)
    grey = pictures.crops({"a": picture[0]}, 500, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(grey[:, 0], found[:, 0])  # the same places


# -- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "", " "], ids=["none", "empty", "blank"])
def test_a_path_is_asked_for(path):
    with pytest.raises(ValueError, match="give path=..., a folder or an archive"):
        load(path)
    with pytest.raises(ValueError, match="path = 3: it must be a text or a path"):
        load(3)
    with pytest.raises(ValueError, match="IMAGES are your own pictures: give path="):
        datasets.load("IMAGES")
    assert not datasets.at_hand("IMAGES")


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"width": 0}, "width = 0: it must be at least 1"),
        ({"width": 8.5}, "width = 8.5: it must be a whole number"),
        ({"held_out": 0}, r"held_out = 0: it must lie in \(0, 1\)"),
        ({"held_out": 1.0}, "held_out = 1.0"),
        ({"held_out": float("nan")}, "held_out = nan"),
        ({"held_out": "few"}, "held_out = 'few'"),
        ({"how": "squeeze"}, "unknown how 'squeeze': there are crop, resize"),
        ({"grey": "no"}, "grey = 'no': it must be True or False"),
        ({"n_train": 1}, "n_train = 1: it must be at least 2"),
        ({"n_test": 1}, "n_test = 1: it must be at least 2"),
        ({"n_train": 2.0}, "n_train = 2.0: it must be a whole number"),
        ({"seed": -1}, "seed = -1"),
        ({"n_train": 9, "how": "resize"}, "n_train = 9: .* leave n_train out"),
        ({"n_test": 9, "how": "resize"}, "n_test = 9: .* choose held_out"),
        ({"size": 9}, "no setting 'size': there are path, width, grey, how"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(
    folder, monkeypatch, settings, match
):
    monkeypatch.setattr(own_pictures, "files_in", None)
    with pytest.raises(ValueError, match=match) as error:
        load(folder, **settings)
    assert "\n" not in str(error.value)


def test_places_without_pictures_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no .*nowhere: give path=..."):
        load(tmp_path / "nowhere")
    write(tmp_path, {"mine/readme.txt": b"text", "photo.png": flat(1)})
    with pytest.raises(ValueError, match=r"mine holds no pictures \(.jpg, .*: give pa"):
        load(tmp_path / "mine")
    with pytest.raises(ValueError, match="neither a folder .*: give the folder around"):
        load(tmp_path / "photo.png")


@pytest.mark.parametrize("how", ["crop", "resize"])
def test_one_picture_alone_is_refused(tmp_path, how):
    write(tmp_path, {"a.png": flat(1), "b/a.png": flat(1)})
    with pytest.raises(ValueError, match="one picture alone, a.png .*: add others"):
        load(tmp_path, how=how, width=4)


def test_pictures_smaller_than_a_patch_are_refused_or_scaled_up(folder):
    write(folder, {"b.png": picture_file(colourful(0, 7, 40)), "c.png": flat(9, 5)})
    match = "b.png has 7 x 40 pixels, .* 8 x 8: take it away, .* width, or how='resize'"
    with pytest.raises(ValueError, match=match):
        load(folder, **SMALL)
    assert len(load(folder, how="resize", width=8).X_train) == 4


@pytest.mark.parametrize(
    "data, match",
    [
        (b"", "b.png cannot be read as a picture"),
        (b"GIF89a, but no more", "b.png cannot be read as a picture .*take it away"),
        (picture_file(colourful(0, 90, 90))[:-60], "b.png cannot be read as a picture"),
        (
            picture_file(np.full((9, 9), 0.5, np.float32), "TIFF"),
            "b.png .* F, not of 8 or 16 bits",
        ),
        (
            picture_file(np.full((9, 9), 2**20, np.int32), "TIFF"),
            "b.png .* I, not of 8 or 16 bits",
        ),
        (
            picture_file(
                Image.new("LAB", (9, 9)), "TIFF",
                icc_profile=ImageCms.ImageCmsProfile(
                    ImageCms.createProfile("LAB")
                ).tobytes(),
            ),
            "b.png cannot be read as a picture .*LAB",
        ),
    ],
    ids=["empty", "a few bytes", "cut short", "fractions", "32 bits", "Lab"],
)  # fmt: skip
@pytest.mark.parametrize("how", ["crop", "resize"])
def test_bad_pictures_are_named(folder, data, match, how):
    write(folder, {"b.png": data})
    with pytest.raises(ValueError, match=match) as error:
        load(folder, width=8, how=how)
    assert "\n" not in str(error.value)


def test_more_than_memory_holds_is_refused(folder, monkeypatch):
    monkeypatch.setattr(own_pictures, "MOST_VALUES", 2000)
    with pytest.raises(ValueError, match="up to deep/b.bmp .* 2,400 values, more than"):
        load(folder, **SMALL)
    assert len(load(folder, how="resize", width=8).X_train) == 2
