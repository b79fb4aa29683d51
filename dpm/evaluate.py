"""``python -m dpm.evaluate DIR``: the numbers of a trained run."""

import argparse
import json
import sys

from dpm.evaluation import evaluate
from dpm.train import load_run


def main(argv=None) -> int:
    """Entry point of ``python -m dpm.evaluate``."""
    parser = argparse.ArgumentParser(
        prog="python -m dpm.evaluate",
        description="Score a run on held-out data: K, L_null and, where known, L.",
    )
    parser.add_argument("run", help="folder that dpm.train wrote")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--n-draws", type=int, default=2, help="noises per sample")
    parser.add_argument("--seed", type=int, default=0, help="of those noises")
    args = parser.parse_args(argv)
    try:
        model, recipe, meta = load_run(args.run)
        report = evaluate(model, recipe.load_data(), args.n_draws, args.seed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
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
