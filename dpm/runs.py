"""A run: trained, kept in a folder of its own, and read back.

`train` takes a recipe from start to end. What it needs is first put together as a
`Run`, which checks everything that can fail before a file is written.
"""

import dataclasses
from pathlib import Path

from dpm import extensions as d
from dpm import viz
from dpm.blocks import checkpoint, devices, processes
from dpm.blocks.average import chosen_parameters
from dpm.blocks.bricks import room_for
from dpm.blocks.checkpoint import check_writable, remove_unfinished
from dpm.blocks.extensions import Checkpoint, FinishAfter, Printing, ProgressBar, Timing
from dpm.blocks.main_loop import MainLoop
from dpm.blocks.settings import Count, Natural, check_settings
from dpm.commands import command_line, machine, parse_model_args, versions
from dpm.datasets.dataset import check_same_data
from dpm.recipes.catalogue import TOYS, recipe_of
from dpm.recipes.images import BATCHES_PER_EPOCH, ImageRecipe

N_EPOCHS = 100_001  # of passes through the data: the reference's way of saying never
EXT_EVERY_N = 25  # times 500 steps, as in the reference
OPTIONS = {  # of a run itself, and what each may be
    "n_steps": Count | None,
    "save_every": Count | None,
    "ext_every_n": Natural | None,
    "plot_before_training": bool | None,
}


def load_run(path, parameters: str | None = None):
    """A trained model from its folder or file.

    Parameters
    ----------
    path : path-like
    parameters : {"average", "last"}, optional
        Of a run that kept an average of its parameters: that, or what the last step
        left. The average where left out.

    Returns
    -------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    recipe : SwissRollRecipe, HeartbeatRecipe or ImageRecipe
    meta : dict
        How it was trained; "parameters" says which these are, if an average was kept.
    """
    arrays, meta = checkpoint.load(path)
    try:
        recipe = recipe_of(meta)
        values, which = chosen_parameters(arrays, meta, parameters)
        with room_for(sum(value.size for value in values.values())):
            model = recipe.build_model()
        model.set_parameter_values(values)
        meta = meta if which is None else {**meta, "parameters": which}
        recipe.resume_at(model, meta.get("iterations_done", 0))
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError) as e:
        raise ValueError(  # settings of other types, for instance
            f"{path} does not describe a model of dpm ({' '.join(str(e).split())}): it "
            "is damaged, or was made by other means"
        ) from e
    return model, recipe, meta


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


def command_of(meta: dict) -> str:
    """The command that makes a kept model, as it is typed today.

    Up to version 0.1 a set of images that was named stood for what is the recipe "ours"
    now.
    """
    command = meta["command"]
    words = command.split()
    old = meta.get("versions", {}).get("dpm", "0.1").startswith("0.1")
    if old and "--dataset" in words and not {"--recipe", "--quick"} & set(words):
        dataset = words[words.index("--dataset") + 1]
        if dataset not in TOYS:
            typed = f"--dataset {dataset}"
            command = command.replace(typed, f"{typed} --recipe ours", 1)
    return command


def story(meta: dict | None) -> list[dict]:
    """The commands that made a run so far, in order; [] of none.

    Each with the step it began at, the steps it asked for, machine and versions. Of
    files from before this was kept the last command alone is known.
    """
    if not meta:
        return []
    told = {k: meta[k] for k in ("command", "versions") if k in meta}
    return meta.get("story") or [told]


def check_recipe(recipe, meta: dict) -> None:
    """Raise ValueError unless the run described by `meta` was of this recipe."""
    wanted = dataclasses.asdict(recipe)
    # What older checkpoints do not name was not there to choose: the default held.
    defaults = dataclasses.asdict(type(recipe)(dataset=recipe.dataset))
    saved = {**defaults, **meta.get("recipe", {})}
    different = [k for k in wanted if saved.get(k) != wanted[k]]
    if different:
        k = different[0]
        raise ValueError(
            f"the checkpoint was trained with {k} = {saved.get(k)!r}, but "
            f"{wanted[k]!r} is asked for: use the same settings to resume it, or "
            "another --output-dir for a new run"
        )


