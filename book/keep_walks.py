"""Draw and keep samples of a kept model of grey pictures, and the walks to some.

    python book/keep_walks.py dead_leaves        # 64 pictures, 9 walks

Writes ``book/checkpoints/NAME_walks.npz``. A thousand steps of a large model take
minutes, which a page has not: it walks the last of them again, from what is kept.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import dpm
from dpm.blocks import checkpoint

KEPT = Path(__file__).parent / "checkpoints"
SHARES = (1, 0.8, 0.7, 0.64, 0.58, 0.52, 0.46, 0.4, 0.34, 0.28, 0.2, 0.02, 0)  # of T
UNIT = 1000  # grey levels are kept as whole thousandths of the way to white


def main(argv=None) -> int:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of a file in book/checkpoints")
    parser.add_argument("n", type=int, nargs="?", default=64, help="samples (64)")
    parser.add_argument("n_walks", type=int, nargs="?", default=9, help="of these (9)")
    args = parser.parse_args(argv)
    model = dpm.load(KEPT / f"{args.name}.npz")
    times = [round(share * model.T) for share in SHARES]
    states = {
        t: np.rint(X * UNIT).astype(np.int16)
        for t, X in model.walk(args.n)
        if t in times
    }
    arrays = {
        "samples": states[0],
        "times": np.array(times),
        "walks": np.stack([states[t][: args.n_walks] for t in times]),
    }
    kept = {"report": model.meta["report"], "seed": 0, "unit": UNIT}
    checkpoint.save(KEPT / f"{args.name}_walks.npz", arrays, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
