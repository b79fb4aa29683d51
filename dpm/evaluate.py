"""``python -m dpm.evaluate DIR``: the numbers of a trained run."""

import argparse
import dataclasses
import json
import sys

from dpm import checkpoint
from dpm.arguments import parse_model_args
from dpm.datasets import check_same_data
from dpm.evaluation import evaluate
from dpm.recipes import ImageRecipe
from dpm.train import load_run


def rounded(model, half=()) -> dict:
    """Parameters in the precision that is exported, which the model then has too.

    Parameters
    ----------
    model : Brick
    half : collection of str
        Paths of those that go into half precision; the others go into single.
    """
    values = {
        path: value.astype("float16" if path in half else "float32")
        for path, value in model.get_parameter_values().items()
    }
    model.set_parameter_values(values)
    return values


def export(path, values: dict, meta: dict, report: dict) -> None:
    """Write rounded parameters, how they were made, and their score.

    The file is for reading only: what resuming needs is left out.
    """
    arrays = {f"param/{k}": v for k, v in values.items()}
    checkpoint.save(path, arrays, {**meta, "report": report})


def data_of(recipe, meta: dict, changed: str = ""):
    """The data that a run was trained on, or ValueError if they are others now.

    Parameters
    ----------
    recipe : SwissRollRecipe, HeartbeatRecipe or ImageRecipe
    meta : dict
        Of the checkpoint.
    changed : str
        Settings of images that replace those of the recipe, as in --data-args.
    """
    if changed and not isinstance(recipe, ImageRecipe):
        raise ValueError("--data-args is for images")
    if changed:
        more = parse_model_args(changed, "--data-args")
        recipe = dataclasses.replace(recipe, data_args={**recipe.data_args, **more})
    data = recipe.load_data()
    check_same_data(data, meta.get("data"))
    return data


def main(argv=None) -> int:
    """Entry point of ``python -m dpm.evaluate``."""
    parser = argparse.ArgumentParser(
        prog="python -m dpm.evaluate",
        description="Score a run on held-out data: K, L_null and, where known, L.",
    )
    parser.add_argument("run", help="folder that dpm.train wrote")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--n-draws", type=int, help="noises per sample (2; 400 of the heartbeat)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of those noises")
    parser.add_argument("--export", metavar="FILE", help="also write a small .npz")
    parser.add_argument(
        "--data-args", default="",
        help="settings of the data that changed since, such as \"path='bark.zip'\"",
    )  # fmt: skip
    args = parser.parse_args(argv)
    try:
        model, recipe, meta = load_run(args.run)
        if args.export:  # the score is to be that of what the file holds
            values = rounded(model, recipe.tables(model))
        data = data_of(recipe, meta, args.data_args)
        report = evaluate(model, data, args.n_draws, args.seed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.export:
        export(args.export, values, meta, report)
    if args.json:
        print(json.dumps({"recipe": meta["recipe"], **report}, indent=2))
        return 0
    for name, row in report.items():
        if name != "kl_per_step":
            error = row["standard_error"]
            print(f"{name:>10} {row['value']:8.3f} +- {error:.3f} {row['unit']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
