"""What every diffusion shares: a schedule, a regression, and the bound K.

The two columns of Table App.1 are `dpm.gaussian_diffusion` and
`dpm.binomial_diffusion`; `dpm.model` makes the first a model of images. Draws enter
explicitly: every method is a pure function of data, time and noise.
"""

import functools

import pytensor.tensor as pt

from dpm import bound
from dpm.backend import precision
from dpm.bricks import Brick


def in_precision(method):
    """Build the graph of a method in the floating point type of its model."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with precision(self.dtype):
            return method(self, *args, **kwargs)

    return wrapped


class VectorDiffusion(Brick):
    """A diffusion of vectors; a family says what a step is.

    A family brings ``kernels``, ``prior``, ``reverse_step``, ``first_step``,
    ``divergences``, ``entropies`` and ``null_log_likelihood``.

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

    def at(self, array, t):
        """Entries of a (T,) vector at t, ready to broadcast over (n_t, batch, n_dim).

        t = None stands for every learned step, 1..T-1.
        """
        return (array[1:] if t is None else array[t])[:, None, None]

    def one_before(self, array, t):
        """`at` one step earlier."""
        earlier = pt.arange(self.trajectory_length - 1) if t is None else t - 1
        return self.at(array, earlier)

    def get_beta_forward(self, t=None):
        """beta of the forward steps at time indices `t` (n_t,), shape (n_t, 1, 1)."""
        return self.at(self.beta_arr, t)

    @property
    def sample_shape(self) -> tuple:
        """Shape of one sample on its way through a trajectory."""
        return (self.n_dim,)

    def arrange(self, X_noiseless, noise, t):
        """Data, noise and time as the steps take them: X (n_t, batch, n_dim), t (n_t,).

        One time for the whole batch is seen from a last axis of `t` that is 1; where
        each sample has its own, samples are arranged as batches of one.
        """
        if t is None:
            return X_noiseless, noise, None
        t = pt.as_tensor(t)
        if t.ndim == 0 or t.type.shape[-1] == 1:
            noise = noise if noise.ndim == 3 else noise[None]
            return X_noiseless, noise, pt.atleast_2d(t)[:, 0]
        X = pt.broadcast_to(X_noiseless, noise.shape)
        one_each = (-1, 1, self.n_dim)
        t = pt.broadcast_to(t, noise.shape[:-1]).flatten()
        return X.reshape(one_each), noise.reshape(one_each), t

    @in_precision
    def get_KL(self, X_noiseless, noise, t=None):
        """The divergences inside Eq. 14, in nats per sample.

        Parameters
        ----------
        X_noiseless : symbolic, shape (batch, *sample_shape)
        noise : symbolic, shape (..., batch, *sample_shape)
            Draws of the family, with no axis or one in front, for several a sample.
        t : symbolic or array_like of int, optional
            Time indices in 1..T-1 that broadcast against (..., batch). One a sample;
            (n_t, 1) is one for the whole batch in each of n_t draws. Left out, every
            learned step in turn: np.arange(1, T)[:, None].

        Returns
        -------
        symbolic, shape (..., batch)
        """
        KL = self.divergences(*self.arrange(X_noiseless, noise, t))
        if noise.ndim == 2:
            return KL.flatten()
        return KL.reshape(noise.shape[:-1]) if KL.type.shape[-1] == 1 else KL

    @in_precision
    def get_bound(self, X_noiseless, noise, t=None, **more):
        """K of Eq. 14 for each sample, in nats, shape (batch,).

        T-1 times the mean over the draws of `get_KL`, which takes the arguments, stands
        for the sum. It is exact over t where every learned step is drawn once, as
        without `t`, and unbiased where t is drawn uniformly.
        """
        KL = self.get_KL(X_noiseless, noise, t, **more)
        KL = KL if KL.ndim == 2 else KL[None]
        n_terms = None if t is None else self.trajectory_length - 1
        return bound.lower_bound(KL, self.entropies(X_noiseless), n_terms)
