"""Pictures: functions that take arrays and return figures. Nothing here computes.

Two functions write files: `save_figure` any figure, `save_images` images.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from dpm.blocks.checkpoint import write_whole
from dpm.inline import sharp_figures
from dpm.player import player
from dpm.tables import table as table

DATA, NOISE, MODEL = "#1f5fa8", "#7a7a7a", "#c2571a"  # readable without colour vision

STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
}


def use_style() -> None:
    """Set the book's look for all figures that follow, kept as `dpm.inline` says."""
    plt.rcParams.update(STYLE)
    sharp_figures()


def scatter(ax, X, title="", color=DATA, limit=3.0):
    """Draw points (n, 2) as a cloud on square axes."""
    artist = ax.scatter(X[:, 0], X[:, 1], s=2, alpha=0.4, lw=0, c=color)
    ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return artist


def cloud_row(states: dict, color=DATA, width: float = 2.2):
    """One panel a state: `states` maps a time t to points (n, 2)."""
    return _row(states, scatter, color, width, 1.15 * width)


def _row(states, draw, color, width, height):
    """One panel a state, drawn by ``draw(ax, X, title, color)``."""
    n = len(states)
    fig, axes = plt.subplots(1, n, figsize=(width * n, height), squeeze=False)
    for ax, (t, X) in zip(axes[0], states.items(), strict=True):
        draw(ax, X, f"$t = {t}$", color)
    return fig


def bit_panel(ax, X, title="", color=DATA):
    """Draw bits (n, n_dim): a row a sequence, a column a bin, a 1 in colour."""
    look = {"cmap": ListedColormap(["#f2f2f2", color]), "interpolation": "nearest"}
    ax.imshow(X, vmin=0, vmax=1, aspect="auto", **look)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)


def bit_rows(states: dict, color=DATA, width: float = 1.5):
    """One panel a state: `states` maps a time t to bits (n, n_dim)."""
    return _row(states, bit_panel, color, width, 1.2 * width)


def figure_1(forward: dict, reverse: dict, drift: dict, grid):
    """The layout of the paper's Figure 1: three rows, one column a time.

    Parameters
    ----------
    forward, reverse : dict
        Times to points (n, 2): samples of q(x^t) and of p(x^t).
    drift : dict
        The same times to arrows (m, 2): f_mu(x, t) - x at the points of `grid`.
    grid : ndarray, shape (m, 2)
    """
    times = list(forward)
    fig, axes = plt.subplots(3, len(times), figsize=(2.5 * len(times), 7.6))
    for column, t in enumerate(times):
        name = ("0", "T/2", "T")[column] if len(times) == 3 else str(t)
        scatter(axes[0, column], forward[t], f"$q(x^{{({name})}})$, t = {t}")
        scatter(axes[1, column], reverse[t], f"$p(x^{{({name})}})$, t = {t}", MODEL)
        ax = axes[2, column]
        size = np.hypot(*drift[t].T).max()
        ax.quiver(*grid.T, *drift[t].T, color=MODEL, width=0.006, pivot="tail")
        ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
        ax.set_title(f"drift, longest {size:.2g}")
    return fig


LOSSES = {  # of `dpm.exact.losses.Losses`, in the order of the bars
    "edge": (NOISE, None),
    "form": (DATA, "///"),
    "training": (MODEL, None),
    "mismatch": ("k", None),
}


def waterfall(ax, rows: dict, title="", height: float = 0.7):
    """Draw how `dpm.exact.losses.Losses` lead from the data down to K, in bits.

    One bar a row, from -H_q(X^0) at the right to K at the left; the first row on top.
    """
    for place, losses in enumerate(rows.values()):
        right = losses.data / np.log(2)
        for name, (color, hatch) in LOSSES.items():
            width = np.sum(getattr(losses, name)) / np.log(2)
            look = {"color": color, "hatch": hatch, "edgecolor": "w", "lw": 0}
            ax.barh(place, -width, height, left=right, label=name, **look)
            right -= width
        ax.text(right, place, f"{right:.2f} ", ha="right", va="center", fontsize=8)
    ax.set(title=title, yticks=range(len(rows)), yticklabels=list(rows))
    ax.invert_yaxis()
    ax.use_sticky_edges = False  # a part of no width would hold the edge at K
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)


def slider(states: dict, label: str, color=DATA) -> str:
    """Points that change with t, as HTML with a slider that needs no network.

    Parameters
    ----------
    states : dict
        Times t to points (n, 2); one frame each.
    label : str
        What the picture shows, read out by screen readers.

    Returns
    -------
    str
        matplotlib's own player, with its icon font and its random names replaced.
    """
    times = list(states)
    fig, ax = plt.subplots(figsize=(4, 4.2), dpi=72, layout="none")
    artist = scatter(ax, states[times[0]], color=color)

    def draw(frame):
        artist.set_offsets(states[times[frame]])
        ax.set_title(f"t = {times[frame]}")
        return (artist,)

    return player(fig, draw, len(times), label, n_colors=32)


