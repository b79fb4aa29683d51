"""Figures: what stands where in them, and that files are whole."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dpm import viz
from dpm.exact.losses import Losses
from dpm.model import DiffusionModel


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.mark.parametrize("n_colors", [1, 3])
def test_images_stand_in_a_grid_with_white_lines_between(n_colors):
    X = np.arange(3 * n_colors * 4, dtype=float).reshape(3, n_colors, 2, 2)
    (shown,) = viz.plot_images(X, n_columns=2).axes[0].get_images()
    canvas = np.asarray(shown.get_array()).reshape(5, 5, n_colors)
    scaled = ((X - X.min()) / np.ptp(X)).transpose(0, 2, 3, 1)
    for image, (top, left) in zip(scaled, ((0, 0), (0, 3), (3, 0)), strict=True):
        np.testing.assert_allclose(canvas[top : top + 2, left : left + 2], image)
    assert (canvas[2] == 1).all() and (canvas[:, 2] == 1).all()
    assert (canvas[3:, 3:] == 1).all()  # the place of a fourth


def test_values_beyond_the_limits_are_black_and_white():
    X = np.array([-2.0, 0.0, 1.0, 9.0]).reshape(1, 1, 2, 2)
    (shown,) = viz.plot_images(X, limits=(-1.0, 1.0)).axes[0].get_images()
    np.testing.assert_allclose(shown.get_array(), [[0, 0.5], [1, 1]])


def test_images_are_written_as_a_picture_and_an_array(tmp_path):
    X = np.random.default_rng(0).random((4, 1, 3, 3))
    viz.save_images(X, tmp_path / "samples_t0.5")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["samples_t0.5.npz", "samples_t0.5.png"]
    with np.load(tmp_path / names[0], allow_pickle=False) as file:
        np.testing.assert_array_equal(file["X"], X)
    assert plt.imread(tmp_path / names[1]).ndim == 3
    assert not plt.get_fignums()  # closed


@pytest.mark.parametrize(
    "shape, n_images, width",
    [
        ((2, 3, 5, 5), 6, 5),  # filters
        ((9, 4), 4, 3),  # columns
        ((4, 9), 4, 3),  # rows
        ((200, 16), 100, 4),  # no more than a hundred
    ],
)
def test_receptive_fields_are_the_small_images_of_a_parameter(shape, n_images, width):
    theta = np.arange(np.prod(shape), dtype=float).reshape(shape)
    canvas = viz.receptive_fields(theta)
    n_columns = int(np.ceil(np.sqrt(n_images)))
    n_rows = -(-n_images // n_columns)
    assert canvas.shape == tuple(n * (width + 1) - 1 for n in (n_rows, n_columns))
    if theta.ndim == 4:
        first = theta[0, 0]
    else:
        first = (theta.T if shape[0] == 9 else theta)[0].reshape(width, width)
    np.testing.assert_array_equal(canvas[:width, :width], first)


@pytest.mark.parametrize("shape", [(7,), (5, 6), (4, 2), (3, 2, 1, 1)])
def test_a_parameter_of_no_images_has_no_receptive_fields(shape):
    assert viz.receptive_fields(np.zeros(shape)) is None
    assert viz.plot_parameter(np.zeros(shape), "b").axes


def test_a_parameter_is_titled_with_its_range():
    fig = viz.plot_parameter([[1.0, 2.0, 9.0]], "W")
    assert fig.get_suptitle() == "W (3,): min 1, median 2, max 9"


@pytest.mark.parametrize("row", [viz.cloud_row, viz.bit_rows])
def test_rows_have_a_panel_for_each_time(row):
    fig = row({0: np.zeros((3, 2)), 7: np.ones((3, 2))})
    assert [ax.get_title() for ax in fig.axes] == ["$t = 0$", "$t = 7$"]


def test_figure_1_has_three_rows_of_times():
    states = {t: np.full((4, 2), float(t)) for t in (0, 1, 2)}
    drift = {t: np.full((4, 2), 3.0) * t + [3.0, 4.0] for t in states}
    fig = viz.figure_1(states, states, drift, np.zeros((4, 2)))
    titles = [ax.get_title() for ax in fig.axes]
    assert len(titles) == 9
    assert titles[1] == "$q(x^{(T/2)})$, t = 1"
    assert titles[5] == "$p(x^{(T)})$, t = 2" and titles[6] == "drift, longest 5"


def test_figure_1_shows_forward_over_reverse_over_drift():
    rng = np.random.default_rng(0)
    forward, reverse, drift = (
        {t: rng.standard_normal((4, 2)) for t in (0, 20, 40)} for _ in range(3)
    )
    grid = rng.standard_normal((4, 2))
    axes = np.reshape(viz.figure_1(forward, reverse, drift, grid).axes, (3, 3))
    for column, t in enumerate(forward):
        for row, points in enumerate((forward[t], reverse[t], grid)):
            (shown,) = axes[row, column].collections
            np.testing.assert_array_equal(shown.get_offsets(), points)
        arrows = np.stack([shown.U, shown.V], axis=1)
        np.testing.assert_array_equal(arrows, drift[t])


def test_rows_show_the_points_and_the_bits_of_each_time():
    states = {0: np.eye(2), 3: np.array([[0.0, 1.0], [1.0, 1.0]])}
    clouds, bits = viz.cloud_row(states), viz.bit_rows(states, color="k")
    for X, cloud, panel in zip(states.values(), clouds.axes, bits.axes, strict=True):
        np.testing.assert_array_equal(cloud.collections[0].get_offsets(), X)
        (image,) = panel.images
        np.testing.assert_array_equal(image.get_array(), X)
        ink = image.cmap(image.norm(X))[..., 0]  # a one is black, a zero is light
        np.testing.assert_array_equal(ink < 0.5, X == 1)


@pytest.mark.parametrize("kind", ["points", "pictures"])
def test_each_frame_of_a_slider_shows_its_own_time(kind, monkeypatch):
    given = {}
    keep = lambda fig, draw, n, label, **more: given.update(draw=draw, n=n)  # noqa: E731
    monkeypatch.setattr(viz, "player", keep)
    rng = np.random.default_rng(0)
    shape = (3, 2) if kind == "points" else (2, 1, 3, 4)
    states = {t: rng.random(shape) for t in (40, 20, 0)}
    slider = viz.slider if kind == "points" else viz.picture_slider
    slider(states, "what it shows")
    assert given["n"] == 3
    for frame in (1, 2, 0):
        (artist,) = given["draw"](frame)
        t = list(states)[frame]
        assert artist.axes.get_title() == f"t = {t}"
        if kind == "points":
            np.testing.assert_array_equal(artist.get_offsets(), states[t])
        else:
            canvas = viz.image_grid(states[t], limits=(0.0, 1.0))
            np.testing.assert_array_equal(artist.get_array(), canvas)
    plt.close("all")


def test_monitors_show_the_running_mean_and_what_was_recorded():
    records = {"test K": [(1, 2.0), (3, 4.0)], "empty": []}
    fig = viz.plot_monitors([1.0, 3.0, 5.0], records, "cost", smooth=2)
    mean, recorded = (ax.get_lines()[0].get_xydata() for ax in fig.axes)
    np.testing.assert_allclose(mean, [[2, 2], [3, 4]])
    np.testing.assert_allclose(recorded, [[1, 2], [3, 4]])


def test_figure_d1_counts_the_parameters_of_the_parts_there_are():
    sizes = {"n_hidden_conv": 3, "n_layers_conv": 1, "n_hidden_dense_upper": 4}
    model = DiffusionModel(4, 1, 5, **sizes, n_hidden_dense_lower=0)
    texts = [text.get_text() for text in viz.figure_d1(model).axes[0].texts]
    count = sum(v.get_value().size for v in model.mlp.mlp_conv.parameters.values())
    assert f"{count:,} parameters" in texts and "1 x 4 x 4" in texts
    assert "dense layers" not in texts


def test_a_waterfall_leads_from_the_data_to_the_bound():
    losses = Losses(-1.0, 0.3, np.array([0.1, 0.2]), 0.4, 0.05)
    _, ax = plt.subplots()
    viz.waterfall(ax, {"one": losses, "two": losses.trained(-3.0)})
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(2, 4)
    np.testing.assert_allclose(
        widths * np.log(2), [[-0.3, -0.3, -0.4, -0.05], [-0.3, -0.3, -1.35, -0.05]]
    )
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    starts = [bar.get_x() for bar in ax.patches]
    assert starts[0] == pytest.approx(-1 / np.log(2))
    np.testing.assert_allclose(starts[1:4] + starts[5:], ends[:3] + ends[4:7])
    assert ends[7] == pytest.approx(-3 / np.log(2))
    assert [t.get_text().strip() for t in ax.texts] == ["-2.96", "-4.33"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "two"]
    viz.waterfall(ax, {"no mismatch": Losses(-1.0, 3.0, np.zeros(2), 1.0, 0.0)})
    assert ax.get_xlim()[0] < -5 / np.log(2) - 0.1  # room for the number beside K
