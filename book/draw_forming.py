"""Draw digits that form out of noise, for the README.

    python book/draw_forming.py

Writes ``book/forming.gif``: 48 samples of the kept model `mnist_tails`, from
x^(T) to x^(0), and nothing chosen.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import dpm
from dpm import viz

BOOK = Path(__file__).parent
TIMES = (1000, 900, 800, 740, *range(700, 280, -15), 240, 180, 120, 60, 0)
COLUMNS, N, N_GREYS = 12, 48, 12


def frames(model) -> list[Image.Image]:
    """One picture a time."""
    found = []
    for t, X in model.walk(N, seed=2):
        if t in TIMES:
            canvas = viz.image_grid(X[:, None], COLUMNS, (0, 1))
            picture = Image.fromarray(np.rint(255 * canvas).astype(np.uint8).squeeze())
            found.append(picture.quantize(N_GREYS, dither=Image.Dither.NONE))
    return found


def main() -> int:
    """Walk and write."""
    first, *others = frames(dpm.load("mnist_tails"))
    times = [600, *[90] * (len(others) - 1), 3000]  # ms
    first.save(
        BOOK / "forming.gif", save_all=True, append_images=others, duration=times,
        loop=0, optimize=True,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
