"""The functions that are learned: what one reverse step needs to know of x^t."""

import numpy as np
import pytensor.tensor as pt
from sklearn.cluster import KMeans

from dpm.bricks import Brick, Constant, IsotropicGaussian


class NormalizedRBF(Brick):
    """Radial basis functions that sum to one, shared by all time steps.

    .. math:: h_j(x) = \\frac{\\exp(-|x - c_j|^2 / 2 w_j^2)}
        {\\sum_k \\exp(-|x - c_k|^2 / 2 w_k^2)}

    Parameters
    ----------
    n_dim : int
        Dimensions of x.
    n_hidden : int
        Number of functions.
    width : float
        Where the widths w_j start; centres start as standard normal draws.
    """

    def __init__(self, n_dim: int, n_hidden: int, width: float = 0.1, name="rbf"):
        super().__init__(name)
        self.centers = self.add_parameter(
            "centers", (n_hidden, n_dim), IsotropicGaussian(1.0)
        )
        self.log_width = self.add_parameter(
            "log_width", (n_hidden,), Constant(np.log(width))
        )

    def apply(self, X):
        """Map X (..., n_dim) to hidden activities (..., n_hidden)."""
        distance2 = ((X[..., None, :] - self.centers) ** 2).sum(axis=-1)
        return pt.special.softmax(-0.5 * distance2 * pt.exp(-2 * self.log_width), -1)


class TemporalReadout(Brick):
    """A linear layer of its own for every time step but the first.

    Row ``t-1`` of the weights serves time index t in 1..T-1: the first reverse step
    is not learned.
    """

    def __init__(self, trajectory_length: int, n_hidden: int, n_out: int, name):
        super().__init__(name)
        n_steps = trajectory_length - 1
        self.W = self.add_parameter(
            "W", (n_steps, n_hidden, n_out), IsotropicGaussian(0.01)
        )
        self.b = self.add_parameter("b", (n_steps, 1, n_out), Constant(0.0))

    def apply(self, H, t=None):
        """Map H (n_t, batch, n_hidden) to (n_t, batch, n_out).

        `t` is a vector of n_t time indices in 1..T-1; None means all of them.
        """
        W, b = (self.W, self.b) if t is None else (self.W[t - 1], self.b[t - 1])
        return H @ W + b


class RBFNetwork(Brick):
    """The network of Appendix D.1.1: one hidden layer, a readout per time step.

    Parameters
    ----------
    n_dim, n_hidden, trajectory_length : int
    width : float
        Where the widths of the radial basis functions start.
    """

    def __init__(self, n_dim, n_hidden, trajectory_length, width=0.1, name="mlp"):
        super().__init__(name)
        self.n_dim = n_dim
        self.rbf = NormalizedRBF(n_dim, n_hidden, width)
        self.readout = TemporalReadout(
            trajectory_length, n_hidden, 2 * n_dim, name="readout"
        )
        self.children = [self.rbf, self.readout]

    def apply(self, X, t=None):
        """Coefficients of mean and covariance for X (n_t, batch, n_dim).

        Returns
        -------
        mu_coeff, beta_coeff : symbolic, both (n_t, batch, n_dim)
        """
        Z = self.readout.apply(self.rbf.apply(X), t)  # (n_t, batch, 2 * n_dim)
        return Z[..., : self.n_dim], Z[..., self.n_dim :]

    def place_centers(self, X, rng: np.random.Generator) -> None:
        """Move the centres to the k-means of the data `X` (n, n_dim).

        Spread over the data from the start, they need not travel there by gradient;
        the usual way to begin a radial basis network (Moody and Darken, 1989).
        """
        seed = int(rng.integers(2**31))
        k_means = KMeans(
            len(self.rbf.centers.get_value()), n_init=10, random_state=seed
        )
        centers = k_means.fit(X).cluster_centers_
        self.rbf.centers.set_value(centers.astype(self.dtype))