def start_from(path, model, data) -> dict | None:
    """Give a model the parameters of another run, and say which; None for no path.

    They are the average of its parameters, if it kept one.

    Raises
    ------
    ValueError
        If that run's parameters do not fit, or it learned other data.
    """
    if path is None:
        return None
    arrays, meta = checkpoint.load(path)
    check_same_data(data, meta.get("data"))
    model.set_parameter_values(chosen_parameters(arrays, meta)[0])
    kept = ("command", "versions", "iterations_done", "seconds", "start")
    return {k: meta.get(k) for k in kept}


class Run:
    """All parts of a run, before anything of it is written.

    Parameters
    ----------
    recipe, data, n_steps, ext_every_n, plot_before_training, save_every, start
        As of `train`.
    saved : (dict, dict), optional
        From `checkpoint.load`: where to go on.

    Attributes
    ----------
    recipe : BaseRecipe
        With the settings that follow from the data.
    data : Dataset
    model : Brick
        Initialised, with the parameters of `start` or as it was saved.
    """

    def __init__(
        self,
        recipe,
        *,
        data=None,
        saved=None,
        start=None,
        n_steps=None,
        ext_every_n=None,
        plot_before_training=None,
        save_every=None,
    ):
        self.n_steps, self.ext_every_n = n_steps, ext_every_n
        self.plot_before_training, self.save_every = plot_before_training, save_every
        self._check_options(recipe, saved, start)
        self.data = data or recipe.load_data()
        self.recipe = recipe.for_data(self.data)
        self.saved = saved
        if saved is not None:
            check_recipe(self.recipe, saved[1])
            check_same_data(self.data, saved[1].get("data"))
        self.model = self.recipe.initialized_model(self.data.X_train)
        if saved is None:
            self.start = start_from(start, self.model, self.data)
        else:
            self.start = saved[1].get("start")
        processes.check_agreement(self._in_common)

    def _in_common(self) -> dict:
        """What must be the same in all processes."""
        values = self.saved[0] if self.saved else self.model.get_parameter_values()
        return {
            **{f"the version of {k}": v for k, v in versions().items()},
            **dataclasses.asdict(self.recipe),
            **{name: getattr(self, name) for name in OPTIONS},
            "data": processes.digest([self.data.X_train, self.data.X_test]),
            "parameters to start from": processes.digest(values.values()),
            "steps done": self.saved[1]["iterations_done"] if self.saved else 0,
        }

    def _check_options(self, recipe, saved, start) -> None:
        """Raise ValueError for an option that would not be used."""
        check_settings({name: getattr(self, name) for name in OPTIONS}, OPTIONS)
        if saved is not None and start is not None:
            raise ValueError(
                f"start = {start}: a run that is resumed has a start: leave it out"
            )
        images = isinstance(recipe, ImageRecipe)
        for name in ("n_steps", "ext_every_n", "plot_before_training"):
            value = getattr(self, name)
            if not images and value is not None:
                remedy = "leave it out"
                if name == "n_steps":
                    remedy = f"the recipe says how many, {recipe.n_steps}: replace it"
                raise ValueError(f"{name} = {value!r} is for images: {remedy}")
        if images and 0 < recipe.decay_steps < (self.n_steps or 0):
            raise ValueError(
                f"n_steps = {self.n_steps} exceeds decay_steps = {recipe.decay_steps}, "
                "where the learning rate is zero: lower it, or raise decay_steps"
            )

    def train(self, folder=None, progress: bool = True) -> MainLoop:
        """Train, and keep the run in a folder where one is given."""
        kept = {k: getattr(self, k) for k in (
            "save_every", "ext_every_n", "plot_before_training")}  # fmt: skip
        unused = [name for name, value in kept.items() if value and folder is None]
        if unused:
            raise ValueError(
                f"{unused[0]} = {kept[unused[0]]!r} is for runs that are kept: give "
                "output_dir, or leave it out"
            )
        recipe = self.recipe
        data, model = self.data, self.model
        loop = recipe.main_loop(data.X_train, model=model, paint=data.paint)
        if self.saved is not None:
            loop.restore(*self.saved)
            recipe.resume_at(self.model, loop.iterations_done)
        if folder is not None:
            folder = Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(folder)
        n_steps = self.n_steps
        if isinstance(recipe, ImageRecipe):
            n_batches = len(self.data.X_train) // recipe.batch_size
            n_steps = n_steps or self._asked_before()
            n_steps = n_steps or recipe.decay_steps or N_EPOCHS * n_batches
            loop.extensions.append(FinishAfter(n_steps))
            every = EXT_EVERY_N if self.ext_every_n is None else self.ext_every_n
            if folder is not None and every:
                loop.extensions += self._diagnostics(loop, folder, every)
        if progress and processes.is_writer():
            loop.extensions.append(ProgressBar(recipe, n_steps or recipe.n_steps))
        if folder is not None:
            path = folder / checkpoint.FILE_NAME
            every = self.save_every or recipe.save_every
            loop.extensions.append(Checkpoint(path, self.description, every))
        return loop.run()

    def _asked_before(self) -> int | None:
        """The steps in all that a run which is resumed was asked for last."""
        asked = [each.get("n_steps") for each in story(self.saved and self.saved[1])]
        return next((n for n in reversed(asked) if n is not None), None)

    @property
    def description(self) -> dict:
        """What a checkpoint keeps of how it was made."""
        before = self.saved and self.saved[1]
        now = {
            "command": command_line(),
            "from_step": before["iterations_done"] if before else 0,
            "n_steps": self.n_steps,
            "machine": machine() | devices.described(),
            "versions": versions(),
        }
        told = [*story(before), now]
        meta = {
            "command": told[0].get("command", now["command"]),
            "recipe": dataclasses.asdict(self.recipe),
            "versions": now["versions"],
            "data": self.data.description,
            "story": told,
        }
        return meta if self.start is None else {**meta, "start": self.start}

    def _diagnostics(self, loop, folder, every_n: int) -> list:
        """The reference's plots, samples and scores, each every so many steps."""
        viz.use_style()
        every = {
            "every_n_steps": every_n * BATCHES_PER_EPOCH,
            "before_training": bool(self.plot_before_training),
        }
        data, train_batch = self.data, loop.data_stream.batch(0)
        test_batch = data.X_test[:49]
        return [
            d.LogLikelihood(data.X_test, data.scale, **every),
            Timing(every["every_n_steps"]),
            d.PlotMonitors(self.recipe, folder, **every),
            d.PlotSamples(test_batch, folder, **every),
            d.PlotInternalState(train_batch, folder, **every),
            d.PlotParameters(folder, **every),
            d.PlotGradients(folder, **every),
            Printing(self.recipe, **every),
        ]


