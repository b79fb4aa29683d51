"""What each option of the recipes "pictures" brings: all of them, and one left out.

    python tests/benchmarks/ablations.py MNIST        # half an hour on one core
    python tests/benchmarks/ablations.py DEAD_LEAVES  # and CIFAR10; the same

The recipe is made smaller and shorter, and trained once as it is and once without each
of its options, from the same start, with the same draws; all of it again with another
seed. Printed, and kept in ``book/checkpoints/ablations_NAME.npz`` for the book: K over
all t on held-out pictures, the squared error of the picture that the model sees at a
log signal-to-noise ratio of 1, and processor seconds of the training.
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


def main(name: str) -> None:
    """Train them all, print a table, and keep it."""
    steps, n, layers = SMALLER[name]
    recipe = changed(named("pictures", name), {"model_args": layers})
    data = recipe.load_data()
    variants = {"as it is": {}, **WITHOUT[name]}
    K, error, seconds = [], [], []
    print(f"{name}: K - L_null [bits/pixel], squared error at log SNR {LOG_SNR:g}, s")
    for label, change in variants.items():
        found = [
            measure(changed(recipe, change, decay_steps=steps, seed=seed), data, n)
            for seed in SEEDS
        ]
        for kept, values in zip(
            (K, error, seconds), zip(*found, strict=True), strict=True
        ):
            kept.append(values)
        means = " and ".join(f"{each.mean():6.3f}" for each in K[-1])
        errors = " and ".join(f"{each:.4f}" for each in error[-1])
        print(f"{label:>20} {means}, {errors}, {np.mean(seconds[-1]):4.0f}", flush=True)
        arrays = {"K": np.array(K, "float32"), "error": np.array(error)}
        arrays |= {"seconds": np.array(seconds), "log_snr": np.array(LOG_SNR)}
        done = list(variants)[: len(K)]
        meta = {"variants": done, "steps": steps, "layers": layers}
        checkpoint.save(KEPT / f"ablations_{name.lower()}.npz", arrays, meta)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SMALLER:
        sys.exit(f"give one of {', '.join(SMALLER)}")
    main(sys.argv[1])
