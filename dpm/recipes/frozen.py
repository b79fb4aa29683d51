"""Training by SFO: a model's cost as a sum of functions with frozen noise.

SFO takes differences of gradients for curvature, so each of its functions must give
the same answer twice. A minibatch's cost does, once its draws are held fixed: the
noise, and the time steps where not all are visited (Section 2.4.1). Freezing has a
price. The parameters can fit the draws as well as the data, so what counts is K on
data not seen, with fresh noise; more draws for each point lower that price.
"""

import dataclasses

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.backend import precision
from dpm.blocks.checks import check_count, check_data
from dpm.recipes.base import INITIALIZE, SHUFFLE
from dpm.sfo.sfo import SFO


class FrozenCosts:
    """Costs of the minibatches of a training set, each with its own frozen draws.

    An instance is the ``f_df`` of `dpm.sfo.sfo.SFO`; its functions are compiled once.

    Parameters
    ----------
    recipe : SwissRollRecipe or ImageRecipe
        Says what the model is, what its cost draws, and how it starts. What it says
        of step rules and batch sizes is not used.
    X_train : ndarray, shape (n, n_dim)
        Points left over by the division into equal minibatches are not used.
    n_minibatches : int
        N.
    n_draws : int
        Frozen draws for each point; a minibatch holds each of its points so often.

    Attributes
    ----------
    model : GaussianDiffusion or DiffusionModel
        Holds the parameters of the last evaluation.
    theta_init : dict of ndarray
        By path; the same as the recipe's main loop would start from.
    minibatches : list of tuple
        The subfunction references: what the compiled cost is given.
    """

    def __init__(self, recipe, X_train, n_minibatches: int, n_draws: int = 1):
        check_count(n_minibatches, "n_minibatches", 1)
        check_count(n_draws, "n_draws", 1)
        self.model = model = recipe.build_model()
        self.X = check_data(X_train, model.n_dim, "training data")
        size = len(self.X) // n_minibatches
        if size == 0:
            raise ValueError(
                f"n_minibatches = {n_minibatches} exceeds the {len(self.X)} training "
                "samples: lower it"
            )
        self.n_draws = n_draws
        self.recipe = dataclasses.replace(recipe, batch_size=size * n_draws)
        self.recipe.initialize(model, self.X, self.recipe.rng(INITIALIZE))
        self.theta_init = model.get_parameter_values()
        order = self.recipe.rng(SHUFFLE).permutation(len(self.X))
        self._rows = order[: size * n_minibatches].reshape(n_minibatches, size)
        with precision(model.dtype):
            cost, self._inputs = self.recipe.graph(model)
            gradients = pt.grad(cost, list(model.parameters.values()))
            self._compute = pytensor.function(self._inputs, [cost, *gradients])
        self.minibatches = [self.minibatch(i) for i in range(n_minibatches)]

    def minibatch(self, i: int, freeze: int = 0) -> tuple:
        """Minibatch i with its draws; other draws for every other number `freeze`."""
        X = np.tile(self.X[self._rows[i]], (self.n_draws, 1)).astype(self.model.dtype)
        step = i + freeze * len(self._rows)
        return X, *self.recipe.draws(step, self._inputs[1:])

    def __call__(self, theta: dict, minibatch: tuple) -> tuple[float, dict]:
        """The cost of a minibatch, in the recipe's units, and its gradient by path."""
        self.model.set_parameter_values(theta)
        cost, *gradients = self._compute(*minibatch)
        return float(cost), dict(zip(self.model.parameters, gradients, strict=True))

    def optimizer(self, **settings) -> SFO:
        """An SFO of the sum of these costs; `settings` are its keyword arguments."""
        return SFO(self, self.theta_init, self.minibatches, **settings)

    def refreeze(self, optimizer: SFO, freeze: int) -> None:
        """Give every minibatch of a running SFO other draws; its curvatures stay."""
        for i in range(len(self.minibatches)):
            self.minibatches[i] = self.minibatch(i, freeze)
            optimizer.replace_subfunction(i, self.minibatches[i])
