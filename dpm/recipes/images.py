"""The recipe of sets of images: what the reference's ``train.py`` sets up, and more."""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.algorithms import STEP_RULES, CompositeRule, RemoveNotFinite
from dpm.blocks.backend import precision
from dpm.blocks.bricks import Dropout
from dpm.blocks.checks import check_choice
from dpm.blocks.devices import mean_over_devices, n_devices, one_device
from dpm.blocks.extensions import SharedVariableModifier
from dpm.blocks.parts import cost_and_gradients, part_size
from dpm.blocks.settings import BelowOne, Count, Natural, Positive, check_settings
from dpm.datasets import catalogue
from dpm.datasets.dataset import Dataset
from dpm.datasets.symmetries import SYMMETRIES, check_symmetries, turned
from dpm.evaluation import spread_times
from dpm.extensions import decay_learning_rate
from dpm.model import DiffusionModel, argument_types
from dpm.recipes.base import (
    DROPOUT,
    NOISE,
    SYMMETRY,
    TIME,
    UNIFORM,
    BaseRecipe,
    half_cosine_extensions,
)

BATCHES_PER_EPOCH = 500  # the reference's count, whatever the data set


@dataclass(frozen=True)
class ImageRecipe(BaseRecipe):
    """A run on images, as the reference's ``train.py`` sets it up.

    Attributes
    ----------
    dataset : str
        Of `dpm.datasets.catalogue.image_sets`: "MNIST", "CIFAR10", "DEAD_LEAVES", ...
    seed : int
    batch_size : int
    learning_rate : float
        At the start.
    rule : {"RMSProp", "Adam"}
        Either after `dpm.blocks.algorithms.RemoveNotFinite`.
    decay_steps : int
        The learning rate falls to zero along a half cosine of so many steps, and the
        run ends. 0: it falls as `dpm.extensions.decay_learning_rate` says, as in the
        reference, and the run goes on.
    t_per_image : bool
        Whether each image of a batch has a time step of its own; the reference draws
        one for the whole batch.
    stratified_t : bool
        Whether the time steps of a batch, one for each image, are evenly spaced from a
        random start (`dpm.evaluation.spread_times`), and shared out at random. Each
        image's is as random as before, but every batch has early and late ones.
    symmetries : {"none", "mirror", "eight"}
        Of the pictures: each is turned over anew in every batch, see
        `dpm.datasets.symmetries`.
    fresh : bool
        Whether every batch has pictures made for it alone, of data that can be: painted
        (DEAD_LEAVES), or cut from larger ones. The training set then only says how they
        are scaled.
    ema : float
        Decay of a moving average of the parameters, which is then what is scored and
        drawn from: see `dpm.blocks.average.MovingAverage`. 0 for none.
    dropout_rate : float
        Of the inputs of every layer of the network, while training.
    model_args : dict
        Arguments of `DiffusionModel`. `for_data` adds those that the data decide:
        spatial_width, n_colors, uniform_noise.
    data_args : dict
        Settings of the data set, such as its seed; numbers and text.
    dtype : {"float32", "float64"}
    """

    dataset: Literal[*sorted(catalogue.image_sets())] = "MNIST"
    seed: Natural = 0
    batch_size: Count = 512
    learning_rate: Positive = 1e-3
    rule: Literal[*sorted(STEP_RULES)] = "RMSProp"
    decay_steps: Natural = 0
    t_per_image: bool = False
    stratified_t: bool = False
    symmetries: Literal[*SYMMETRIES] = "none"
    fresh: bool = False
    ema: BelowOne = 0.0
    dropout_rate: BelowOne = 0.0
    model_args: dict = field(default_factory=dict)
    data_args: dict = field(default_factory=dict)
    dtype: Literal["float32", "float64"] = "float32"

    cost_unit = "bits/pixel"

    def __post_init__(self):
        super().__post_init__()
        if self.stratified_t and not self.t_per_image:
            raise ValueError(
                "stratified_t = True is for a time step of each image: add t_per_image"
            )
        for name in self.model_args:
            check_choice(name, argument_types(), "model argument")
        check_settings(self.model_args, argument_types())
        catalogue.check_data_args(self.dataset, self.data_args)
        for name, value in self.data_args.items():
            if not isinstance(value, str | int | float | None):
                raise ValueError(f"{name} = {value!r}: give a number or a text")

    def for_data(self, dataset) -> "ImageRecipe":
        """This recipe with the model arguments that follow from the data."""
        if self.fresh and dataset.paint is None:
            raise ValueError(
                f"fresh = True: no new pictures of {self.dataset} can be painted: "
                "leave it out"
            )
        check_symmetries(self.symmetries, dataset.image_shape)
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

    def load_data(self) -> Dataset:
        """The data this recipe is for."""
        return catalogue.load(self.dataset, **self.data_args)

    def build_model(self) -> DiffusionModel:
        """The model this recipe trains, its parameters not yet initialised."""
        with precision(self.dtype):
            model = DiffusionModel(**self.model_args)
        if self.stratified_t and model.sum_over_t == "exact":
            raise ValueError(
                "stratified_t = True is for random time steps, not for sum_over_t = "
                "'exact': leave one of the two out"
            )
        return model

    def of_width(self, model, width: int) -> tuple:
        """This recipe, and a model with the parameters of `model`, for another width.

        Raises
        ------
        ValueError
            If a parameter belongs to a place in the picture, as those of dense layers
            and biases that are not tied do, or the width cannot be halved as often as
            `n_scales` asks.
        """
        model_args = {**self.model_args, "spatial_width": width}
        recipe = dataclasses.replace(self, model_args=model_args)
        wider, given = recipe.build_model(), model.get_parameter_values()
        for path, value in wider.get_parameter_values().items():
            if value.shape != given[path].shape:
                raise ValueError(
                    f"width = {width}: {path} is of the places in pictures of "
                    f"{model.spatial_width} x {model.spatial_width} pixels; only a "
                    "network of convolutions with tied biases fits other widths"
                )
        wider.set_parameter_values(given)
        return recipe, wider

    def initialize(self, model, X_train, rng) -> None:
        """Draw the parameters."""
        model.initialize(rng)

    def changed(self, X, step: int) -> np.ndarray:
        """The pictures of a step, turned over as `symmetries` says."""
        args = self.model_args
        if self.symmetries == "none":
            return X
        shape = (args["n_colors"], args["spatial_width"], args["spatial_width"])
        return turned(X, shape, self.symmetries, self.rng(SYMMETRY, step))

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

    def gradients(self, model):
        """The cost, its inputs and its gradients, taken by parts of the minibatch.

        Parts serve convolutions, whose activations are many and weights few.
        """
        cost, inputs = self.graph(model)
        if model.mlp.mlp_conv is None:
            return cost, inputs, None
        per_image = model.mlp.n_hidden_conv * model.spatial_width**2
        if model.sum_over_t == "exact":
            per_image *= model.trajectory_length - 1
        own = self.batch_size // n_devices()
        size = part_size(own, per_image * np.dtype(self.dtype).itemsize)
        if size == self.batch_size:
            return cost, inputs, None
        own_inputs, parameters = inputs, list(model.parameters.values())
        with one_device():  # what each of them does
            if own < self.batch_size:
                share = dataclasses.replace(self, batch_size=own)
                cost, own_inputs = share.graph(model)
            if size < own:
                part = dataclasses.replace(self, batch_size=size).graph(model)
                cost, gradients = cost_and_gradients(*part, parameters, own_inputs)
            else:
                gradients = pt.grad(cost, parameters)
        cost, *gradients = mean_over_devices([cost, *gradients], own_inputs, inputs)
        return cost, inputs, gradients

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
            elif variable.name == "t" and self.stratified_t:
                times = spread_times(T, shape[0], 1, rng)  # (n, 1)
                drawn.append(rng.permutation(times).astype(self.dtype))
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

    def extensions(self, algorithm) -> list:
        """How the learning rate falls."""
        rate = algorithm.step_rule.learning_rate
        if self.decay_steps:
            return half_cosine_extensions(rate, self.learning_rate, self.decay_steps)
        decay = functools.partial(decay_learning_rate, start=self.learning_rate)
        return [SharedVariableModifier(rate, decay, BATCHES_PER_EPOCH)]

    @property
    def cost_name(self):
        """What a progress bar shows. A cost of weighted terms is not K."""
        weighted = self.model_args.get("weighting") in ("picture", "between")
        return "weighted " * weighted + "K - L_null"

    def cost_in_bits(self, cost):
        """K - L_null in bits per pixel, as a progress bar shows it."""
        return -cost
