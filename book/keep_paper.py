"""Score a run of the recipe "paper" and keep what *Results* shows of it.

    python -m dpm.train --dataset BARK4 --recipe paper --output-dir runs
    python book/keep_paper.py runs/diffusionmodel_BARK4-...

Writes into ``book/checkpoints/paper_samples.npz``, beside what it holds of other data:
the run's report as `dpm.evaluate` prints it, its command, steps and seconds; the mean
of the costs, L_null - K in bits per pixel, of each twentieth of the training; and `N`
samples from seed 0, as whole 255ths of the way from black to white. The model itself
is not kept.
"""

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np

import dpm
from dpm import evaluate
from dpm.blocks import checkpoint

KEPT = Path(__file__).parent / "checkpoints" / "paper_samples.npz"
N, PARTS = 8, 20
SCORED = {  # as the model that is "ours" of the same data
    "MNIST": "--all-t --n-images 1000 --parzen",
    "CIFAR10": "--all-t --n-images 100",
    "DEAD_LEAVES": "--all-t --n-images 400",
    "BARK4": "--n-images 1000 --n-draws 10",
}


def scored(run: Path, options: str) -> dict:
    """The report on a run."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if evaluate.main([str(run), *options.split(), "--json"]):
            raise SystemExit(2)
    report = json.loads(said.getvalue())
    del report["recipe"]
    return report


def main(argv=None) -> int:
    """Score, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a folder that dpm.train made")
    run = parser.parse_args(argv).run
    made, meta = checkpoint.load(run)
    name = meta["recipe"]["dataset"]
    X = dpm.load(run).sample(N, seed=0)
    report = scored(run, SCORED[name])
    arrays, kept = checkpoint.load(KEPT) if KEPT.exists() else ({}, {})
    arrays[f"{name}_samples"] = np.rint(255 * X).clip(0, 255).astype(np.uint8)
    parts = np.array_split(made["costs"], PARTS)
    arrays[f"{name}_costs"] = np.array([part.mean() for part in parts], "float32")
    about = ("command", "iterations_done", "seconds", "recipe", "versions")
    kept[name] = {key: meta[key] for key in about}
    kept[name]["report"] = report
    checkpoint.save(KEPT, arrays, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
