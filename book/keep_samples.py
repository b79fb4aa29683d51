"""Draw and keep what the pages show of a kept model of images, and its scores.

    python book/keep_samples.py mnist_tails          # 1,000 samples, 1,000 + 1,000 K
    python book/keep_samples.py mnist_dense 1000 --limit 20

Writes ``book/checkpoints/NAME_samples.npz``: samples as grey levels 0..255, drawn from
seed 0, and K - L_null of so many held-out and so many training pictures, each over all
t, in bits per pixel.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import dpm
from dpm.blocks import checkpoint
from dpm.evaluation import bound_all_t
from dpm.evaluation.report import bits_per_pixel_above_null, some_rows

KEPT = Path(__file__).parent / "checkpoints"
BATCH = 100  # samples that walk together


def draw(model, n: int) -> np.ndarray:
    """Grey levels (n, *shape of a picture), uint8; the first walks from seed 0."""
    parts = [model.sample(min(BATCH, n - i), seed=i) for i in range(0, n, BATCH)]
    return np.round(255 * np.concatenate(parts)).astype(np.uint8)


def scores(model, X, n: int) -> np.ndarray:
    """K - L_null of n pictures, each over all t, in bits per pixel."""
    K, _ = bound_all_t(model.model, some_rows(X, n))
    return bits_per_pixel_above_null(model.model, K).astype("float32")


def main(argv=None) -> int:
    """Draw, score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of a file in book/checkpoints")
    parser.add_argument("n", type=int, nargs="?", default=1000, help="how many (1000)")
    parser.add_argument("--limit", type=float, help="guess_limit, in place of its own")
    args = parser.parse_args(argv)
    model = dpm.load(KEPT / f"{args.name}.npz")
    if args.limit is not None:
        model.model.limit_guess(args.limit)
    data = model.recipe.load_data()
    arrays = {
        "samples": draw(model, args.n),
        "K_test": scores(model, data.X_test, args.n),
        "K_train": scores(model, data.X_train, args.n),
    }
    meta = {"name": args.name, "guess_limit": args.limit, "seed": 0}
    checkpoint.save(KEPT / f"{args.name}_samples.npz", arrays, meta)
    return 0


if __name__ == "__main__":
    sys.exit(main())
