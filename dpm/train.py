"""Training: ``python -m dpm.train``, the reference's command line.

The default trains the reference's default model on MNIST. Nothing here knows how a step
is taken: that is `dpm.main_loop`; what a run consists of is `dpm.recipes`.
"""

import dataclasses
import json
import os
import platform
import shlex
import sys
import time
from importlib import metadata
from pathlib import Path

from dpm import __version__, checkpoint
from dpm.arguments import (
    FOR_IMAGES,
    SHARED,
    given_options,
    parse_args,
    recipe_from_args,
    toy_fields,
)
from dpm.datasets import check_same_data
from dpm.extensions import (
    Checkpoint,
    FinishAfter,
    Printing,
    ProgressBar,
    Timing,
    recent_bits,
)
from dpm.files import remove_unfinished, write_whole
from dpm.main_loop import MainLoop, check_batch_size, parameter_values
from dpm.recipes import (
    BATCHES_PER_EPOCH,
    ImageRecipe,
    check_recipe,
    recipe_of,
)

N_EPOCHS = 100_001  # of passes through the data: the reference's way of saying never


def load_run(path):
    """A trained model from its folder or file.

    Returns
    -------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    recipe : SwissRollRecipe, HeartbeatRecipe or ImageRecipe
    meta : dict
        How it was trained.
    """
    arrays, meta = checkpoint.load(path)
    recipe = recipe_of(meta)
    model = recipe.build_model()
    model.set_parameter_values(parameter_values(arrays))
    recipe.resume_at(model, meta.get("iterations_done", 0))
    return model, recipe, meta


def versions() -> dict:
    """Versions of what shapes a result."""
    packages = (
        "pytensor", "jax", "numba", "numpy", "pillow", "scikit-image", "scikit-learn",
    )  # fmt: skip
    found = {"python": platform.python_version(), "dpm": __version__}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def check_writable(path, make: bool = False) -> Path:
    """Prove that a folder, made where `make` says so, can be written to."""
    path = Path(path)
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f"output folder {path} cannot be written to ({error.strerror}): choose "
            "another --output-dir"
        ) from None
    return path


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


def train(
    recipe,
    output_dir=None,
    resume=False,
    save_every=None,
    progress=True,
    *,
    data=None,
    n_steps=None,
    ext_every_n=25,
    plot_before_training=False,
    start=None,
) -> MainLoop:
    """Train a recipe from start to end.

    Parameters
    ----------
    recipe : SwissRollRecipe, HeartbeatRecipe or ImageRecipe
    output_dir : path-like, optional
        The run's own folder, where ``checkpoint.npz`` is kept; left out, nothing is
        saved.
    resume : bool
        Go on from the checkpoint in `output_dir` if there is one.
    save_every : int, optional
        Steps between checkpoints; left out, as the recipe has it.
    progress : bool
        Whether to show a bar.
    data : Dataset, optional
        What `recipe.load_data` gives, so as not to load it again.
    n_steps : int, optional
        Of a run on images: how many steps to take in all.
    ext_every_n : int
        Of a run on images: every so many times 500 steps samples are drawn, parameters
        and monitors plotted, and the log likelihood estimated. 0 means never.
    plot_before_training : bool
        Of a run on images: whether to do that at step 0 too.
    start : path-like, optional
        A run whose parameters a new run starts with, in place of random ones; its
        model must have the same.

    Returns
    -------
    MainLoop
        With the trained ``model``.

    Raises
    ------
    ValueError
        If the folder cannot be written, already holds a run and `resume` is False, or
        holds a run of another recipe.
    """
    saved = None
    if output_dir is not None:
        path = check_writable(output_dir, make=True) / checkpoint.FILE_NAME
        if path.exists() and not resume:
            raise ValueError(
                f"{output_dir} already holds a run: add --resume_file {output_dir} to "
                "go on with it, or choose another --output-dir"
            )
        if path.exists():
            saved = checkpoint.load(path)
    data = data or recipe.load_data()
    if isinstance(recipe, ImageRecipe):
        recipe = recipe.for_data(data)
    if saved is not None:
        check_recipe(recipe, saved[1])
    if output_dir is not None:
        remove_unfinished(output_dir)
    loop = MainLoop(recipe, data.X_train)
    if saved is not None:
        check_same_data(data, saved[1].get("data"))
        loop.restore(*saved)
        before = saved[1].get("start")
    else:
        before = start_from(start, loop.model, data)
    if isinstance(recipe, ImageRecipe):
        n_batches = len(data.X_train) // recipe.batch_size
        n_steps = n_steps or recipe.decay_steps or N_EPOCHS * n_batches
        loop.extensions.append(FinishAfter(n_steps))
        if output_dir is not None and ext_every_n:
            every = {
                "every_n_steps": ext_every_n * BATCHES_PER_EPOCH,
                "before_training": plot_before_training,
            }
            loop.extensions += diagnostic_extensions(loop, data, output_dir, every)
    if progress:
        loop.extensions.append(ProgressBar(n_steps or recipe.n_steps))
    if output_dir is not None:
        meta = {
            "command": command_line(),
            "versions": versions(),
            "data": data.description,
        }
        if before is not None:
            meta["start"] = before
        loop.extensions.append(Checkpoint(path, meta, save_every or recipe.save_every))
    return loop.run()


