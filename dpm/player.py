"""Frames with a slider, as HTML that needs no network and is the same each time."""

import base64
import io
import re
import zlib

import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
from PIL import Image

from dpm.inline import EMBEDDED

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


def player(fig, draw, n_frames: int, label: str, n_colors: int | None = None) -> str:
    """The frames that `draw` makes of a figure, which is then closed.

    Parameters
    ----------
    fig : matplotlib Figure
    draw : callable
        Called with the number of a frame.
    n_frames : int
    label : str
        What the picture shows, read out by screen readers.
    n_colors : int, optional
        Let each frame have so many colours only, which makes pictures of noise some
        five times smaller.

    Returns
    -------
    str
        matplotlib's own player, with its icon font and its random names replaced.
    """
    html = FuncAnimation(fig, draw, frames=n_frames).to_jshtml(default_mode="once")
    plt.close(fig)
    if n_colors is not None:
        html = EMBEDDED.sub(
            lambda found: found[1] + with_fewer_colors(found[2], n_colors), html
        )
    return make_self_contained(html, label)


def over(values, draw, label: str, figsize=(5.5, 3.0), n_colors: int = 32) -> str:
    """A picture that changes with a number, as HTML with a slider.

    Parameters
    ----------
    values : sequence
        One frame each.
    draw : callable
        ``draw(ax, value)`` draws a frame on empty axes.
    label : str
        What the picture shows, read out by screen readers.
    figsize : (float, float)
        In inches of 72 pixels.
    n_colors : int
        As of `player`.
    """
    fig, ax = plt.subplots(figsize=figsize, dpi=72, layout="constrained")

    def frame(number):
        ax.clear()
        draw(ax, values[number])
        return ax.get_children()

    return player(fig, frame, len(values), label, n_colors)


def with_fewer_colors(png: str, n_colors: int) -> str:
    """A PNG, in base64, with the colours that serve it best."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        few = picture.convert("RGB").quantize(n_colors, dither=Image.Dither.NONE)
    few.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def make_self_contained(html: str, label: str) -> str:
    """Free matplotlib's player of its icon font, and of ids that change every time.

    Those in their place come from the label, so that players of other labels can stand
    on the same page.
    """
    html = re.sub(r"<link[^>]*font-awesome[^>]*>", "", html)
    for name, sign in ICONS.items():
        html = html.replace(f'<i class="fa fa-{name}"></i>', f"<b>{sign}</b>")
    for number, unique in enumerate(sorted(set(re.findall(r"[0-9a-f]{32}", html)))):
        name = f"player{zlib.crc32(label.encode()):08x}n{number}"
        html = html.replace(unique, name)
    html = html.replace("<img ", f'<img alt="{label}" ', 1)
    return html.replace('type="range"', f'type="range" aria-label="{label}"', 1)
