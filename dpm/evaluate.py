"""``python -m dpm.evaluate DIR``: the numbers of a trained run."""

import sys

from dpm.blocks import processes
from dpm.blocks.average import CHOICES
from dpm.blocks.checkpoint import check_export, export, json_text, rounded
from dpm.commands import OneLineParser, add_device_options, use_devices, versions
from dpm.diffusion.bound import to_bits
from dpm.evaluation import evaluate, parzen, score_log_p
from dpm.model import DiffusionModel
from dpm.runs import data_of, load_run


def limit_guess(model, variance: float, meta: dict) -> None:
    """`DiffusionModel.limit_guess`, also in the recipe of `meta`."""
    if not isinstance(model, DiffusionModel):
        raise ValueError("--guess-limit is for images")
    model.limit_guess(variance)
    recipe = meta["recipe"]
    meta["recipe"] = {
        **recipe,
        "model_args": {**recipe["model_args"], "guess_limit": variance},
    }


def parse_args(argv=None):
    """The options of the command."""
    parser = OneLineParser(
        prog="python -m dpm.evaluate",
        description="Score a run on held-out data: K, L_null and, where known, L.",
    )
    add = parser.add_argument
    add("run", help="folder that dpm.train wrote")
    add("--json", action="store_true", help="print JSON")
    add(
        "--n-draws",
        type=int,
        help="noises, or time steps, per sample (2; 400 of the heartbeat)",
    )
    add("--all-t", action="store_true", help="of images: K summed over every t")
    add("--n-images", type=int, metavar="N", help="score so many, drawn at random")
    add("--on-train", action="store_true", help="score training data too")
    add(
        "--log-p",
        type=int,
        metavar="N",
        help="also estimate log p of N held-out samples by Eq. 9",
    )
    add(
        "--n-trajectories",
        type=int,
        metavar="M",
        help="for each of them (10); each takes T evaluations of the network",
    )
    add(
        "--parzen",
        type=int,
        metavar="N",
        nargs="?",
        const=10_000,
        help="of images: also Table 2's Parzen window on N samples (10000), each of "
        "which takes T evaluations of the network",
    )
    add("--seed", type=int, default=0, help="of all draws")
    add("--export", metavar="FILE", help="also write a small .npz")
    add("--force", action="store_true", help="replace FILE, whatever it is, but a run")
    add(
        "--bits",
        type=int,
        metavar="N",
        help="in that file, large arrays keep N bits of mantissa, of ten",
    )
    add(
        "--levels",
        type=int,
        metavar="N",
        help="in that file, large arrays are rounded to N evenly spaced levels, an odd "
        "number: 15 take half a byte a parameter",
    )
    add(
        "--guess-limit",
        type=float,
        metavar="V",
        help="of models with mean = 'guess': the largest variance of a guess, for the "
        "scores and in the file",
    )
    add(
        "--parameters",
        choices=CHOICES,
        help="of runs that kept an average of the parameters (--ema): that (the "
        "default), or those after the last step; for the scores and in the file",
    )
    add(
        "--data-args",
        default="",
        help="settings of the data that changed since, such as \"path='bark.zip'\"",
    )
    add_device_options(parser)
    args = parser.parse_args(argv)
    needed = {"bits": "export", "levels": "export", "n_trajectories": "log_p"}
    for option, needs in needed.items():
        if getattr(args, option) is not None and getattr(args, needs) is None:
            option, needs = (name.replace("_", "-") for name in (option, needs))
            parser.error(f"--{option} is for --{needs}: add that, or leave it out")
    if args.bits is not None and args.levels is not None:
        parser.error("--bits and --levels are two ways to round: leave one out")
    return args


def score(model, data, args) -> dict:
    """All the numbers that were asked for."""
    if data.image_shape is None and args.parzen is not None:
        raise ValueError(f"--parzen is for images, but the run is on {data.name}")
    report = evaluate(
        model,
        data,
        args.n_draws,
        args.seed,
        all_t=args.all_t,
        n_images=args.n_images,
        on_train=args.on_train,
    )
    if args.log_p is not None:
        found = score_log_p(
            model, data, args.log_p, args.n_trajectories or 10, args.seed
        )
        report["eq. 9"] = found
    if args.parzen is not None:
        found = parzen.score_model(model, data, args.parzen, args.seed)
        report["Parzen window"] = {
            "value": to_bits(found.log_p),
            "standard_error": to_bits(found.standard_error),
            "unit": "bits/image",
            "nats": found.log_p,
            "nats_standard_error": found.standard_error,
            "sigma": found.sigma,
            "sigma_at_end_of_grid": found.sigma in (found.grid[0], found.grid[-1]),
            "n_samples": found.n_samples,
        }
    return report


def in_common(model, data, args) -> dict:
    """What must be the same in all processes."""
    alone = ("run", "devices", "process_id", "export", "force", "data_args")
    return {
        **{f"the version of {k}": v for k, v in versions().items()},
        **{k: v for k, v in vars(args).items() if k not in alone},
        "parameters": processes.digest(model.get_parameter_values().values()),
        "data": processes.digest([data.X_train, data.X_test]),
    }


def lines(report: dict, of: str = ""):
    """Name and number of each line that is printed."""
    for name, row in report.items():
        if name == "train":
            yield from lines(row, "training data: ")
        elif name == "eq. 9":
            yield from lines({f"log p of {row['n']} samples": row["log p"]})
            yield (
                f"worth {row['effective_sample_size']:.1f} equal ones",
                f"of {row['n_trajectories']} trajectories a sample",
            )
        elif "unit" in row:
            error = row["standard_error"]
            yield of + name, f"{row['value']:8.3f} +- {error:.3f} {row['unit']}"
            if "sigma" in row:
                end = ", at an end of its grid" if row["sigma_at_end_of_grid"] else ""
                yield f"{row['n_samples']} samples", f"sigma {row['sigma']:.3f}{end}"


def show(report: dict) -> None:
    """Print a report, one number a line."""
    table = list(lines(report))
    width = max(len(name) for name, _ in table)
    for name, number in table:
        print(f"{name:>{width}} {number}")


@processes.in_company
def main(argv=None) -> int:
    """Entry point of ``python -m dpm.evaluate``."""
    args = parse_args(argv)
    try:
        use_devices(args)
        if args.export:
            check_export(args.export, args.force)
        model, recipe, meta = load_run(args.run, args.parameters)
        if args.guess_limit is not None:
            limit_guess(model, args.guess_limit, meta)
        if args.export:  # the score is to be that of what the file holds
            made = rounded(model, recipe.tables(model), args.bits, args.levels)
        data = data_of(recipe, meta, args.data_args)
        processes.check_agreement(lambda: in_common(model, data, args))
        report = score(model, data, args)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        processes.tell_others(error)
        return 2
    if args.export:
        how = {"bits": args.bits, "levels": args.levels}
        values, steps = made
        meta = {"data": data.description, **meta}  # files of old say nothing of theirs
        export(args.export, values, {**meta, **how}, report, steps)
    if args.json:
        print(json_text({"recipe": meta["recipe"], **report}, indent=2))
        return 0
    show(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
