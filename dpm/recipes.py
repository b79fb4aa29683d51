"""All the choices of a run in one place, and the random draws that follow from them."""

import dataclasses

import numpy as np

from dpm import datasets, schedule
from dpm.algorithms import STEP_RULES
from dpm.checks import check_rate, check_trajectory_length
from dpm.gaussian_diffusion import GaussianDiffusion
from dpm.regression import RBFNetwork

INITIALIZE, SHUFFLE, NOISE, TIME = range(4)  # what a stream of draws is for


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All the choices of a run. The defaults are the paper's swiss roll (D.1.1).

    Attributes
    ----------
    dataset : str
        A name of `dpm.datasets.DATASETS`.
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
        for name, choices in (
            ("dataset", datasets.DATASETS),
            ("rule", STEP_RULES),
            ("schedule", {"learned", "log_snr", "baseline"}),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}: "
                    f"there are {', '.join(sorted(choices))}"
                )
        for name in ("n_hidden", "batch_size", "n_steps", "width", "learning_rate"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise ValueError(f"{name} = {value!r}: it must be positive")
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

    def rng(self, purpose: int, number: int = 0) -> np.random.Generator:
        """The generator of draw `number` of one purpose."""
        return np.random.default_rng([self.seed, purpose, number])


RECIPES = {
    "paper": Recipe(),
    "wide": Recipe(
        trajectory_length=100,
        n_hidden=128,
        learning_rate=1e-2,
        batch_size=16,
        n_steps=32_000,
    ),
}


def check_recipe(recipe: Recipe, meta: dict) -> None:
    """Raise ValueError unless the run described by `meta` was of this recipe."""
    saved, wanted = meta.get("recipe", {}), dataclasses.asdict(recipe)
    different = [k for k in wanted if saved.get(k) != wanted[k]]
    if different:
        k = different[0]
        raise ValueError(
            f"the checkpoint was trained with {k} = {saved.get(k)!r}, but "
            f"{wanted[k]!r} is asked for: use the same settings to resume it, or "
            "another --output-dir for a new run"
        )
