"""What a notebook keeps of a figure: letters as curves, and the same pixels."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dpm import inline, viz


@pytest.fixture
def drawn():
    """A function that returns the SVG of ``draw(ax)``, and closes the figure."""

    def svg(draw, **size):
        fig, ax = plt.subplots(**size)
        draw(ax)
        text = inline.as_svg(fig)
        plt.close(fig)
        return text

    return svg


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


def in_base64(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def test_lines_are_lines_and_the_same_each_time(drawn):
    first, second = (drawn(lambda ax: ax.plot([0, 1, 4], label="a")) for _ in range(2))
    assert first == second
    assert "data:image" not in first and inline.PICTURES not in first
    assert not re.search(r"\d{4}-\d\d-\d\dT", first), "the hour would differ"


def test_clouds_and_maps_are_pixels_and_few_points_are_not(drawn):
    X = np.random.default_rng(0).standard_normal((inline.CLOUD, 2))
    assert "data:image" in drawn(lambda ax: viz.scatter(ax, X))
    assert "data:image" not in drawn(lambda ax: viz.scatter(ax, X[1:]))
    assert "data:image" in drawn(lambda ax: ax.pcolormesh(X[:9, :1] * X[:7, 1]))
    assert "data:image" in drawn(lambda ax: ax.plot(*X.T, "k."))
    assert "data:image" not in drawn(lambda ax: ax.plot(*X.T, "k-"))
    x = np.linspace(0, 1, inline.CORNERS)
    assert "data:image" in drawn(lambda ax: ax.fill_between(x, x))
    assert "data:image" not in drawn(lambda ax: ax.fill_between(x[::9], x[::9]))


def test_a_hundredth_of_a_point_is_enough(drawn):
    text = drawn(lambda ax: ax.plot(np.sin(np.arange(200)), "s-"))
    numbers = inline.SHAPE.findall(text)
    assert len(numbers) > 50
    assert not re.search(r"\.\d{3}", "".join(numbers))


def picture(n, seed=0):
    """Draw n x n random pixels, all over the axes."""

    def draw(ax):
        ax.imshow(np.random.default_rng(seed).random((n, n)), cmap="gray")
        ax.set_position([0, 0, 1, 1])

    return draw


def test_a_picture_of_few_pixels_keeps_them(drawn):
    size = {"figsize": (1, 1), "dpi": 50, "layout": "none"}
    for n, shown in ((40, True), (60, False)):  # points of a pixel: 1.8, 1.2
        text = drawn(picture(n), **size)
        assert inline.PICTURES in text
        ((_, png),) = inline.EMBEDDED.findall(text)
        grey = pixels(png)[..., 0]
        levels = np.random.default_rng(0).random((n, n))
        assert grey.shape == (n, n)
        assert np.corrcoef(grey.ravel(), levels.ravel())[0, 1] > 0.9999
        assert ("pixelated" in text) == shown, "squares only where they are large"


def test_for_all_else_two_pixels_stand_for_one(drawn):
    size = {"figsize": (1, 1), "dpi": 50, "layout": "none"}
    text = drawn(picture(101), **size)
    ((_, png),) = inline.EMBEDDED.findall(text)
    assert pixels(png).shape == (100, 100, 4) and "pixelated" not in text
    for n in (1000, 1300):
        text = drawn(picture(n), figsize=(6, 6), dpi=100, layout="none")
        ((_, png),) = inline.EMBEDDED.findall(text)
        assert max(pixels(png).shape) == 600, "one for one"


def test_no_pixel_is_changed_when_channels_are_saved():
    rng = np.random.default_rng(0)
    opaque = np.full((20, 30, 1), 255, "uint8")
    grey = rng.integers(0, 256, (20, 30, 1), "uint8")
    colors = rng.integers(0, 256, (20, 30, 3), "uint8")
    palette = rng.integers(0, 256, (99, 4), "uint8")
    for modes, array in {
        "L": np.concatenate([grey, grey, grey, opaque], 2),
        "RGB": np.concatenate([colors, opaque], 2),
        "RGBA": np.concatenate([colors, grey], 2),
        "P": palette[rng.integers(0, 99, (20, 30))],
    }.items():
        png = in_base64(array)
        found = inline.lighter(png)
        assert Image.open(io.BytesIO(base64.b64decode(found))).mode == modes
        assert np.array_equal(pixels(found), array)
        assert len(found) <= len(png)


def test_an_empty_figure_shows_nothing():
    fig = plt.figure()
    assert inline.as_svg(fig) is None
    plt.close(fig)
