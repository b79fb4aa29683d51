"""What all recipes share: the draws of a run, and how its parts are put together.

A recipe is all the choices of a run in one place. It knows how to build its model, what
its steps draw, and by which rule they go.
"""

import numpy as np

from dpm.blocks.algorithms import GradientDescent
from dpm.blocks.average import MovingAverage
from dpm.blocks.backend import precision
from dpm.blocks.checks import check_data
from dpm.blocks.devices import check_even
from dpm.blocks.extensions import FinishAfter, SharedVariableModifier
from dpm.blocks.main_loop import DataStream, MainLoop
from dpm.blocks.settings import check_settings, declared

INITIALIZE, SHUFFLE, NOISE, TIME, UNIFORM, DROPOUT = range(6)  # what draws are for
SYMMETRY, PAINT = 6, 7


class BaseRecipe:
    """What all recipes share.

    A recipe is a frozen dataclass with ``dataset``, ``seed`` and ``batch_size`` that
    brings ``load_data``, ``build_model``, ``initialize``, ``graph``, ``draws``,
    ``step_rule``, ``extensions`` and ``cost_in_bits``. The annotations of its fields
    say what each may be, see `dpm.blocks.settings`.
    """

    cost_name, cost_unit = "K", "bits"  # as progress is shown
    save_every = 1000  # steps between checkpoints
    ema = 0.0  # decay of the average of the parameters that is kept; 0 for none
    fresh = False  # whether each step has samples that no other has

    def __post_init__(self):
        check_settings(vars(self), declared(type(self)))

    def for_data(self, dataset) -> "BaseRecipe":
        """This recipe with the settings that follow from the data: most have none."""
        return self

    def tables(self, model) -> list:
        """Paths of the parameters of which a step uses a few rows; see algorithms."""
        return []

    def resume_at(self, model, step: int) -> None:
        """Put a model into the state that it has after so many steps, parameters apart.

        Most have none.
        """

    def changed(self, X, step: int) -> np.ndarray:
        """The data of a step as it has them: most take them as they are."""
        return X

    def gradients(self, model):
        """`graph`, and the cost's gradients by the parameters, or None: not yet taken.

        Most leave them to `dpm.blocks.algorithms.GradientDescent`.
        """
        return *self.graph(model), None

    def rng(self, purpose: int, number: int = 0) -> np.random.Generator:
        """The generator of draw `number` of one purpose."""
        return np.random.default_rng([self.seed, purpose, number])

    def initialized_model(self, X_train):
        """The model, its parameters drawn; ValueError for data that do not fit."""
        model = self.build_model()
        X_train = check_data(X_train, model.n_dim, "training data")
        check_batch_size(self, X_train)
        self.initialize(model, X_train, self.rng(INITIALIZE))
        return model

    def main_loop(self, X_train, extensions=(), model=None, paint=None) -> MainLoop:
        """A main loop, ready to run.

        Parameters
        ----------
        X_train : ndarray, shape (n, n_dim)
        extensions : list of Extension
            Called in this order, after those that the recipe itself brings.
        model : Brick, optional
            From `initialized_model`, whose parameters may have changed since.
        paint : callable, optional
            `Dataset.paint`, which a recipe with ``fresh`` needs.
        """
        if self.fresh and paint is None:
            raise ValueError("fresh = True: give paint, which makes samples anew")
        if model is None:
            model = self.initialized_model(X_train)
        with precision(model.dtype):
            cost, inputs, gradients = self.gradients(model)
            average = MovingAverage(self.ema, model.parameters) if self.ema else None
            given = model.parameters, self.step_rule(), inputs, self.tables(model)
            algorithm = GradientDescent(cost, *given, average, gradients)
        paint = paint if self.fresh else None
        stream = RecipeStream(self, X_train, model.dtype, inputs, paint)
        own = self.extensions(algorithm)
        return MainLoop(algorithm, stream, model, [*own, *extensions])


class RecipeStream(DataStream):
    """The minibatches of a recipe, each with what its step draws.

    Parameters
    ----------
    recipe : BaseRecipe
    X_train : ndarray, shape (n, n_dim)
    dtype : str
    inputs : list of symbolic variables
        Of the cost: the data first.
    paint : callable, optional
        Gives n new samples, ``paint(n, rng)``, in place of rows of X_train.
    """

    def __init__(self, recipe, X_train, dtype, inputs, paint=None):
        self.recipe, self.X_train, self.dtype = recipe, X_train, dtype
        self.inputs, self.paint = inputs, paint
        self._epoch = None

    def batch(self, step: int) -> np.ndarray:
        """The data of one step: the training set in a new order each epoch.

        Or, with `paint`, samples that no other step has; either as the recipe wants
        them changed.
        """
        size = self.recipe.batch_size
        if self.paint is not None:
            painted = self.paint(size, self.recipe.rng(PAINT, step))
            return self.recipe.changed(painted, step)
        epoch, number = divmod(step, len(self.X_train) // size)
        if self._epoch != epoch:
            self._epoch = epoch
            self._order = self.recipe.rng(SHUFFLE, epoch).permutation(len(self.X_train))
        rows = self._order[number * size : (number + 1) * size]
        return self.recipe.changed(self.X_train[rows], step)

    def draws(self, step: int) -> list:
        """What one step draws besides its data: noise, time steps, and so on."""
        return self.recipe.draws(step, self.inputs[1:])

    def get_data(self, step: int) -> list:
        """The arrays of one step, in the order of the cost's inputs."""
        return [self.batch(step).astype(self.dtype), *self.draws(step)]


def check_batch_size(recipe, X_train) -> None:
    """Raise ValueError unless the data fill a batch, which the devices can share."""
    if len(X_train) < recipe.batch_size:
        raise ValueError(
            f"batch_size = {recipe.batch_size} exceeds the {len(X_train)} "
            "training samples: lower it"
        )
    check_even(recipe.batch_size * getattr(recipe, "n_draws", 1))


def half_cosine_extensions(rate, learning_rate: float, n_steps: int) -> list:
    """Let a learning rate fall to zero along a half cosine, and end there.

    Parameters
    ----------
    rate : shared scalar
    learning_rate : float
        At the start.
    n_steps : int
    """

    def half_cosine(iteration, old_value):
        phase = np.pi * min(iteration, n_steps) / n_steps
        return 0.5 * learning_rate * (1 + np.cos(phase))

    every_step = SharedVariableModifier(rate, half_cosine, 1, before_training=True)
    return [every_step, FinishAfter(n_steps)]
