"""What each option of the recipes "pictures" brings: all of them, and one left out.

    python tests/benchmarks/ablations.py MNIST        # half an hour on one core
    python tests/benchmarks/ablations.py DEAD_LEAVES  # and CIFAR10; the same
    python tests/benchmarks/ablations.py CIFAR10 paper  # the other way round

The recipe is made smaller and shorter, and trained once as it is and once without each
of its options, from the same start, with the same draws; all of it again with another
seed. With "paper", the recipe of that name is trained, as it is and with one choice of
ours in place of the paper's. Printed, and kept for the book in
``book/checkpoints/ablations_NAME.npz`` (``NAME_paper``): K over all t on held-out
pictures, the squared error of the picture that the model sees at a log signal-to-noise
ratio of 1, and processor seconds of the training. Rows that the file holds already are
not trained again: a stopped run goes on where it was.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from dpm.blocks import checkpoint
from dpm.evaluation import bound_all_t, denoising
from dpm.evaluation.report import bits_per_pixel_above_null
from dpm.recipes.catalogue import named
from dpm.trained import fit

KEPT = Path(__file__).parents[2] / "book" / "checkpoints"
LOG_SNR, SEEDS = 1.0, (0, 1)
SMALLER = {  # steps, pictures scored, layers
    "MNIST": (2_000, 100, {"n_hidden_dense_lower": 1200}),
    "CIFAR10": (600, 32, {"n_hidden_conv": 24, "n_layers_conv": 4, "n_scales": 3}),
    "DEAD_LEAVES": (600, 64, {"n_hidden_conv": 24, "n_layers_conv": 5}),
}
GENERAL = {
    "no average": {"ema": 0.0},
    "times not spread": {"stratified_t": False},
    "beta_1 = 1e-3": {"model_args": {"step1_beta": 1e-3}},
}
WITHOUT = {
    "MNIST": {
        "no tails": {"model_args": {"guess_tails": None}},
        "by the bound": {"model_args": {"weighting": "bound"}},
        "by the picture": {"model_args": {"weighting": "picture"}},
        "tanh": {"model_args": {"dense_nonlinearity": "tanh"}},
        **GENERAL,
        "apart": {"model_args": {"weighting": "apart"}},
    },
    "CIFAR10": {
        **GENERAL,
        "not mirrored": {"symmetries": "none"},
        "squares, with jumps": {"model_args": {"upsampling": "repeat"}},
        "softplus": {"model_args": {"conv_nonlinearity": "softplus"}},
        "RMSProp": {"rule": "RMSProp"},
    },
    "DEAD_LEAVES": {
        **GENERAL,
        "not turned": {"symmetries": "none"},
        "the same pictures": {"fresh": False},
        "squares, with jumps": {"model_args": {"upsampling": "repeat"}},
        "softplus": {"model_args": {"conv_nonlinearity": "softplus"}},
    },
}

OURS_IN_PAPERS = {  # one choice of the recipe "ours" at a time
    "mean of the 2015 code": {"model_args": {"mean": "forward"}},
    "rates log_snr": {"model_args": {"beta_start": "log_snr"}},
    "leaky ReLU": {"model_args": {"conv_nonlinearity": "leaky_relu"}},
}


def changed(recipe, change: dict, **more):
    """A recipe with other settings; `model_args` add to what it has."""
    args = {**recipe.model_args, **change.get("model_args", {})}
    return dataclasses.replace(recipe, **{**change, **more, "model_args": args})


def measure(recipe, data, n: int) -> tuple:
    """K - L_null of held-out pictures [bits/pixel], error of the picture, seconds."""
    start = time.process_time()
    model = fit(recipe, progress=False).model
    seconds = time.process_time() - start
    K, _ = bound_all_t(model, data.X_test[:n], progress=False)
    step = int(np.abs(denoising.log_snr(model) - LOG_SNR).argmin())
    error = denoising.picture_error(model, data.X_test[:n], [step])
    return bits_per_pixel_above_null(model, K), float(error[0]), seconds


def begun(file: Path, settings: dict) -> dict:
    """The columns of an earlier run with these settings; empty ones without a file."""
    if not file.exists():
        return {"K": [], "error": [], "seconds": []}
    arrays, meta = checkpoint.load(file)
    n = len(meta["variants"])
    asked = {**settings, "variants": settings["variants"][:n]}
    if {key: meta[key] for key in asked} != asked:
        sys.exit(f"{file} is of other settings; move it away: {meta}")
    return {name: list(arrays[name]) for name in ("K", "error", "seconds")}


def main(name: str, base: str = "pictures") -> None:
    """Train them all, print a table, and keep it."""
    steps, n, layers = SMALLER[name]
    changes, suffix = WITHOUT[name], ""
    if base == "paper":
        layers, changes, suffix = {}, OURS_IN_PAPERS, "_paper"
    recipe = changed(named(base, name), {"model_args": layers})
    data = recipe.load_data()
    variants = {"as it is": {}, **changes}
    file = KEPT / f"ablations_{name.lower()}{suffix}.npz"
    settings = {"variants": list(variants), "steps": steps, "layers": layers}
    columns = begun(file, settings)
    print(f"{name}: K - L_null [bits/pixel], squared error at log SNR {LOG_SNR:g}, s")
    for row, (label, change) in enumerate(variants.items()):
        if row == len(columns["K"]):
            found = [
                measure(changed(recipe, change, decay_steps=steps, seed=seed), data, n)
                for seed in SEEDS
            ]
            for column, values in zip(
                columns.values(), zip(*found, strict=True), strict=True
            ):
                column.append(np.array(values))
            arrays = {key: np.array(column) for key, column in columns.items()}
            arrays |= {"K": arrays["K"].astype("float32"), "log_snr": np.array(LOG_SNR)}
            checkpoint.save(
                file, arrays, {**settings, "variants": list(variants)[: row + 1]}
            )
        means = " and ".join(f"{each.mean():6.3f}" for each in columns["K"][row])
        errors = " and ".join(f"{each:.4f}" for each in columns["error"][row])
        spent = np.mean(columns["seconds"][row])
        print(f"{label:>20} {means}, {errors}, {spent:4.0f}", flush=True)


if __name__ == "__main__":
    asked = sys.argv[1:]
    if not asked or asked[0] not in SMALLER or asked[1:] not in ([], ["paper"]):
        sys.exit(f"give one of {', '.join(SMALLER)}, and 'paper' if that is the base")
    main(*asked)
