"""``python -m dpm.fit_mcgsm``: the rival of Table 2, fitted to a set of grey pictures.

The pictures are those that a diffusion model of the same ``--dataset`` learns and is
scored on, with the same noise of one grey level, in the same units.
"""

import sys
import time

import numpy as np

from dpm import datasets
from dpm.blocks import checkpoint
from dpm.blocks.checks import check_count
from dpm.commands import OneLineParser, command_line, parse_model_args, versions
from dpm.datasets.catalogue import image_sets
from dpm.diffusion.bound import to_bits
from dpm.evaluation.picture_model import PictureModel
from dpm.evaluation.report import mean_and_error, some_rows
from dpm.recipes.catalogue import named


def pictures(dataset, X, seed) -> np.ndarray:
    """Rows of pixels as grey pictures (n, height, width) with noise of a grey level.

    Raises
    ------
    ValueError
        If they have colours.
    """
    colors, height, width = dataset.image_shape
    if colors != 1:
        raise ValueError(
            f"{dataset.name} has {colors} colours: the mixture reads grey pictures"
        )
    noise = np.random.default_rng(seed).random(X.shape) - 0.5
    return (X + noise * dataset.grey_level).reshape(-1, height, width)


def score(model, images) -> dict:
    """Log likelihood in bits per pixel: of whole pictures, and inside."""
    log_prob = to_bits(model.log_prob(images))
    whole = mean_and_error(log_prob.mean(axis=(1, 2)))
    inside = mean_and_error(model.inside(log_prob))
    names = ("value", "standard_error")
    return {
        "log p": dict(zip(names, map(float, whole), strict=True)),
        "log p, inside": dict(zip(names, map(float, inside), strict=True)),
        "n": len(images),
    }


def parse_args(argv=None):
    """The options of the command."""
    parser = OneLineParser(
        prog="python -m dpm.fit_mcgsm",
        description="Fit a mixture of conditional Gaussian scale mixtures to grey "
        "pictures, and score it on held-out ones.",
    )
    add = parser.add_argument
    add("--dataset", choices=sorted(image_sets()), default="DEAD_LEAVES")
    add("--data-args", default="", help="settings of the data, as of dpm.train")
    add("--radius", type=int, default=5, help="of the pixels looked at (5)")
    add("--n-pixels", type=int, default=1_000_000, help="to fit to (1000000)")
    add("--n-components", type=int, default=16)
    add("--n-scales", type=int, default=6)
    add("--epochs", type=int, default=200, help="so often each is seen (200)")
    add("--n-images", type=int, default=None, help="held-out pictures to score (all)")
    add("--seed", type=int, default=0)
    add("--export", metavar="FILE", help="write the model as .npz")
    add("--force", action="store_true", help="replace FILE, whatever it is, but a run")
    add("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def main(argv=None) -> int:
    """Entry point of ``python -m dpm.fit_mcgsm``."""
    args = parse_args(argv)
    try:
        if args.export:
            checkpoint.check_export(args.export, args.force)
        for name in ("n_pixels", "epochs"):
            check_count(getattr(args, name), name, 1)
        typed = parse_model_args(args.data_args, "--data-args")
        settings = {**named("ours", args.dataset).data_args, **typed}
        data = datasets.load(args.dataset, **settings)
        started = time.perf_counter()
        model = PictureModel(
            pictures(data, data.X_train, [args.seed, 1]),
            args.radius,
            args.n_pixels,
            args.n_components,
            args.n_scales,
            epochs=args.epochs,
            seed=args.seed,
        )
        seconds = time.perf_counter() - started
        held_out = some_rows(data.X_test, args.n_images, args.seed)
        report = score(model, pictures(data, held_out, [args.seed, 2]))
        if args.export:
            meta = {
                "command": command_line("dpm.fit_mcgsm"),
                "data": data.description,
                "report": report,
                "seconds": seconds,
                "versions": versions(),
            }
            checkpoint.save(args.export, model.arrays, meta)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(checkpoint.json_text(report, indent=2))
        return 0
    for name in ("log p", "log p, inside"):
        row = report[name]
        error = row["standard_error"]
        print(f"{name:>14} {row['value']:8.3f} +- {error:.3f} bits/pixel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
