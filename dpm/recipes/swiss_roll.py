"""The recipe of the swiss roll (Section 3.1.1, Appendix D.1.1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.algorithms import STEP_RULES
from dpm.blocks.settings import Between, Count, Natural, Positive, Several
from dpm.datasets.catalogue import load
from dpm.datasets.dataset import Dataset
from dpm.diffusion import schedule
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.vectors import GaussianDiffusion
from dpm.recipes.base import NOISE, TIME, BaseRecipe, half_cosine_extensions


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

    dataset: Literal["SWISS_ROLL"] = "SWISS_ROLL"
    noise: Positive = 0.3
    data_seed: Natural = 0
    seed: Natural = 0
    trajectory_length: Several = 40
    n_hidden: Count = 16
    width: Positive = 0.1
    schedule: Literal["baseline", "learned", "log_snr"] = "learned"
    step1_beta: Between = 1e-4
    rule: Literal[*sorted(STEP_RULES)] = "Adam"
    learning_rate: Positive = 2e-2
    batch_size: Count = 32
    n_steps: Count = 24_000
    n_t_per_minibatch: Natural = 0

    def load_data(self) -> Dataset:
        """The data this recipe is for."""
        return load(self.dataset, noise=self.noise, seed=self.data_seed)

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

    def extensions(self, algorithm) -> list:
        """How the learning rate falls, and when the run ends."""
        rate = algorithm.step_rule.learning_rate
        return half_cosine_extensions(rate, self.learning_rate, self.n_steps)

    def cost_in_bits(self, cost):
        """K in bits, as a progress bar shows it."""
        return -cost / np.log(2)


NAMED = {
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
