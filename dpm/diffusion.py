"""What every diffusion of vectors shares: a schedule, a regression, and the bound K.

The two columns of Table App.1 are `dpm.gaussian_diffusion` and
`dpm.binomial_diffusion`. Draws enter explicitly: every method is a pure function of
data, time and noise.
"""

import pytensor.tensor as pt

from dpm import bound
from dpm.bricks import Brick


class VectorDiffusion(Brick):
    """A diffusion of vectors; a family says what a step is.

    A family brings ``kernels``, ``prior``, ``reverse_step``, ``first_step``, ``get_KL``
    and ``entropies``.

    Parameters
    ----------
    schedule : Brick
        Has ``beta_arr`` and ``trajectory_length``.
    regression : Brick
        Its ``apply(X, t)`` perturbs the forward kernel at X (n_t, batch, n_dim).
    n_dim : int
        Dimensions of a sample.
    """

    def __init__(self, schedule, regression, n_dim: int, name="diffusionmodel"):
        super().__init__(name)
        self.schedule = schedule
        self.mlp = regression
        self.n_dim = n_dim
        self.trajectory_length = schedule.trajectory_length
        self.children = [schedule, regression]
        self.beta_arr = schedule.beta_arr

    def _at(self, array, t):
        """Entries of a (T,) vector at t, ready to broadcast over (n_t, batch, n_dim).

        t = None stands for every learned step, 1..T-1.
        """
        return (array[1:] if t is None else array[t])[:, None, None]

    def _one_before(self, array, t):
        """`_at` one step earlier."""
        earlier = pt.arange(self.trajectory_length - 1) if t is None else t - 1
        return self._at(array, earlier)

    def get_beta_forward(self, t=None):
        """beta of the forward steps at time indices `t` (n_t,), shape (n_t, 1, 1)."""
        return self._at(self.beta_arr, t)

    @property
    def sample_shape(self) -> tuple:
        """Shape of one sample on its way through a trajectory."""
        return (self.n_dim,)

    def get_bound(self, X_noiseless, noise, t=None):
        """K of Eq. 14 for each sample, in nats, shape (batch,).

        Exact over t when `t` is left out; an unbiased estimate when `t` holds time
        indices drawn uniformly from 1..T-1.
        """
        n_terms = None if t is None else self.trajectory_length - 1
        KL = self.get_KL(X_noiseless, noise, t)
        return bound.lower_bound(KL, self.entropies(X_noiseless), n_terms)

    def cost(self, X_noiseless, noise, t=None):
        """What training lowers: minus K, averaged over the batch, in nats."""
        return -self.get_bound(X_noiseless, noise, t).mean()
