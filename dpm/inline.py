"""How a notebook keeps a figure: letters and lines sharp on every screen, and light.

A figure is kept as SVG. Pictures in it, maps of colours and clouds of points are pixels
there. A picture of few pixels keeps those that it has, and whatever shows it makes them
larger: squares where they are large, smoothly where they are not. All else has two in
place of one each way, or one where that would be heavy.
"""

import base64
import io
import re
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from PIL import Image

CLOUD = 300  # points, from which on a cloud is drawn as pixels
CORNERS = 2000  # of a filled shape, likewise
HEAVY = 200_000  # characters of an SVG
SHAPE = re.compile(r" (?:d|x|y)=\"[^\"]*\"")
PICTURES = "holds pictures"  # among the keywords of such an SVG
SQUARE = 1.5  # points of a pixel, from which on it is shown as a square
ENLARGED = re.compile(
    r'(transform="matrix\(([\d.]+) [^"]*") style="image-rendering[^"]*"'
)
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


def _has_few_pixels(image, density) -> bool:
    """Whether a picture is drawn larger than it is, both ways."""
    height, width = image.get_size()
    box = image.get_window_extent()
    return density * box.width >= width and density * box.height >= height


def _rounded(shape) -> str:
    """The numbers of an attribute to a hundredth of a point."""
    return re.sub(r"-?\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", shape[0])


def _smooth(tag) -> str:
    """The size of an enlarged picture, and how it is to be shown."""
    return tag[0] if float(tag[2]) >= SQUARE else tag[1]


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
    pictures = {image: image.get_interpolation() for image in fig.findobj(AxesImage)}
    if pictures:
        fig.draw_without_rendering()  # now it is known how large they are
    words = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # leave them out
    if any(ax.images for ax in fig.axes):
        words["Keywords"] = [PICTURES]
    for density in (2, 1):
        for image, way in pictures.items():
            few = _has_few_pixels(image, density)
            image.set_interpolation("none" if few else way)
        with plt.rc_context({"svg.hashsalt": "dpm"}):
            text = print_figure(fig, fmt="svg", dpi=density * fig.dpi, metadata=words)
        if not text:
            return None
        text = EMBEDDED.sub(lambda found: found[1] + lighter(found[2]), text)
        text = ENLARGED.sub(_smooth, SHAPE.sub(_rounded, text))
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