def picture_slider(states: dict, label: str, limits=(0.0, 1.0)) -> str:
    """Pictures that change with t, as HTML with a slider that needs no network.

    Parameters
    ----------
    states : dict
        Times t to pictures (n, colours, height, width); one frame each.
    label : str
        What the pictures show, read out by screen readers.
    limits : (float, float)
        Values shown black and white.

    Returns
    -------
    str
        As of `slider`. Each pixel takes two by two of the screen's.
    """
    times = list(states)
    canvases = [image_grid(X, limits=limits) for X in states.values()]
    height, width = 2 * np.array(canvases[0].shape[:2])
    size = width / 72, (height + 24) / 72
    fig, ax = plt.subplots(figsize=size, dpi=72, layout="none")
    ax.set_position((0, 0, 1, height / (height + 24)))
    artist = ax.imshow(canvases[0], cmap="gray", vmin=0, vmax=1, aspect="auto")
    ax.axis("off")

    def draw(frame):
        artist.set_data(canvases[frame])
        ax.set_title(f"t = {times[frame]}", fontsize=10)
        return (artist,)

    return player(fig, draw, len(times), label, n_colors=32)


def plot_images(X, n_columns=None, limits=None, width: float = 6.0):
    """Images (n, colours, height, width) in a grid, on one common grey scale.

    Parameters
    ----------
    X : ndarray
    n_columns : int, optional
        About the root of n where left out.
    limits : (float, float), optional
        Values shown black and white; the least and the greatest where left out.
    width : float
        Of the figure, in inches.

    Notes
    -----
    Reference: ``plot_images`` and ``show_receptive_fields`` in ``viz.py``.
    """
    canvas = image_grid(X, n_columns, limits)
    fig, ax = plt.subplots(figsize=(width, width * canvas.shape[0] / canvas.shape[1]))
    ax.imshow(canvas, cmap="gray", vmin=0, vmax=1)
    ax.axis("off")
    return fig


def image_grid(X, n_columns=None, limits=None) -> np.ndarray:
    """One picture of many, with white lines between: what `plot_images` shows.

    Parameters
    ----------
    X, n_columns, limits
        As of `plot_images`.

    Returns
    -------
    ndarray, shape (height, width) or (height, width, 3)
        In 0..1.
    """
    X = np.asarray(X, dtype=float)
    colors = X.shape[1]
    low, high = limits or (X.min(), X.max())
    grey = ((X - low) / max(high - low, 1e-12)).clip(0, 1)
    canvas = _tiled(grey.transpose(0, 2, 3, 1), n_columns, 1.0)
    return canvas if colors == 3 else canvas[..., 0]


