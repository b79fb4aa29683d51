"""The command line of ``python -m dpm.train``, and the recipe that it asks for."""

import argparse
import ast
import dataclasses

from dpm.checks import check_choice
from dpm.heartbeat import HeartbeatRecipe
from dpm.image_recipes import NAMED, named
from dpm.images import IMAGE_SETS
from dpm.recipes import RECIPES, SwissRollRecipe

HEARTBEAT_RECIPES = {
    "paper": HeartbeatRecipe(),
    "quick": HeartbeatRecipe(n_steps=60_000),
}
TOYS = {"SWISS_ROLL": SwissRollRecipe, "HEARTBEAT": HeartbeatRecipe}


def parse_model_args(text: str, option: str = "--model-args") -> dict:
    """Read ``name=value, name=value`` with Python's literals, and nothing else.

    The reference evaluates this text as code.
    """
    try:
        call = ast.parse(f"dict({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("names are missing")
        if any(item.arg is None for item in call.keywords):
            raise ValueError("stars are not allowed")
        return {item.arg: ast.literal_eval(item.value) for item in call.keywords}
    except (SyntaxError, ValueError, TypeError) as error:
        raise ValueError(
            f"{option} {text!r} cannot be read ({error}): write names and plain "
            "values, such as \"n_scales=3, variant='paper'\""
        ) from None


def parse_bool(text: str) -> bool:
    """'true' or 'false'; the reference takes any text for true."""
    choices = {"true": True, "1": True, "yes": True}
    choices |= {"false": False, "0": False, "no": False}
    if text.lower() not in choices:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return choices[text.lower()]


class OneLineParser(argparse.ArgumentParser):
    """Reports a bad option in one line."""

    def error(self, message):
        self.exit(2, f"error: {message}; --help lists the options\n")


SHARED = ("seed", "batch_size", "learning_rate", "rule")  # every kind of recipe has
FOR_IMAGES = ("dropout_rate", "decay_steps", "t_per_image")


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line; every field of the toys' recipes is an option."""
    parser = OneLineParser(
        prog="python -m dpm.train",
        description="Train a diffusion model; the default is the default model of the "
        "2015 code, on MNIST. A new run gets a folder of its own in --output-dir.",
    )
    add = parser.add_argument
    add("--batch-size", type=int, help="batch size (512; swiss roll 32; heartbeat 5)")
    add(
        "--lr", "--learning-rate", dest="learning_rate", type=float,
        help="initial learning rate (1e-3, falls to 1e-4; toys 2e-2, falls to 0)",
    )  # fmt: skip
    add(
        "--resume_file", "--resume-file",
        help="checkpoint, or folder of a run, to go on with",
    )  # fmt: skip
    add(
        "--start-from", metavar="RUN",
        help="start a new run with the parameters of another one of the same model",
    )  # fmt: skip
    add("--suffix", default="", help="optional end of the name of the run's folder")
    add("--output-dir", default="./", help="existing folder that runs are kept in")
    add(
        "--ext-every-n", type=int, default=25,
        help="plot, sample and score every N times 500 steps; 0 for never",
    )  # fmt: skip
    add(
        "--model-args", default="",
        help="arguments of DiffusionModel, such as \"n_scales=3, variant='paper'\"",
    )  # fmt: skip
    add(
        "--recipe", choices=sorted({*RECIPES, *NAMED}),
        help="'paper': as the paper has it, where --dataset is given; 'reference': as "
        "the 2015 code has it, where it is not; 'quick': at most ten minutes on two "
        "cores; 'wide': of the swiss roll, 128 units and T = 100",
    )  # fmt: skip
    add(
        "--quick", dest="recipe", action="store_const", const="quick",
        help="the same as --recipe quick",
    )  # fmt: skip
    add("--rule", help="RMSProp or Adam")
    add(
        "--decay-steps", type=int,
        help="let the learning rate of a run on images fall to zero in so many steps",
    )  # fmt: skip
    add(
        "--t-per-image", type=parse_bool, nargs="?", const=True,
        help="whether each image of a batch has a time step of its own",
    )  # fmt: skip
    add(
        "--dropout_rate", "--dropout-rate", type=float,
        help="dropout in the inputs of all layers, while training",
    )  # fmt: skip
    listed = ", ".join(sorted({*IMAGE_SETS, *TOYS} - {"MNIST"}))
    add("--dataset", help=f"MNIST (the default) or one of {listed}")
    add(
        "--data-args", default="",
        help='settings of a set of images, such as "width=64, seed=1"',
    )  # fmt: skip
    add(
        "--plot_before_training", "--plot-before-training", type=parse_bool,
        nargs="?", const=True, default=False, help="plot at step 0 too",
    )  # fmt: skip
    add("--n-steps", type=int, help="how many steps to take in all")
    add(
        "--save-every", type=int,
        help="steps between checkpoints (1000; heartbeat 10000)",
    )  # fmt: skip
    add("--seed", type=int, help="of all random draws of the run")
    group = parser.add_argument_group("toys only: swiss roll, heartbeat")
    for item in toy_fields():
        group.add_argument(
            "--" + item.name.replace("_", "-"),
            type=item.type,
            dest=item.name,
            help=" and ".join(
                name.lower().replace("_", " ")
                for name, kind in TOYS.items()
                if item.name in {f.name for f in dataclasses.fields(kind)}
            ),
        )
    return parser.parse_args(argv)


def toy_fields() -> list:
    """Fields of the toys' recipes that are options of theirs alone, each once."""
    taken = {*SHARED, "dataset", "n_steps"}
    fields = {f.name: f for kind in TOYS.values() for f in dataclasses.fields(kind)}
    return [f for name, f in fields.items() if name not in taken]


def given_options(args, names) -> dict:
    """Those of some options that were typed."""
    return {k: getattr(args, k) for k in names if getattr(args, k) is not None}


def recipe_from_args(args):
    """The recipe that the command line asks for, or ValueError."""
    dataset = args.dataset or "MNIST"
    shared = given_options(args, SHARED)
    only_toy = given_options(args, [f.name for f in toy_fields()])
    only_images = given_options(args, FOR_IMAGES)
    name = args.recipe or ("paper" if args.dataset else "reference")
    if dataset in TOYS:
        for_images = {
            "--model-args": args.model_args,
            "--data-args": args.data_args,
            **{f"--{k.replace('_', '-')}": True for k in only_images},
        }
        if any(for_images.values()):
            option = next(option for option, given in for_images.items() if given)
            raise ValueError(
                f"{option} is for images; every setting of the toys has an option of "
                "its own: see --help"
            )
        recipes = RECIPES if dataset == "SWISS_ROLL" else HEARTBEAT_RECIPES
        base = recipes[check_choice(name, recipes, f"recipe of {dataset}")]
        for option in only_toy:
            if not hasattr(base, option):
                raise ValueError(
                    f"--{option.replace('_', '-')} is not a setting of {dataset}: "
                    "leave it out; --help says what each option is for"
                )
        more = given_options(args, ["n_steps"])
        return dataclasses.replace(base, **shared, **only_toy, **more)
    if dataset not in IMAGE_SETS:
        known = ", ".join(sorted([*IMAGE_SETS, *TOYS]))
        raise ValueError(f"unknown dataset {dataset!r}: there are {known}")
    if only_toy:
        option = "--" + next(iter(only_toy)).replace("_", "-")
        raise ValueError(f"{option} is for the toys: add --dataset {' or '.join(TOYS)}")
    base = named(name, dataset)
    typed = parse_model_args(args.model_args)
    data_args = parse_model_args(args.data_args, "--data-args")
    return dataclasses.replace(
        base,
        model_args={**base.model_args, **typed},
        data_args={**base.data_args, **data_args},
        **shared,
        **only_images,
    )
