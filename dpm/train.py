"""Training: the loop, and ``python -m dpm.train``.

Every random draw of a run is a function of its seed and of the number of the step, so a
run that was killed and resumed draws what it would have drawn, and ends bit for bit
where it would have ended.
"""

import argparse
import dataclasses
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytensor.tensor as pt

from dpm import __version__, checkpoint
from dpm.algorithms import STEP_RULES, GradientDescent
from dpm.checks import check_data
from dpm.extensions import Checkpoint, ProgressBar
from dpm.gaussian_diffusion import GaussianDiffusion
from dpm.recipes import INITIALIZE, NOISE, RECIPES, SHUFFLE, TIME, Recipe, check_recipe


class MainLoop:
    """Draw a batch, take a step, call the extensions; again.

    Parameters
    ----------
    recipe : Recipe
    X_train : ndarray, shape (n, n_dim)
    extensions : list of Extension

    Attributes
    ----------
    model : GaussianDiffusion
    iterations_done : int
    costs : list of float
        Minus K on each batch, in nats, before its step.
    """

    def __init__(self, recipe: Recipe, X_train, extensions=()):
        self.recipe = recipe
        self.n_steps = recipe.n_steps
        self.extensions = list(extensions)
        self.model = model = recipe.build_model()
        self.X_train = check_data(X_train, model.n_dim, "training data")
        if len(self.X_train) < recipe.batch_size:
            raise ValueError(
                f"batch_size = {recipe.batch_size} exceeds the {len(self.X_train)} "
                "training samples: lower it"
            )
        rng = recipe.rng(INITIALIZE)
        model.initialize(rng)
        model.mlp.place_centers(self.X_train, rng)
        X = pt.tensor("X", shape=(recipe.batch_size, model.n_dim), dtype=model.dtype)
        n_t = recipe.n_t_per_minibatch
        self.noise_shape = (n_t or recipe.trajectory_length - 1, *X.type.shape)
        noise = pt.tensor("noise", shape=self.noise_shape, dtype=model.dtype)
        t = pt.tensor("t", shape=(n_t,), dtype="int64") if n_t else None
        self.algorithm = GradientDescent(
            model.cost(X, noise, t),
            model.parameters,
            STEP_RULES[recipe.rule](recipe.learning_rate),
            [X, noise, t] if n_t else [X, noise],
        )
        self.iterations_done = 0
        self.costs: list[float] = []
        self.seconds = 0.0
        self._epoch = None

    def batch(self, step: int) -> np.ndarray:
        """The data of one step: the training set in a new order each epoch."""
        size = self.recipe.batch_size
        epoch, number = divmod(step, len(self.X_train) // size)
        if self._epoch != epoch:
            self._epoch = epoch
            self._order = self.recipe.rng(SHUFFLE, epoch).permutation(len(self.X_train))
        return self.X_train[self._order[number * size : (number + 1) * size]]

    def draws(self, step: int) -> list:
        """The noise of one step and, where not all are visited, its time indices."""
        recipe = self.recipe
        noise = recipe.rng(NOISE, step).standard_normal(self.noise_shape)
        drawn = [noise.astype(self.model.dtype)]
        if recipe.n_t_per_minibatch:
            rng, T = recipe.rng(TIME, step), recipe.trajectory_length
            drawn.append(rng.integers(1, T, size=recipe.n_t_per_minibatch))
        return drawn

    def _take_step(self) -> None:
        step, recipe = self.iterations_done, self.recipe
        rate = 0.5 * recipe.learning_rate * (1 + np.cos(np.pi * step / self.n_steps))
        rule = self.algorithm.step_rule
        rule.learning_rate.set_value(np.asarray(rate, dtype=self.model.dtype))
        X = self.batch(step).astype(self.model.dtype)
        cost = self.algorithm.process_batch(X, *self.draws(step))
        if not np.isfinite(cost):
            raise FloatingPointError(
                f"the cost became {cost} at step {step}: resume from the last "
                "checkpoint with a lower learning rate, or start with one"
            )
        self.costs.append(cost)
        self.iterations_done += 1

    def run(self) -> "MainLoop":
        """Train until `n_steps` steps are done."""
        started = time.perf_counter() - self.seconds
        try:
            for extension in self.extensions:
                if extension.before_training:
                    extension.do(self)
            while self.iterations_done < self.n_steps:
                self._take_step()
                self.seconds = time.perf_counter() - started
                for extension in self.extensions:
                    if extension.due(self.iterations_done):
                        extension.do(self)
            for extension in self.extensions:
                if extension.after_training:
                    extension.do(self)
        finally:
            for extension in self.extensions:
                extension.finish(self)
        return self

    def snapshot(self, meta: dict) -> tuple[dict, dict]:
        """Arrays and description that `restore` can go on from."""
        arrays = {name: v.get_value() for name, v in self.algorithm.state.items()}
        arrays["costs"] = np.array(self.costs)
        meta = {
            **meta,
            "recipe": dataclasses.asdict(self.recipe),
            "iterations_done": self.iterations_done,
            "seconds": self.seconds,
        }
        return arrays, meta

    def restore(self, arrays: dict, meta: dict) -> None:
        """Go back to where `snapshot` was taken, or raise ValueError."""
        check_recipe(self.recipe, meta)
        values = {k[6:]: v for k, v in arrays.items() if k.startswith("param/")}
        self.model.set_parameter_values(values)
        for name, variable in self.algorithm.state.items():
            if name not in arrays:
                raise ValueError(
                    f"the checkpoint lacks {name!r}, which resuming needs: it holds "
                    "a finished model; train anew in another folder"
                )
            variable.set_value(arrays[name].astype(variable.type.dtype))
        self.costs = arrays["costs"].tolist()
        self.iterations_done = int(meta["iterations_done"])
        self.seconds = float(meta["seconds"])


def load_run(path) -> tuple[GaussianDiffusion, Recipe, dict]:
    """A trained model from its folder or file.

    Returns
    -------
    model : GaussianDiffusion
    recipe : Recipe
    meta : dict
        How it was trained.
    """
    arrays, meta = checkpoint.load(path)
    try:
        recipe = Recipe(**meta["recipe"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is a checkpoint of another kind of model ({error})"
        ) from None
    model = recipe.build_model()
    model.set_parameter_values(
        {k[6:]: v for k, v in arrays.items() if k.startswith("param/")}
    )
    return model, recipe, meta


def versions() -> dict:
    """Versions of what shapes a result."""
    packages = ("pytensor", "jax", "numba", "numpy", "scikit-learn")
    found = {"python": platform.python_version(), "dpm": __version__}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def prepare_folder(path) -> Path:
    """Make the output folder and prove that it can be written to."""
    path = Path(path)
    try:
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


def train(
    recipe: Recipe, output_dir=None, resume=False, save_every=1000, progress=True
) -> MainLoop:
    """Train a recipe from start to end.

    Parameters
    ----------
    recipe : Recipe
    output_dir : path-like, optional
        Where ``checkpoint.npz`` is kept; left out, nothing is saved.
    resume : bool
        Go on from the checkpoint in `output_dir` if there is one.
    save_every : int
        Steps between checkpoints.
    progress : bool
        Whether to show a bar.

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
        path = prepare_folder(output_dir) / checkpoint.FILE_NAME
        if path.exists() and not resume:
            raise ValueError(
                f"{output_dir} already holds a run: add --resume to go on with it, "
                "or choose another --output-dir"
            )
        if path.exists():
            saved = checkpoint.load(path)
            check_recipe(recipe, saved[1])
    loop = MainLoop(recipe, recipe.load_data().X_train)
    if saved is not None:
        loop.restore(*saved)
    if progress:
        loop.extensions.append(ProgressBar())
    if output_dir is not None:
        meta = {"command": command_line(), "versions": versions()}
        loop.extensions.append(Checkpoint(path, meta, save_every))
    return loop.run()


def command_line() -> str:
    """What was typed, without the folders of this machine."""
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return " ".join(["python -m dpm.train", *words])


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line; every field of `Recipe` is an option."""
    parser = argparse.ArgumentParser(
        prog="python -m dpm.train",
        description="Train a diffusion model. Options left out come from --recipe.",
    )
    parser.add_argument("--output-dir", required=True, help="folder of the run")
    parser.add_argument(
        "--recipe", choices=sorted(RECIPES), default="paper",
        help="'paper': 16 units, T = 40; 'wide': 128 units, T = 100",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with a saved run")
    parser.add_argument(
        "--save-every", type=int, default=1000, help="steps between checkpoints"
    )
    for item in dataclasses.fields(Recipe):
        option = "--" + item.name.replace("_", "-")
        parser.add_argument(option, type=item.type, default=None, dest=item.name)
    return parser.parse_args(argv)


def main(argv=None) -> int:
    """Entry point of ``python -m dpm.train``."""
    args = parse_args(argv)
    names = [item.name for item in dataclasses.fields(Recipe)]
    given = {k: getattr(args, k) for k in names if getattr(args, k) is not None}
    try:
        recipe = dataclasses.replace(RECIPES[args.recipe], **given)
        loop = train(recipe, args.output_dir, args.resume, args.save_every)
    except (ValueError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; add --resume to go on from the last checkpoint")
        return 130
    K = -np.mean(loop.costs[-1000:]) / np.log(2)
    print(
        f"{loop.iterations_done} steps in {loop.seconds:.0f} s; K over the last "
        f"{min(1000, len(loop.costs))} batches: {K:.3f} bits"
    )
    print(f"next: python -m dpm.evaluate {args.output_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