def train(
    recipe,
    output_dir=None,
    resume: bool = False,
    save_every: int | None = None,
    progress: bool = True,
    *,
    data=None,
    n_steps: int | None = None,
    ext_every_n: int | None = None,
    plot_before_training: bool | None = None,
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
        Of a run on images: how many steps to take in all. Recipes of toys say it.
    ext_every_n : int, optional
        Of a run on images: every so many times 500 steps samples are drawn, parameters
        and monitors plotted, and the log likelihood estimated (25). 0 means never.
    plot_before_training : bool, optional
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
        holds a run of another recipe; and for options that would not be used.
    """
    saved = None
    if output_dir is not None:
        path = check_writable(output_dir) / checkpoint.FILE_NAME
        if path.exists() and not resume:
            raise ValueError(
                f"{output_dir} already holds a run: add --resume_file {output_dir} to "
                "go on with it, or choose another --output-dir"
            )
        if path.exists():
            saved = checkpoint.load(path)
    elif resume:
        raise ValueError("resume = True: give the output_dir of the run to go on with")
    run = Run(
        recipe,
        data=data,
        saved=saved,
        start=start,
        n_steps=n_steps,
        ext_every_n=ext_every_n,
        plot_before_training=plot_before_training,
        save_every=save_every,
    )
    return run.train(output_dir, progress)
