"""All the choices of a run in one place, and the random draws that follow from them.

A recipe knows how to build its model, what its steps draw, and by which rule they go.
`SwissRollRecipe` is the toy of Section 3.1.1, `dpm.heartbeat.HeartbeatRecipe` that of
Section 3.1.2, `ImageRecipe` what the reference's ``train.py`` sets up.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pytensor.tensor as pt

from dpm import datasets, schedule
from dpm.algorithms import STEP_RULES, CompositeRule, RemoveNotFinite
from dpm.backend import precision
from dpm.checks import (
    check_choice,
    check_count,
    check_positive,
    check_rate,
    check_trajectory_length,
)
from dpm.extensions import FinishAfter, SharedVariableModifier, decay_learning_rate
from dpm.gaussian_diffusion import GaussianDiffusion
from dpm.images import IMAGE_SETS
from dpm.model import DiffusionModel, model_arguments
from dpm.regression import RBFNetwork

INITIALIZE, SHUFFLE, NOISE, TIME, UNIFORM, DROPOUT = range(6)  # what draws are for
BATCHES_PER_EPOCH = 500  # the reference's count, whatever the data set


class BaseRecipe:
    """What all recipes share."""

    removes_not_finite = False
    cost_name, cost_unit = "K", "bits"  # as progress is shown
    save_every = 1000  # steps between checkpoints

    def tables(self, model) -> list:
        """Paths of the parameters of which a step uses a few rows; see algorithms."""
        return []

    def resume_at(self, model, step: int) -> None:
        """Put a model into the state that it has after so many steps, parameters apart.

        Most have none.
        """

    def rng(self, purpose: int, number: int = 0) -> np.random.Generator:
        """The generator of draw `number` of one purpose."""
        return np.random.default_rng([self.seed, purpose, number])


def half_cosine_extensions(recipe, main_loop, n_steps: int) -> list:
    """Let the learning rate fall to zero along a half cosine, and end there."""

    def half_cosine(iteration, old_value):
        phase = np.pi * min(iteration, n_steps) / n_steps
        return 0.5 * recipe.learning_rate * (1 + np.cos(phase))

    rate = main_loop.algorithm.step_rule.learning_rate
    every_step = SharedVariableModifier(rate, half_cosine, 1, before_training=True)
    return [every_step, FinishAfter(n_steps)]


@dataclass(frozen=True)
class SwissRollRecipe(BaseRecipe):
    """A run on the swiss roll. The defaults are the paper's (D.1.1).

    Attributes
    ----------
    dataset : {"SWISS_ROLL"}
    noise : float
        Of the swiss roll, in its own units.
    data_seed, seed : int
        What the data are drawn with; what the run is drawn with.
    trajectory_length : int
        T.
    n_hidden, width : int, float
        Radial basis functions, and where their widths start.
    schedule : {"learned", "log_snr", "baseline"}
        beta_t: learned starting from `schedule.log_snr`, or held fixed.
    step1_beta : float
        beta_1, never learned.
    rule : {"Adam", "RMSProp"}
    learning_rate : float
        At the start; it falls to zero along a half cosine.
    batch_size, n_steps : int
    n_t_per_minibatch : int
        0 sums K over every t; a positive number estimates the sum from that many
        time steps, drawn anew for each batch, as the 2015 implementation does.
    """

    dataset: str = "SWISS_ROLL"
    noise: float = 0.3
    data_seed: int = 0
    seed: int = 0
    trajectory_length: int = 40
    n_hidden: int = 16
    width: float = 0.1
    schedule: str = "learned"
    step1_beta: float = 1e-4
    rule: str = "Adam"
    learning_rate: float = 2e-2
    batch_size: int = 32
    n_steps: int = 24_000
    n_t_per_minibatch: int = 0

    def __post_init__(self):
        check_trajectory_length(self.trajectory_length)
        check_rate(self.step1_beta, "step1_beta")
        check_choice(self.dataset, ["SWISS_ROLL"], "dataset")
        check_choice(self.rule, sorted(STEP_RULES), "rule")
        check_choice(self.schedule, ["baseline", "learned", "log_snr"], "schedule")
        for name in ("n_hidden", "batch_size", "n_steps", "width", "learning_rate"):
            check_positive(getattr(self, name), name)
        if self.n_t_per_minibatch < 0:
            raise ValueError(
                f"n_t_per_minibatch = {self.n_t_per_minibatch}: give the number of "
                "time steps to draw, or 0 for all of them"
            )

    def load_data(self) -> datasets.Dataset:
        """The data this recipe is for."""
        return datasets.load(self.dataset, noise=self.noise, seed=self.data_seed)

    def build_model(self) -> GaussianDiffusion:
        """The model this recipe trains, its parameters not yet initialised."""
        T, n_dim = self.trajectory_length, 2
        if self.schedule == "learned":
            beta = schedule.LearnedSchedule(schedule.log_snr(T, self.step1_beta))
        else:
            beta = schedule.FixedSchedule(
                schedule.FIXED[self.schedule](T, self.step1_beta)
            )
        network = RBFNetwork(n_dim, self.n_hidden, T, self.width)
        return GaussianDiffusion(beta, network, n_dim)

    def initialize(self, model, X_train, rng) -> None:
        """Draw the parameters; centres start at the k-means of the data."""
        model.initialize(rng)
        model.mlp.place_centers(X_train, rng)

    def graph(self, model):
        """The cost, in nats, and its inputs: the data first."""
        X = pt.tensor("X", shape=(self.batch_size, model.n_dim), dtype=model.dtype)
        n_t = self.n_t_per_minibatch
        shape = (n_t or self.trajectory_length - 1, *X.type.shape)
        noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
        t = pt.tensor("t", shape=(n_t,), dtype="int64") if n_t else None
        inputs = [X, noise, t] if n_t else [X, noise]
        each = None if t is None else t[:, None]  # for the whole batch
        return -model.get_bound(X, noise, each).mean(), inputs

    def draws(self, step: int, inputs) -> list:
        """The noise of one step and, where not all are visited, its time indices."""
        noise = inputs[0].type
        drawn = [self.rng(NOISE, step).standard_normal(noise.shape).astype(noise.dtype)]
        if self.n_t_per_minibatch:
            rng, T = self.rng(TIME, step), self.trajectory_length
            drawn.append(rng.integers(1, T, size=self.n_t_per_minibatch))
        return drawn

    def step_rule(self):
        """The rule that turns gradients into steps."""
        return STEP_RULES[self.rule](self.learning_rate)

    def extensions(self, main_loop) -> list:
        """How the learning rate falls, and when the run ends."""
        return half_cosine_extensions(self, main_loop, self.n_steps)

    def cost_in_bits(self, cost):
        """K in bits, as a progress bar shows it."""
        return -cost / np.log(2)


RECIPES = {
    "paper": SwissRollRecipe(),
    "quick": SwissRollRecipe(),
    "wide": SwissRollRecipe(
        trajectory_length=100,
        n_hidden=128,
        learning_rate=1e-2,
        batch_size=16,
        n_steps=32_000,
    ),
}


@dataclass(frozen=True)
class ImageRecipe(BaseRecipe):
    """A run on images, as the reference's ``train.py`` sets it up.

    Attributes
    ----------
    dataset : str
        Of `dpm.images.IMAGE_SETS`: "MNIST", "CIFAR10", "DIGITS", "DEAD_LEAVES", ...
    seed : int
    batch_size : int
    learning_rate : float
        At the start.
    rule : {"RMSProp", "Adam"}
        Either after `dpm.algorithms.RemoveNotFinite`.
    decay_steps : int
        The learning rate falls to zero along a half cosine of so many steps, and the
        run ends. 0: it falls as `dpm.extensions.decay_learning_rate` says, as in the
        reference, and the run goes on.
    t_per_image : bool
        Whether each image of a batch has a time step of its own; the reference draws
        one for the whole batch.
    dropout_rate : float
        Of the inputs of every layer of the network, while training.
    model_args : dict
        Arguments of `DiffusionModel`. `for_data` adds those that the data decide:
        spatial_width, n_colors, uniform_noise.
    data_args : dict
        Settings of the data set, such as its seed; numbers and text.
    dtype : {"float32", "float64"}
    """

    dataset: str = "MNIST"
    seed: int = 0
    batch_size: int = 512
    learning_rate: float = 1e-3
    rule: str = "RMSProp"
    decay_steps: int = 0
    t_per_image: bool = False
    dropout_rate: float = 0.0
    model_args: dict = field(default_factory=dict)
    data_args: dict = field(default_factory=dict)
    dtype: str = "float32"

    removes_not_finite = True
    cost_unit = "bits/pixel"

    def __post_init__(self):
        check_choice(self.dataset, sorted(IMAGE_SETS), "dataset")
        check_choice(self.dtype, ("float32", "float64"), "dtype")
        check_choice(self.rule, sorted(STEP_RULES), "rule")
        check_count(self.batch_size, "batch_size", 1)
        check_count(self.decay_steps, "decay_steps")
        check_positive(self.learning_rate, "learning_rate")
        if not 0 <= self.dropout_rate < 1:
            raise ValueError(
                f"dropout_rate = {self.dropout_rate}: it must lie in [0, 1)"
            )
        for name in self.model_args:
            check_choice(name, model_arguments(), "model argument")
        datasets.check_settings(self.dataset, self.data_args)
        for name, value in self.data_args.items():
            if not isinstance(value, str | int | float | None):
                raise ValueError(f"{name} = {value!r}: give a number or a text")

    def for_data(self, dataset) -> "ImageRecipe":
        """This recipe with the model arguments that follow from the data."""
        colors, width, _ = dataset.image_shape
        decided = {"n_colors": colors, "spatial_width": width}
        for name, value in decided.items():
            given = self.model_args.get(name, value)
            if given != value:
                raise ValueError(
                    f"{name} = {given} is asked for, but {self.dataset} has images of "
                    f"{width} x {width} pixels in {colors} colours: leave it out"
                )
        decided["uniform_noise"] = dataset.grey_level
        return dataclasses.replace(self, model_args={**decided, **self.model_args})

    def load_data(self) -> datasets.Dataset:
        """The data this recipe is for."""
        return datasets.load(self.dataset, **self.data_args)

    def build_model(self) -> DiffusionModel:
        """The model this recipe trains, its parameters not yet initialised."""
        with precision(self.dtype):
            return DiffusionModel(**self.model_args)

    def initialize(self, model, X_train, rng) -> None:
        """Draw the parameters."""
        model.initialize(rng)

    def graph(self, model):
        """The cost, in bits per pixel, and its inputs: the data first."""
        n = self.batch_size
        X = pt.tensor("features", shape=(n, model.n_dim), dtype=model.dtype)
        exact = model.sum_over_t == "exact"
        shape = (n, *model.sample_shape)
        if exact:
            shape = (model.trajectory_length - 1, *shape)
        inputs, draws = [], []
        for _ in range(1 if exact else model.n_t_per_minibatch):
            noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
            uniform = pt.tensor("uniform", shape=shape, dtype=model.dtype)
            t_shape = (n if self.t_per_image else 1, 1)
            t = pt.tensor("t", shape=t_shape, dtype=model.dtype)
            draws.append((noise, None if exact else t, uniform))
            inputs += [noise, uniform] if exact else [noise, uniform, t]
        drop = Dropout(self.dropout_rate)
        cost = model.cost(X, draws, drop) if self.dropout_rate else model.cost(X, draws)
        return cost, [X, *inputs, *drop.masks]

    def draws(self, step: int, inputs) -> list:
        """Noise, time steps, dequantisation and dropout of one step."""
        T = self.model_args.get("trajectory_length", 1000)
        generators = {
            "noise": self.rng(NOISE, step),
            "uniform": self.rng(UNIFORM, step),
            "t": self.rng(TIME, step),
            "dropout": self.rng(DROPOUT, step),
        }
        drawn = []
        for variable in inputs:
            rng, shape = generators[variable.name], variable.type.shape
            if variable.name == "noise":
                drawn.append(rng.standard_normal(shape, dtype=self.dtype))
            elif variable.name == "t":
                drawn.append(rng.integers(1, T, size=shape).astype(self.dtype))
            else:
                drawn.append(rng.random(shape, dtype=self.dtype))
        return drawn

    def step_rule(self):
        """RemoveNotFinite, then, as in the reference, RMSProp; or Adam."""
        with precision(self.dtype):
            rule = STEP_RULES[self.rule](self.learning_rate)
        return CompositeRule([RemoveNotFinite(), rule])

    def extensions(self, main_loop) -> list:
        """How the learning rate falls."""
        if self.decay_steps:
            return half_cosine_extensions(self, main_loop, self.decay_steps)
        rate = main_loop.algorithm.step_rule.learning_rate
        return [SharedVariableModifier(rate, decay_learning_rate, BATCHES_PER_EPOCH)]

    @property
    def cost_name(self):
        """What a progress bar shows. A cost of weighted terms is not K."""
        weighted = self.model_args.get("weighting", "bound") != "bound"
        return "weighted " * weighted + "K - L_null"

    def cost_in_bits(self, cost):
        """K - L_null in bits per pixel, as a progress bar shows it."""
        return -cost


class Dropout:
    """Sets random inputs of every layer to zero, and scales up those that stay.

    Parameters
    ----------
    rate : float
        Probability of each number to be dropped.

    Attributes
    ----------
    masks : list of symbolic variables
        Made as layers are met; each wants uniform draws from [0, 1).

    Notes
    -----
    Reference: ``apply_dropout`` of Blocks. Srivastava et al., 2014.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.masks: list = []

    def __call__(self, X):
        mask = pt.tensor("dropout", shape=X.type.shape, dtype=X.dtype)
        self.masks.append(mask)
        return pt.switch(mask < self.rate, 0.0, X / (1.0 - self.rate))


def recipe_of(meta: dict):
    """The recipe that a checkpoint's description holds, or raise ValueError."""
    from dpm.heartbeat import HeartbeatRecipe  # which builds on this module

    kinds = {name: ImageRecipe for name in IMAGE_SETS}
    kinds |= {"SWISS_ROLL": SwissRollRecipe, "HEARTBEAT": HeartbeatRecipe}
    try:
        saved = meta["recipe"]
        return kinds[saved["dataset"]](**saved)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"the checkpoint is of another kind of model ({error})"
        ) from None


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
