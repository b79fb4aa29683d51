"""Draw the book's logo: the spine of the swiss roll, which ends in noise.

    python book/draw_logo.py

Writes ``logo.svg`` and ``favicon.png`` into ``book/_static``. Along the roll the points
leave the spine, as they do in the forward trajectory, and turn from the colour of data
to that of the model.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap, to_hex

from dpm.datasets.toys import roll_curve
from dpm.viz import DATA, MODEL

STATIC = Path(__file__).parent / "_static"
N_POINTS, SIZE = 84, 100  # pixels


def points(seed: int = 5):
    """Positions in the unit square (n, 2), and how far along the roll each is (n,)."""
    u = np.linspace(0.02, 1, N_POINTS) ** 0.72  # so that they stand at even distances
    noise = np.random.default_rng(seed).normal(size=(N_POINTS, 2))
    X = roll_curve(u) + 2.1 * np.clip(u - 0.72, 0, None)[:, None] / 0.28 * noise
    X -= (X.max(0) + X.min(0)) / 2
    return 0.5 + 0.46 * X / np.abs(X).max(), u


def colors(u) -> list[str]:
    """From a light blue to the orange of models: both show on white and on black."""
    bridge = LinearSegmentedColormap.from_list("bridge", ["#4a8fd8", DATA, MODEL])
    return [to_hex(bridge(share)) for share in u]


def svg() -> str:
    """The logo as text, the same at each call."""
    X, u = points()
    places = [(SIZE * x, SIZE * (1 - y)) for x, y in X]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>'
        for (x, y), color in zip(places, colors(u), strict=True)
    )
    box = f'viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{dots}</svg>\n'


def favicon(path) -> None:
    """The logo with 64 pixels a side, on nothing."""
    X, u = points()
    fig = plt.figure(figsize=(1, 1), dpi=64)
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")
    ax.scatter(*X.T, c=colors(u), s=13, lw=0)
    fig.savefig(path, transparent=True, metadata={"Software": None})
    plt.close(fig)


def main() -> int:
    """Draw and write both."""
    (STATIC / "logo.svg").write_text(svg(), encoding="utf8")
    favicon(STATIC / "favicon.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