def start_from(path, model, data) -> dict | None:
    """Give a model the parameters of another run, and say which; None for no path.

    Raises
    ------
    ValueError
        If that run's parameters do not fit, or it learned other data.
    """
    if path is None:
        return None
    arrays, meta = checkpoint.load(path)
    check_same_data(data, meta.get("data"))
    model.set_parameter_values(parameter_values(arrays))
    return {k: meta.get(k) for k in ("command", "iterations_done", "seconds", "start")}


def diagnostic_extensions(loop, data, folder, every: dict) -> list:
    """The reference's plots, samples and scores, each every so many steps."""
    from dpm import diagnostics as d  # matplotlib comes with it
    from dpm import viz

    viz.use_style()
    test_batch, train_batch = data.X_test[:49], loop.batch(0)
    return [
        d.LogLikelihood(data.X_test, data.scale, **every),
        Timing(every["every_n_steps"]),
        d.PlotMonitors(folder, **every),
        d.PlotSamples(test_batch, folder, **every),
        d.PlotInternalState(train_batch, folder, **every),
        d.PlotParameters(folder, **every),
        d.PlotGradients(folder, **every),
        Printing(**every),
    ]


def command_line(program: str = "dpm.train") -> str:
    """What was typed, without the folders of this machine, to be typed again."""
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return " ".join([f"python -m {program}", *map(quoted, words)])


def quoted(word: str) -> str:
    """A word for the shell; within double quotes, if those do, since we use single."""
    if shlex.quote(word) == word or set(word) & set('"$`\\!'):
        return shlex.quote(word)
    return f'"{word}"'


def resumed_recipe(args):
    """The recipe and folder of --resume_file, unless an option contradicts it."""
    path = checkpoint.file_in(args.resume_file)
    _, meta = checkpoint.load(path)
    recipe = recipe_of(meta)
    if path.name != checkpoint.FILE_NAME:
        raise ValueError(
            f"{path} is not the {checkpoint.FILE_NAME} of a run: to go on from it, put "
            f"it under that name into a folder of its own, and give the folder"
        )
    chosen = (args.dataset, args.data_args, args.model_args, args.recipe)
    if any((*chosen, args.start_from)):
        raise ValueError(
            "--resume_file goes on with the model and data of its run: leave out "
            "--dataset, --data-args, --model-args, --recipe and --start-from"
        )
    names = [*SHARED, *FOR_IMAGES, *(f.name for f in toy_fields())]
    if not isinstance(recipe, ImageRecipe):
        names.append("n_steps")
    for name, value in given_options(args, names).items():
        if getattr(recipe, name, None) != value:
            raise ValueError(
                f"the run was started with {name} = {getattr(recipe, name, None)!r}, "
                f"not {value!r}: leave the option out, or start a new run"
            )
    return recipe, path.parent


def write_settings(folder, args, recipe) -> None:
    """Write arguments and versions beside the outputs, for people to read."""
    settings = {
        "command": command_line(),
        "arguments": {**vars(args), "output_dir": Path(args.output_dir).name},
        "recipe": dataclasses.asdict(recipe),
        "versions": versions(),
    }
    text = json.dumps(settings, indent=2, default=str)
    write_whole(Path(folder) / "settings.json", lambda f: f.write(text.encode()))


def main(argv=None) -> int:
    """Entry point of ``python -m dpm.train``."""
    args = parse_args(argv)
    folder = None
    try:
        for name in ("n_steps", "save_every"):
            value = getattr(args, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} = {value}: it must be at least 1")
        if args.resume_file is None:
            recipe = recipe_from_args(args)
            check_output_dir(args.output_dir)
            data = recipe.load_data()  # all that can fail, before a folder is made
            if isinstance(recipe, ImageRecipe):
                recipe = recipe.for_data(data)
            start_from(args.start_from, recipe.build_model(), data)
            check_batch_size(recipe, data.X_train)
            model_id = f"diffusionmodel_{recipe.dataset}"
            folder = create_log_dir(args.output_dir, model_id, args.suffix)
            write_settings(folder, args, recipe)
        else:
            recipe, folder = resumed_recipe(args)
            data = None
        print(f"run: {folder}", flush=True)
        loop = train(
            recipe,
            folder,
            args.resume_file is not None,
            args.save_every,
            data=data,
            n_steps=args.n_steps,
            ext_every_n=args.ext_every_n,
            plot_before_training=args.plot_before_training,
            start=args.start_from,
        )
    except (ValueError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if folder is None:
            print("stopped before the run began")
        else:
            print(f"stopped; --resume_file {folder} goes on from the last checkpoint")
        return 130
    K = recent_bits(loop, 1000)
    print(
        f"{loop.iterations_done} steps in {loop.seconds:.0f} s; {recipe.cost_name} "
        f"over the last {min(1000, len(loop.costs))} batches: {K:.3f} "
        f"{recipe.cost_unit}"
    )
    print(f"next: python -m dpm.evaluate {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
