"""How a notebook keeps a figure: letters and lines sharp on every screen, and light.

A figure is kept as SVG. Pictures in it, maps of colours and clouds of points are pixels
there: two in place of one each way, or one where that would be heavy.
"""

import base64
import io
import re
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

CLOUD = 300  # points, from which on a cloud is drawn as pixels
CORNERS = 2000  # of a filled shape, likewise
HEAVY = 200_000  # characters of an SVG
SHAPE = re.compile(r" (?:d|x|y)=\"[^\"]*\"")
PICTURES = "holds pictures"  # among the keywords of such an SVG
EMBEDDED = re.compile(r"(data:image/png;base64,)([^\"]*)")  # a PNG in a text


def _is_heavy(artist) -> bool:
    """Whether pixels are lighter than shapes."""
    if isinstance(artist, Line2D):
        return artist.get_marker() != "None" and len(artist.get_xdata()) >= CLOUD
    if isinstance(artist, PathCollection):
        return len(artist.get_offsets()) >= CLOUD
    if isinstance(artist, PolyCollection):
        return max(map(len, artist.get_paths()), default=0) >= CORNERS
    return isinstance(artist, QuadMesh)


def _rounded(shape) -> str:
    """The numbers of an attribute to a hundredth of a point."""
    return re.sub(r"-?\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", shape[0])


def lighter(png: str) -> str:
    """The same picture, without what its channels say twice.

    Parameters
    ----------
    png : str
        In base64.

    Returns
    -------
    str
        A PNG of the same pixels in base64: of grey levels, of at most 256 colours, or
        without transparency, where that is all there is.
    """
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    colors, which = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    opaque = (colors[:, 3] == 255).all()
    if opaque and (colors[:, :2] == colors[:, 1:3]).all():
        found = Image.fromarray(pixels[..., 0])
    elif len(colors) <= 256:
        found = Image.fromarray(which.reshape(pixels.shape[:2]).astype("uint8"), "P")
        found.putpalette(colors.tobytes(), "RGBA")
    else:
        found = Image.fromarray(pixels[..., :3] if opaque else pixels)
    file = io.BytesIO()
    found.save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def as_svg(fig) -> str | None:
    """A figure as SVG, the same in every run.

    Parameters
    ----------
    fig : matplotlib Figure

    Returns
    -------
    str or None
        Where pictures are in it, `PICTURES` stands among its keywords. None of a figure
        in which nothing is drawn.
    """
    from IPython.core.pylabtools import print_figure

    for artist in fig.findobj(_is_heavy):
        artist.set_rasterized(True)
    words = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # leave them out
    if any(ax.images for ax in fig.axes):
        words["Keywords"] = [PICTURES]
    for dpi in (2 * fig.dpi, fig.dpi):
        with plt.rc_context({"svg.hashsalt": "dpm"}):
            text = print_figure(fig, fmt="svg", dpi=dpi, metadata=words)
        if not text:
            return None
        text = EMBEDDED.sub(lambda found: found[1] + lighter(found[2]), text)
        text = SHAPE.sub(_rounded, text)
        if len(text) <= HEAVY:
            break
    return text


def sharp_figures() -> None:
    """Let the notebook that runs this keep its figures so; elsewhere do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, as_svg)
