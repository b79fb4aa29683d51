"""The recipe of the binary heartbeat (Section 3.1.2, Appendix D.1.2)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.algorithms import STEP_RULES
from dpm.blocks.backend import precision
from dpm.blocks.checks import check_bits
from dpm.blocks.extensions import Extension
from dpm.blocks.settings import Between, Count, Fraction, Natural, Positive, Several
from dpm.datasets.catalogue import load
from dpm.datasets.dataset import Dataset
from dpm.diffusion import schedule
from dpm.diffusion.networks import ReadoutMLP
from dpm.diffusion.vectors import BinomialDiffusion
from dpm.recipes.base import NOISE, TIME, BaseRecipe, half_cosine_extensions


def constant(T: int) -> np.ndarray:
    """The same rate at each step, with the sum of `schedule.binomial`'s rates.

    .. math:: \\beta_t = \\frac1T \\sum_{k=1}^T \\frac1k

    An equal product of (1 - beta) cannot be asked for: it is zero in the other.
    """
    return np.full(T, schedule.binomial(T).mean())


N_STAGES = 3  # of sharing
SCHEDULES = {"binomial": schedule.binomial, "constant": constant}


@dataclass(frozen=True)
class HeartbeatRecipe(BaseRecipe):
    """A run on the heartbeat. The defaults are the paper's setting (D.1.2).

    Attributes
    ----------
    dataset : {"HEARTBEAT"}
    length, period : int
        Bins of a sequence, and from one pulse to the next.
    seed : int
    trajectory_length : int
        T.
    n_hidden, n_layers : int
        Units of each hidden layer, and how many layers; each time step has a readout
        of its own besides.
    gain : float
        Of the hidden weights at the start, see `ReadoutMLP`.
    rho : float
        Rate of pi.
    schedule : {"binomial", "constant"}
        beta_t = 1/(T-t+1), or the same at each step with the same sum.
    rule : {"Adam", "RMSProp"}
    learning_rate : float
        At the start; it falls to zero along a half cosine.
    batch_size : int
        Sequences, of the five that there are.
    n_draws : int
        Draws of x^t for each sequence and time step.
    n_t_per_minibatch : int
        Time steps of a batch, evenly spaced from a random start, so that none comes
        twice; T-1 of them are all.
    n_steps : int
    share_until : float
        Fraction of the run, 0 to 1, in which neighbouring time steps share readouts:
        first so many of them that a batch visits every readout, then fewer. The layers
        that all times share learn much faster so.
    dtype : {"float32", "float64"}
    """

    save_every = 10_000  # two million readout weights take seconds to save

    dataset: Literal["HEARTBEAT"] = "HEARTBEAT"
    length: Count = 20
    period: Several = 5
    seed: Natural = 0
    trajectory_length: Several = 2000
    n_hidden: Count = 50
    n_layers: Count = 3
    gain: Positive = 4.0
    rho: Between = 0.2
    schedule: Literal[*sorted(SCHEDULES)] = "binomial"
    rule: Literal[*sorted(STEP_RULES)] = "Adam"
    learning_rate: Positive = 2e-2
    batch_size: Count = 5
    n_draws: Count = 10
    n_t_per_minibatch: Count = 50
    n_steps: Count = 200_000
    share_until: Fraction = 0.5
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self):
        super().__post_init__()
        T = self.trajectory_length
        if self.n_t_per_minibatch > T - 1:
            raise ValueError(
                f"n_t_per_minibatch = {self.n_t_per_minibatch} exceeds the {T - 1} "
                f"steps that are learned with T = {T}: lower it"
            )

    def load_data(self) -> Dataset:
        """The data this recipe is for."""
        return load(self.dataset, length=self.length, period=self.period)

    def build_model(self) -> BinomialDiffusion:
        """The model this recipe trains, its parameters not yet initialised."""
        T, n_dim = self.trajectory_length, self.length
        with precision(self.dtype):
            beta = schedule.FixedSchedule(SCHEDULES[self.schedule](T), closed=True)
            network = ReadoutMLP(n_dim, [self.n_hidden] * self.n_layers, T, self.gain)
            return BinomialDiffusion(beta, network, n_dim, self.rho)

    def initialize(self, model, X_train, rng) -> None:
        """Draw the parameters."""
        check_bits(X_train, "training data")
        model.initialize(rng)

    def graph(self, model):
        """The cost, in nats, and its inputs: the data first."""
        n, n_t = self.batch_size, self.n_t_per_minibatch
        X = pt.tensor("X", shape=(n, model.n_dim), dtype=model.dtype)
        shape = (n_t, n * self.n_draws, model.n_dim)
        noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
        t = pt.tensor("t", shape=(n_t,), dtype="int64")
        K = model.get_bound(pt.tile(X, (self.n_draws, 1)), noise, t[:, None])
        return -K.mean(), [X, noise, t]

    def tables(self, model) -> list:
        """Paths of the parameters of which a step uses a few rows: the readouts."""
        readout = model.mlp.readout
        own = set(readout.parameters.values())
        return [path for path, value in model.parameters.items() if value in own]

    def draws(self, step: int, inputs) -> list:
        """Uniform noise, and time steps evenly spaced from a random start."""
        noise, n_t = inputs[0].type, self.n_t_per_minibatch
        n_learned = self.trajectory_length - 1
        start = self.rng(TIME, step).random()
        t = 1 + ((np.arange(n_t) + start) * n_learned / n_t).astype("int64")
        return [self.rng(NOISE, step).random(noise.shape, dtype=noise.dtype), t]

    def step_rule(self):
        """The rule that turns gradients into steps."""
        with precision(self.dtype):
            return STEP_RULES[self.rule](self.learning_rate)

    def block(self, step: int) -> int:
        """How many neighbouring time steps share a readout at a step of the run.

        A fixed number of steps apart, it falls in three stages, each to a quarter.
        """
        largest = (self.trajectory_length - 1) // self.n_t_per_minibatch
        length = self.share_until * self.n_steps / N_STAGES
        stage = N_STAGES if length == 0 else int(step // length)
        return 1 if stage >= N_STAGES else max(1, largest // 4**stage)

    def resume_at(self, model, step: int) -> None:
        """Let readouts be shared as they are at a step of the run."""
        model.mlp.readout.block.set_value(np.int64(self.block(step)))

    def extensions(self, algorithm) -> list:
        """Who shares readouts, how the learning rate falls, and when the run ends."""
        rate = algorithm.step_rule.learning_rate
        falling = half_cosine_extensions(rate, self.learning_rate, self.n_steps)
        return [ShareReadouts(self), *falling]

    def cost_in_bits(self, cost):
        """K in bits, as a progress bar shows it."""
        return -cost / np.log(2)


class ShareReadouts(Extension):
    """Part readouts that were shared: each starts from what its block had learned.

    Parameters
    ----------
    recipe : HeartbeatRecipe
        Says how many share one at a step.
    """

    def __init__(self, recipe):
        super().__init__(every_n_steps=1, before_training=True)
        self.recipe = recipe

    def do(self, main_loop):
        model, step = main_loop.model, main_loop.iterations_done
        readout, recipe = model.mlp.readout, self.recipe
        before = int(readout.block.get_value())
        if step > 0 and recipe.block(step) != before:
            rows = readout.first_of_block()
            for table in main_loop.algorithm.tables:
                table.set_value(table.get_value(borrow=True)[rows], borrow=True)
        recipe.resume_at(model, step)


NAMED = {"paper": HeartbeatRecipe(), "quick": HeartbeatRecipe(n_steps=60_000)}
