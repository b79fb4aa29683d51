"""Pictures: functions that take arrays and return figures. Nothing here computes."""

import re

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

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
    """Set the book's look for all figures that follow."""
    plt.rcParams.update(STYLE)


def scatter(ax, X, title="", color=DATA, limit=3.0):
    """Draw points (n, 2) as a cloud on square axes."""
    artist = ax.scatter(X[:, 0], X[:, 1], s=2, alpha=0.4, lw=0, c=color)
    ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return artist


def cloud_row(states: dict, color=DATA, width: float = 2.2):
    """One panel a state: `states` maps a time t to points (n, 2)."""
    fig, axes = plt.subplots(
        1, len(states), figsize=(width * len(states), width * 1.15), squeeze=False
    )
    for ax, (t, X) in zip(axes[0], states.items(), strict=True):
        scatter(ax, X, f"$t = {t}$", color)
    return fig


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

    html = FuncAnimation(fig, draw, frames=len(times)).to_jshtml(default_mode="once")
    plt.close(fig)
    return make_self_contained(html, label)


ICONS = {
    "minus": "&minus;",
    "fast-backward": "|&#x25C0;",
    "step-backward": "&#x25C2;|",
    "play fa-flip-horizontal": "&#x25C0;",
    "pause": "&#x275A;&#x275A;",
    "play": "&#x25B6;",
    "step-forward": "|&#x25B8;",
    "fast-forward": "&#x25B6;|",
    "plus": "+",
}


def make_self_contained(html: str, label: str) -> str:
    """Free matplotlib's player of its icon font, and of ids that change every time."""
    html = re.sub(r"<link[^>]*font-awesome[^>]*>", "", html)
    for name, sign in ICONS.items():
        html = html.replace(f'<i class="fa fa-{name}"></i>', f"<b>{sign}</b>")
    for number, unique in enumerate(sorted(set(re.findall(r"[0-9a-f]{32}", html)))):
        html = html.replace(unique, f"player{number}")
    html = html.replace("<img ", f'<img alt="{label}" ', 1)
    return html.replace('type="range"', f'type="range" aria-label="{label}"', 1)