def _tiled(images, n_columns, between: float) -> np.ndarray:
    """Images (n, height, width, ...) on one canvas, with lines of a value between."""
    n, h, w = images.shape[:3]
    n_columns = n_columns or int(np.ceil(np.sqrt(n)))
    size = -(-n // n_columns) * (h + 1) - 1, n_columns * (w + 1) - 1
    canvas = np.full((*size, *images.shape[3:]), between)
    for number, image in enumerate(images):
        row, column = divmod(number, n_columns)
        canvas[row * (h + 1) :, column * (w + 1) :][:h, :w] = image
    return canvas


def save_figure(fig, path) -> None:
    """Write a figure as PNG, whole or not at all, and close it."""
    write_whole(path, lambda file: fig.savefig(file, format="png"))
    plt.close(fig)


def save_images(X, fname) -> None:
    """Write images as a picture, ``fname.png``, and as an array, ``fname.npz``.

    Parameters
    ----------
    X : ndarray, shape (n, colours, height, width)
    fname : path-like

    Notes
    -----
    Reference: ``plot_images`` in ``viz.py``, whose pictures were PDF.
    """
    path = Path(fname)
    arrays = path.with_name(f"{path.name}.npz")
    write_whole(arrays, lambda file: np.savez_compressed(file, X=X))
    save_figure(plot_images(X), path.with_name(f"{path.name}.png"))


def plot_parameter(theta, title: str):
    """A parameter as a matrix, and as pictures where its last axes are square.

    Notes
    -----
    Reference: ``plot_parameter`` in ``viz.py``.
    """
    theta = np.squeeze(np.asarray(theta))
    fields = receptive_fields(theta)
    fig, axes = plt.subplots(1, 1 + (fields is not None), figsize=(8, 4), squeeze=False)
    if theta.ndim <= 1:
        axes[0, 0].plot(np.atleast_1d(theta), ".", alpha=0.5)
    else:
        matrix = theta.reshape(len(theta), -1)
        look = {"cmap": "gray", "interpolation": "nearest"}
        shown = axes[0, 0].imshow(matrix, aspect="auto", **look)
        axes[0, 0].grid(False)
        fig.colorbar(shown, ax=axes[0, 0])
    if fields is not None:
        axes[0, 1].imshow(fields, cmap="gray")
        axes[0, 1].axis("off")
    fig.suptitle(
        f"{title} {theta.shape}: min {theta.min():.3g}, median {np.median(theta):.3g}, "
        f"max {theta.max():.3g}",
        fontsize=8,
    )
    return fig


def receptive_fields(theta, most: int = 100):
    """One canvas with the small images a parameter consists of, or None.

    The two last axes are taken for an image where they are square and more than one
    pixel wide; the rows or the columns of a matrix where their length is a square.
    """
    if theta.ndim > 2 and theta.shape[-1] == theta.shape[-2] > 1:
        images = theta.reshape(-1, *theta.shape[-2:])
    elif theta.ndim == 2:
        widths = [int(np.sqrt(n)) for n in theta.shape]
        square = [
            w * w == n and w > 2 for w, n in zip(widths, theta.shape, strict=True)
        ]
        if not any(square):
            return None
        rows = theta.T if square[0] else theta
        width = widths[0] if square[0] else widths[1]
        images = rows.reshape(-1, width, width)
    else:
        return None
    images = images[:most]
    return _tiled(images, None, images.max())


def plot_monitors(costs, records: dict, label: str, smooth: int = 100):
    """The running mean of a cost, and everything recorded, against the step."""
    names = [name for name in records if len(records[name]) > 0]
    n_rows = 1 + -(-len(names) // 3)
    fig = plt.figure(figsize=(10, 2.2 * n_rows))
    grid = fig.add_gridspec(n_rows, 3)
    ax = fig.add_subplot(grid[0, :])
    if len(costs):
        width = min(smooth, len(costs))
        mean = np.convolve(costs, np.ones(width) / width, mode="valid")
        ax.plot(np.arange(width, len(costs) + 1), mean, color=MODEL)
    ax.set(xlabel="step", title=f"{label}, mean of {smooth}")
    for number, name in enumerate(names):
        ax = fig.add_subplot(grid[1 + number // 3, number % 3])
        ax.plot(*np.array(records[name]).T, ".-", color=DATA)
        ax.set_title(name, fontsize=8)
    return fig


BOXES = (  # of Figure D.1: name, attribute, left, bottom, width
    ("image $x^{(t)}$", None, 3.0, 0.0, 4.0),
    ("multi-scale convolutions", "mlp_conv", 0.0, 1.5, 4.6),
    ("dense layers", "mlp_dense_lower", 5.4, 1.5, 4.6),
    ("1 x 1 convolutions", "mlp_dense_upper", 2.0, 3.0, 6.0),
    (r"coefficients $y^\mu_{ij}$", None, 0.0, 4.5, 4.6),
    (r"coefficients $y^\Sigma_{ij}$", None, 5.4, 4.5, 4.6),
    (r"mean image $f_\mu$", None, 0.0, 6.3, 4.6),
    (r"variance image $f_\Sigma$", None, 5.4, 6.3, 4.6),
)
ARROWS = ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 7))


def figure_d1(model):
    """The paper's Figure D.1 for a `DiffusionModel`, with its shapes and counts."""
    network, w, c = model.mlp, model.spatial_width, model.n_colors
    J = model.n_temporal_basis
    notes = {
        0: f"{c} x {w} x {w}",
        4: f"{c} x {J} a pixel",
        5: f"{c} x {J} a pixel",
        6: f"{c} x {w} x {w}",
        7: f"{c} x {w} x {w}",
    }
    missing = set()
    fig, ax = plt.subplots(figsize=(6.2, 5.6))
    for number, (name, attribute, left, bottom, width) in enumerate(BOXES):
        if attribute is not None:
            part = getattr(network, attribute)
            if part is None:
                missing.add(number)
                continue
            count = sum(v.get_value().size for v in part.parameters.values())
            notes[number] = f"{count:,} parameters"
        learned = attribute is not None
        ax.add_patch(
            plt.Rectangle(
                (left, bottom), width, 0.9, fill=True, lw=1.2,
                fc="#fbe9dc" if learned else "#e4edf7", ec=MODEL if learned else DATA,
            )
        )  # fmt: skip
        middle = left + width / 2
        ax.text(middle, bottom + 0.6, name, ha="center", va="center", fontsize=10)
        ax.text(middle, bottom + 0.25, notes[number], ha="center", va="center",
                fontsize=8, color="#555555")  # fmt: skip
    for start, end in ARROWS:
        if missing & {start, end}:
            continue
        (_, _, x0, y0, w0), (_, _, x1, y1, w1) = BOXES[start], BOXES[end]
        near = np.clip(x1 + w1 / 2, x0 + 0.4, x0 + w0 - 0.4)
        far = np.clip(near, x1 + 0.4, x1 + w1 - 0.4)
        arrow = {"arrowstyle": "->", "color": "#555555", "lw": 1.2}
        ax.annotate("", (far, y1), (near, y0 + 0.9), arrowprops=arrow)
    ax.text(5.0, 5.85, "time $t$: sum over $j$ with weights $g_j(t)$", ha="center",
            fontsize=9, bbox={"fc": "white", "ec": "none", "pad": 1})  # fmt: skip
    ax.set(xlim=(-0.2, 10.2), ylim=(-0.2, 7.4))
    ax.axis("off")
    return fig
