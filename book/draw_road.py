"""Draw the road through the book, which the welcome page shows.

    python book/draw_road.py

Writes ``road.svg`` and ``road_dark.svg`` into ``book/_static``: one box a chapter,
numbered as in the table of contents; an arrow leads to a chapter that is better read
after another.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from dpm import viz

STATIC = Path(__file__).parent / "_static"
PLACES = {  # chapter: (column, row, short name)
    1: (0, 0, "Forward"),
    2: (1, 0, "Reverse"),
    3: (2, 0, "Probability"),
    4: (3, 0, "Training"),
    5: (4, 0, "Diffusion rate"),
    6: (2, 1, "Multiplying"),
    7: (3, 1, "Perturbed\nGaussian"),
    8: (4, 1, "Entropy"),
    9: (0, 2, "Swiss roll"),
    10: (1, 2, "Heartbeat"),
    11: (0, 3, "SFO"),
    12: (1, 3, "Digits"),
    13: (2, 3, "Architecture"),
    14: (3, 2, "MNIST"),
    15: (4, 2, "MNIST, tails"),
    16: (3, 3, "CIFAR-10"),
    17: (4, 3, "Dead leaves"),
    18: (3, 4, "Bark"),
    19: (2, 4, "Your pictures"),
    20: (4, 4, "Results"),
    21: (0, 4, "Porting"),
    22: (1, 4, "Ledger"),
}
NEEDS = (
    [(1, 2), (2, 3), (3, 4), (4, 5), (2, 6), (6, 7), (4, 8), (2, 9), (9, 10), (9, 11)]
    + [(10, 12), (12, 13), (13, 14), (14, 15), (13, 16), (16, 17), (13, 18), (13, 19)]
)  # fmt: skip
KINDS = {range(1, 9): viz.DATA, range(9, 21): viz.MODEL, range(21, 23): viz.NOISE}


def draw(ink: str) -> plt.Figure:
    """The road, with text and arrows of this colour."""
    fig, ax = plt.subplots(figsize=(8.4, 4.3), layout="constrained")
    color = {n: c for numbers, c in KINDS.items() for n in numbers}
    for chapter, (x, y, name) in PLACES.items():
        look = {"boxstyle": "round,pad=0.02", "fc": color[chapter] + "22"}
        box = (x - 0.38, -y - 0.26), 0.76, 0.52
        ax.add_patch(FancyBboxPatch(*box, ec=color[chapter], lw=1.2, **look))
        ax.text(x, -y, f"{chapter}  {name}", color=ink, ha="center", va="center",
                fontsize=9.5)  # fmt: skip
    for start, end in NEEDS:
        (x0, y0, _), (x1, y1, _) = PLACES[start], PLACES[end]
        look = {"arrowstyle": "->", "color": ink, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        dx, dy = x1 - x0, y1 - y0
        sideways = abs(dx) >= abs(dy)
        tail = (x0 + 0.4 * (dx > 0) - 0.4 * (dx < 0), -y0) if sideways else (
            x0, -y0 - 0.28)  # fmt: skip
        head = (x1 - 0.4 * (dx > 0) + 0.4 * (dx < 0), -y1) if sideways else (
            x1, -y1 + 0.28)  # fmt: skip
        ax.annotate("", head, tail, arrowprops=look)
    ax.set(xlim=(-0.5, 4.5), ylim=(-4.4, 0.4))
    ax.axis("off")
    return fig


if __name__ == "__main__":
    plt.rcParams.update({"svg.hashsalt": "road", "svg.fonttype": "none"})
    for name, ink in (("road", "#222222"), ("road_dark", "#dddddd")):
        fig = draw(ink)
        fig.savefig(STATIC / f"{name}.svg", transparent=True, metadata={"Date": None})
        plt.close(fig)
