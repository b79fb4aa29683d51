"""The main loop: draw a batch, take a step, call the extensions; again.

Every random draw of a run is a function of its seed and of the number of the step, so a
run that was killed and resumed draws what it would have drawn, and ends bit for bit
where it would have ended.
"""

import dataclasses
import time

import numpy as np

from dpm.algorithms import GradientDescent
from dpm.backend import precision
from dpm.checks import check_data
from dpm.recipes import INITIALIZE, SHUFFLE, check_recipe

TOLERATED = 10  # costs in a row that may be lost, where the rule removes their gradient


class MainLoop:
    """What a run is while it runs.

    Parameters
    ----------
    recipe : SwissRollRecipe, HeartbeatRecipe or ImageRecipe
        All the choices.
    X_train : ndarray, shape (n, n_dim)
    extensions : list of Extension
        Called in this order, after those that the recipe itself brings.

    Attributes
    ----------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    algorithm : GradientDescent
    iterations_done : int
    costs : list of float
        On each batch, before its step; in the units of `recipe.cost_unit`.
    records : dict
        Lists of (step, value) by name, from extensions.
    finished : bool
        Set by an extension to end the run.
    """

    def __init__(self, recipe, X_train, extensions=()):
        self.recipe = recipe
        self.model = model = recipe.build_model()
        self.X_train = check_data(X_train, model.n_dim, "training data")
        check_batch_size(recipe, self.X_train)
        recipe.initialize(model, self.X_train, recipe.rng(INITIALIZE))
        with precision(model.dtype):
            cost, inputs = recipe.graph(model)
            self.algorithm = GradientDescent(
                cost,
                model.parameters,
                recipe.step_rule(),
                inputs,
                recipe.tables(model),
            )
        self.extensions = [*recipe.extensions(self), *extensions]
        self.iterations_done = 0
        self.costs: list[float] = []
        self.records: dict[str, list] = {}
        self.seconds = 0.0
        self.finished = False
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
        """What one step draws besides its data: noise, time steps, and so on."""
        return self.recipe.draws(step, self.algorithm.inputs[1:])

    def _take_step(self) -> None:
        step = self.iterations_done
        X = self.batch(step).astype(self.model.dtype)
        cost = self.algorithm.process_batch(X, *self.draws(step))
        self.costs.append(cost)
        self.iterations_done += 1
        tolerated = TOLERATED if self.recipe.removes_not_finite else 1
        recent = self.costs[-tolerated:]
        if len(recent) == tolerated and not np.isfinite(recent).any():
            raise FloatingPointError(
                f"the cost became {cost} at step {step}: resume from the last "
                "checkpoint with a lower learning rate, or start with one"
            )

    def record(self, name: str, value: float) -> None:
        """Note a number for the step just done."""
        self.records.setdefault(name, []).append((self.iterations_done, float(value)))

    def run(self) -> "MainLoop":
        """Train until an extension says that it is enough."""
        started = time.perf_counter() - self.seconds
        self.finished = False
        try:
            for extension in self.extensions:
                if extension.before_training:
                    extension.do(self)
            while not self.finished:
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

    @property
    def state(self) -> dict:
        """Shared variables that change while training, by name."""
        return {
            **self.algorithm.state,
            "rule/learning_rate": self.algorithm.step_rule.learning_rate,
        }

    def snapshot(self, meta: dict) -> tuple[dict, dict]:
        """Arrays and description that `restore` can go on from."""
        arrays = {name: v.get_value() for name, v in self.state.items()}
        arrays["costs"] = np.array(self.costs)
        for name, pairs in self.records.items():
            arrays[f"record/{name}"] = np.array(pairs)
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
        self.model.set_parameter_values(parameter_values(arrays))
        for name, variable in self.state.items():
            if name not in arrays:
                raise ValueError(
                    f"the checkpoint lacks {name!r}, which resuming needs: it holds "
                    "a finished model; train anew in another folder"
                )
            variable.set_value(arrays[name].astype(variable.type.dtype))
        self.costs = arrays["costs"].tolist()
        self.records = {
            name.removeprefix("record/"): [(int(k), v) for k, v in values.tolist()]
            for name, values in arrays.items()
            if name.startswith("record/")
        }
        self.iterations_done = int(meta["iterations_done"])
        self.recipe.resume_at(self.model, self.iterations_done)
        self.seconds = float(meta["seconds"])


def check_batch_size(recipe, X_train) -> None:
    """Raise ValueError unless the data fill at least one batch."""
    if len(X_train) < recipe.batch_size:
        raise ValueError(
            f"batch_size = {recipe.batch_size} exceeds the {len(X_train)} "
            "training samples: lower it"
        )


def parameter_values(arrays: dict) -> dict:
    """The parameters among a checkpoint's arrays, by path."""
    prefix = "param/"
    return {
        k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)
    }
