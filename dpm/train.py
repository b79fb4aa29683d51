"""Training: ``python -m dpm.train``, the reference's command line.

Typed as the reference's README has it, it trains the reference's model. How a step is
taken is `dpm.blocks.main_loop`; what a run consists of is `dpm.runs`.
"""

import argparse
import contextlib
import dataclasses
import sys
import time
from pathlib import Path

from dpm import commands
from dpm.blocks import checkpoint, processes
from dpm.blocks.checkpoint import check_writable, write_whole
from dpm.blocks.checks import check_choice
from dpm.blocks.extensions import recent_bits
from dpm.blocks.settings import in_words, plain_type
from dpm.commands import (
    OneLineParser,
    command_line,
    given_options,
    parse_bool,
    parse_model_args,
    versions,
)
from dpm.datasets.catalogue import SOURCES
from dpm.recipes.catalogue import (
    TOYS,
    all_names,
    kind,
    named,
    names,
    recipe_of,
    settings_in_words,
)
from dpm.recipes.images import ImageRecipe
from dpm.runs import Run

SHARED = ("seed", "batch_size", "learning_rate", "rule")  # every kind of recipe has
FOR_IMAGES = (
    "decay_steps", "t_per_image", "stratified_t", "symmetries", "fresh", "ema",
    "dropout_rate",
)  # fmt: skip
SETTINGS = "settings.json"  # of a run, for people to read
OF_RUNS = ("n_steps", "ext_every_n", "plot_before_training", "save_every")
EXAMPLES = """\
examples:
  python -m dpm.train                                   the 2015 code's model of MNIST
  python -m dpm.train --dataset CIFAR10 --model-args "n_scales=3"
  python -m dpm.train --dataset MNIST --recipe paper    as the paper prints it
  python -m dpm.train --dataset MNIST --recipe ours     what we have made of it
  python -m dpm.train --dataset MNIST --recipe pictures for hours, and for the looks
  python -m dpm.train --dataset DEAD_LEAVES --quick     ours, at most ten minutes
  python -m dpm.train --dataset SWISS_ROLL              under a minute
  python -m dpm.train --dataset SWISS_ROLL --recipe wide
  python -m dpm.train --dataset HEARTBEAT --quick       bits, T = 2000
  python -m dpm.train --dataset IMAGES --data-args "path='folder'" --recipe ours
  python -m dpm.train --resume_file runs/NAME           go on with a run
With --dataset (and --recipe) before it, --help shows the options and defaults of those.
"""


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line; every field of the toys' recipes is an option."""
    dataset, recipe = _chosen(argv)
    images = dataset not in TOYS
    parser = OneLineParser(
        prog="python -m dpm.train",
        usage="%(prog)s [--dataset NAME] [--recipe NAME] [options]",
        description="Train a diffusion model. A new run gets a folder of its own in "
        "--output-dir.",
        epilog=EXAMPLES + (settings_in_words(recipe) if images else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("the run").add_argument
    listed = ", ".join(sorted(SOURCES))
    add("--dataset", metavar="NAME", help=f"MNIST (the default) of {listed}")
    add(
        "--recipe", metavar="NAME", choices=all_names(),
        help=f"of {dataset}: {', '.join(names(dataset))}; the first if left out",
    )  # fmt: skip
    add(
        "--quick", dest="recipe", action="store_const", const="quick",
        help="the same as --recipe quick",
    )  # fmt: skip
    add("--output-dir", metavar="DIR", help="existing folder that runs are kept in (.)")
    add("--suffix", metavar="TEXT", help="end of the name of the run's folder")
    add(
        "--resume_file", "--resume-file", metavar="RUN",
        help="checkpoint, or folder of a run, to go on with",
    )  # fmt: skip
    add("--start-from", metavar="RUN", help="take the parameters of another run")
    add(
        "--save-every", type=int, metavar="N",
        help=f"steps between checkpoints ({recipe.save_every})",
    )  # fmt: skip
    add(
        "--n-steps", type=int, metavar="N",
        help=f"in all ({getattr(recipe, 'n_steps', None) or 'of the recipe'})",
    )  # fmt: skip
    add("--seed", type=int, metavar="N", help=f"of all draws ({recipe.seed})")
    add("--batch-size", type=int, metavar="N", help=f"({recipe.batch_size})")
    add(
        "--lr", "--learning-rate", dest="learning_rate", type=float, metavar="X",
        help=f"initial learning rate ({recipe.learning_rate:g}, falls to "
        f"{'0' if getattr(recipe, 'decay_steps', 1) else '1e-4'})",
    )  # fmt: skip
    add("--rule", metavar="NAME", help=f"RMSProp or Adam ({recipe.rule})")
    commands.add_device_options(parser)
    group = parser.add_argument_group("images" if images else None)

    def add_for_images(*options, help, **more):
        group.add_argument(*options, help=help if images else argparse.SUPPRESS, **more)

    add_for_images(
        "--model-args", default="", metavar="ARGS",
        help="arguments of DiffusionModel, such as \"n_scales=3, variant='paper'\"",
    )  # fmt: skip
    add_for_images(
        "--data-args", default="", metavar="ARGS",
        help='settings of the data, such as "width=64, seed=1"',
    )  # fmt: skip
    of = {name: getattr(recipe, name, None) for name in FOR_IMAGES}
    add_for_images(
        "--decay-steps", type=int, metavar="N",
        help=f"the rate falls to zero in so many ({of['decay_steps'] or 'never'})",
    )  # fmt: skip
    add_for_images(
        "--t-per-image", type=parse_bool, nargs="?", const=True, metavar="yes/no",
        help=f"a time step for each image ({'yes' if of['t_per_image'] else 'no'})",
    )  # fmt: skip
    add_for_images(
        "--stratified-t", type=parse_bool, nargs="?", const=True, metavar="yes/no",
        help="those of a batch evenly spaced from a random start "
        f"({'yes' if of['stratified_t'] else 'no'})",
    )  # fmt: skip
    add_for_images(
        "--symmetries", metavar="NAME",
        help="turn each picture over at random: none, mirror (left to right), or all "
        f"eight of a square ({of['symmetries']})",
    )  # fmt: skip
    add_for_images(
        "--fresh", type=parse_bool, nargs="?", const=True, metavar="yes/no",
        help="paint, or cut, new pictures for each batch, where data can be "
        f"({'yes' if of['fresh'] else 'no'})",
    )  # fmt: skip
    add_for_images(
        "--ema", type=float, metavar="X",
        help="decay of a moving average of the parameters, which is then what is "
        f"scored and drawn from: 0.999, or 0 for none ({of['ema']:g})",
    )  # fmt: skip
    add_for_images(
        "--dropout_rate", "--dropout-rate", type=float, metavar="X",
        help=f"of the inputs of all layers, while training ({of['dropout_rate']})",
    )  # fmt: skip
    add_for_images(
        "--ext-every-n", type=int, metavar="N",
        help="plot, sample and score every N times 500 steps (25); 0 for never",
    )  # fmt: skip
    add_for_images(
        "--plot_before_training", "--plot-before-training", type=parse_bool,
        nargs="?", const=True, metavar="yes/no", help="at step 0 too (no)",
    )  # fmt: skip
    group = parser.add_argument_group(None if images else dataset.replace("_", " "))
    for item in toy_fields():
        known = hasattr(recipe, item.name) and not images
        group.add_argument(
            "--" + item.name.replace("_", "-"),
            type=plain_type(item.type),
            dest=item.name,
            metavar={int: "N", float: "X"}.get(plain_type(item.type), "NAME"),
            help=f"{in_words(item.type)} ({getattr(recipe, item.name)})"
            if known else argparse.SUPPRESS,
        )  # fmt: skip
    return parser.parse_args(argv)


def _chosen(argv) -> tuple:
    """The data set and recipe that were typed, for the text of --help alone."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--dataset")
    first.add_argument("--recipe")
    first.add_argument("--quick", dest="recipe", action="store_const", const="quick")
    try:
        typed, _ = first.parse_known_args(argv)
        dataset = typed.dataset or "MNIST"
        return dataset, named(typed.recipe or names(dataset)[0], dataset)
    except (SystemExit, ValueError):  # will be said in a moment
        return "MNIST", named("reference", "MNIST")


def toy_fields() -> list:
    """Fields of the toys' recipes that are options of theirs alone, each once."""
    taken = {*SHARED, "dataset", "n_steps"}
    fields = {f.name: f for kind, _ in TOYS.values() for f in dataclasses.fields(kind)}
    return [f for name, f in fields.items() if name not in taken]


def recipe_from_args(args):
    """The recipe that the command line asks for, or ValueError."""
    dataset = args.dataset or "MNIST"
    check_choice(dataset, sorted(SOURCES), "dataset")
    base = named(args.recipe or names(dataset)[0], dataset)
    shared = given_options(args, SHARED)
    only_toy = given_options(args, [f.name for f in toy_fields()])
    only_images = given_options(args, FOR_IMAGES)
    if kind(dataset) is not ImageRecipe:
        for_images = {
            "--model-args": args.model_args,
            "--data-args": args.data_args,
            **{f"--{k.replace('_', '-')}": True for k in only_images},
        }
        if any(for_images.values()):
            option = next(option for option, given in for_images.items() if given)
            raise ValueError(
                f"{option} is for images; every setting of the toys has an option of "
                f"its own: see --dataset {dataset} --help"
            )
        for option in only_toy:
            if not hasattr(base, option):
                raise ValueError(
                    f"--{option.replace('_', '-')} is not a setting of {dataset}: "
                    f"leave it out; --dataset {dataset} --help lists those there are"
                )
        more = given_options(args, ["n_steps"])
        return dataclasses.replace(base, **shared, **only_toy, **more)
    if only_toy:
        option = "--" + next(iter(only_toy)).replace("_", "-")
        raise ValueError(f"{option} is for the toys: add --dataset {' or '.join(TOYS)}")
    typed = parse_model_args(args.model_args)
    data_args = parse_model_args(args.data_args, "--data-args")
    return dataclasses.replace(
        base,
        model_args={**base.model_args, **typed},
        data_args={**base.data_args, **data_args},
        **shared,
        **only_images,
    )


def options_of_run(args, recipe) -> dict:
    """What was typed of the run itself; the steps of a toy are its recipe's."""
    options = given_options(args, OF_RUNS)
    if not isinstance(recipe, ImageRecipe):
        options.pop("n_steps", None)
    return options


def new_run(args) -> tuple[Run, Path]:
    """A run as the command line asks for, and its folder, the first thing made."""
    recipe = recipe_from_args(args)
    output_dir = check_output_dir(args.output_dir or ".")
    run = Run(recipe, start=args.start_from, **options_of_run(args, recipe))
    model_id = f"diffusionmodel_{recipe.dataset}"
    named = output_dir, model_id, args.suffix or ""
    folder = processes.made_by_writer(lambda: create_log_dir(*named), output_dir)
    write_settings(folder, args, run.recipe)
    return run, folder


def resumed_run(args) -> tuple[Run, Path]:
    """The run of --resume_file and its folder, unless an option contradicts it."""
    path = checkpoint.file_in(args.resume_file)
    saved = checkpoint.load(path)
    recipe = recipe_of(saved[1])
    if path.name != checkpoint.FILE_NAME:
        raise ValueError(
            f"{path} is not the {checkpoint.FILE_NAME} of a run: to go on from it, put "
            f"it under that name into a folder of its own, and give the folder"
        )
    moved = parse_model_args(args.data_args, "--data-args")
    chosen = (args.dataset, moved.keys() - {"path"}, args.model_args, args.recipe)
    if any((*chosen, args.start_from)):
        raise ValueError(
            "--resume_file goes on with the model and data of its run: leave out "
            "--dataset, --data-args (but for a path that has changed), --model-args, "
            "--recipe and --start-from"
        )
    if moved:  # the same pictures, which is checked, in another place
        if not isinstance(recipe, ImageRecipe):
            raise ValueError("--data-args is for images: leave it out")
        recipe = dataclasses.replace(recipe, data_args={**recipe.data_args, **moved})
        saved[1]["recipe"]["data_args"] = recipe.data_args
    for option in ("output_dir", "suffix"):
        if getattr(args, option) is not None:
            raise ValueError(
                f"--{option.replace('_', '-')} {getattr(args, option)}: --resume_file "
                "goes on in the folder of its run: leave the option out"
            )
    options = [*SHARED, *FOR_IMAGES, *(f.name for f in toy_fields())]
    if not isinstance(recipe, ImageRecipe):
        options.append("n_steps")
    for name, value in given_options(args, options).items():
        if getattr(recipe, name, None) != value:
            raise ValueError(
                f"the run was started with {name} = {getattr(recipe, name, None)!r}, "
                f"not {value!r}: leave the option out, or start a new run"
            )
    run = Run(recipe, saved=saved, **options_of_run(args, recipe))
    return run, processes.check_shared(path.parent)


def check_output_dir(path) -> Path:
    """Return the folder that runs are kept in, or raise ValueError."""
    path = Path(path).expanduser()
    if not path.is_dir():
        raise ValueError(
            f"output folder {path} does not exist: make it, or choose another "
            "--output-dir"
        )
    return check_writable(path)


def create_log_dir(output_dir, model_id: str, suffix: str = "") -> Path:
    """Make a new folder for a run, named after its model, data, suffix and time.

    Notes
    -----
    Reference: ``create_log_dir`` in ``util.py``.
    """
    output_dir = check_output_dir(output_dir)
    name = model_id + suffix + time.strftime("-%y%m%dT%H%M%S")
    for number in range(100):  # two runs may start in the same second
        folder = output_dir / (f"{name}-{number}" if number else name)
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise ValueError(
                f"the run's folder {folder} cannot be made ({error.strerror}): choose "
                "another --suffix or --output-dir"
            ) from None
    raise ValueError(f"{output_dir} holds too many runs named {name}")


def write_settings(folder, args, recipe) -> None:
    """Write arguments and versions beside the outputs, for people to read."""
    output_dir = Path(args.output_dir or ".").name
    settings = {
        "command": command_line(),
        "arguments": {**vars(args), "output_dir": output_dir},
        "recipe": dataclasses.asdict(recipe),
        "versions": versions(),
    }
    text = checkpoint.json_text(settings, indent=2, default=str)
    write_whole(Path(folder) / SETTINGS, lambda f: f.write(text.encode()))


def left_behind(folder) -> str:
    """What is left of a run that stopped; without a checkpoint nothing is."""
    if folder is None or not processes.is_writer():
        return ""
    if (folder / checkpoint.FILE_NAME).exists():
        return f"--resume_file {folder} goes on from the last checkpoint\n"
    checkpoint.remove_unfinished(folder)
    (folder / SETTINGS).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something else is in it
        folder.rmdir()
    return "nothing is kept: there was no checkpoint yet\n"


@processes.in_company
def main(argv=None) -> int:
    """Entry point of ``python -m dpm.train``."""
    args, folder = parse_args(argv), None
    try:
        commands.use_devices(args)
        run, folder = new_run(args) if args.resume_file is None else resumed_run(args)
        print(f"run: {folder}", flush=True)
        begun = run.saved[1]["iterations_done"] if run.saved else -1
        loop = run.train(folder)
    except (ValueError, FloatingPointError, OSError) as error:
        full = isinstance(error, OSError)  # a disk, for instance
        words = f"{error.strerror or error}: {error.filename}" if full else error
        print(f"error: {words}", file=sys.stderr)
        processes.tell_others(words)
        print(left_behind(folder), end="", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped")
        print(left_behind(folder), end="")
        return 130
    if loop.iterations_done <= begun:
        print(f"the run has done the {begun} steps it was asked for: --n-steps goes on")
    recipe, n = run.recipe, min(1000, len(loop.costs))
    print(
        f"{loop.iterations_done} steps in {loop.seconds:.0f} s; {recipe.cost_name} "
        f"over the last {n} batches: {recent_bits(recipe, loop, 1000):.3f} "
        f"{recipe.cost_unit}"
    )
    print(f"next: python -m dpm.evaluate {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
