"""The networks of the toys: what one reverse step needs to know of x^t.

Radial basis functions for the swiss roll, a sigmoid MLP for the heartbeat. Both are
shared by all times, and have a readout for each.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.bricks import MLP, Brick, Constant, IsotropicGaussian


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

    Parameters
    ----------
    trajectory_length, n_hidden, n_out : int
    std : float
        Of the normal draws that the weights start from.
    """

    def __init__(
        self, trajectory_length: int, n_hidden: int, n_out: int, name, std: float = 0.01
    ):
        super().__init__(name)
        n_steps = trajectory_length - 1
        self.W = self.add_parameter(
            "W", (n_steps, n_hidden, n_out), IsotropicGaussian(std)
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
        from sklearn.cluster import KMeans  # slow to import
        from threadpoolctl import threadpool_limits

        seed = int(rng.integers(2**31))
        k_means = KMeans(
            len(self.rbf.centers.get_value()), n_init=10, random_state=seed
        )
        # The last digits depend on the number of threads, and training on every digit.
        # For so few points threads cost more than they bring.
        with threadpool_limits(1):
            centers = np.round(k_means.fit(X).cluster_centers_, 8)
        self.rbf.centers.set_value(centers.astype(self.dtype))


def centred_gaussian(gain: float):
    """Initialise weights (n_in, n_out) with deviation gain / sqrt(n_in)."""

    def draw(rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return gain / np.sqrt(shape[0]) * rng.standard_normal(shape)

    return draw


class SharedReadout(TemporalReadout):
    """A readout per time step, that neighbours may share while training begins.

    Attributes
    ----------
    block : shared int
        How many neighbouring time steps use the same readout, that of the first of
        them. 1 when training ends: every step has its own.
    """

    def __init__(self, trajectory_length: int, n_hidden: int, n_out: int, name):
        super().__init__(trajectory_length, n_hidden, n_out, name, std=0.0)
        self.block = pytensor.shared(np.int64(1), name="block")

    def apply(self, H, t=None):
        """Map H (n_t, batch, n_hidden) to (n_t, batch, n_out), as its parent does."""
        t = pt.arange(1, self.W.type.shape[0] + 1) if t is None else t
        row = (t - 1) // self.block * self.block
        return H @ self.W[row] + self.b[row]

    def first_of_block(self) -> np.ndarray:
        """For every row, the row that is used in its place."""
        block = int(self.block.get_value())
        return np.arange(self.W.type.shape[0]) // block * block


class ReadoutMLP(Brick):
    """The network of Appendix D.1.2: sigmoid layers and a readout per time step.

    The readouts start at zero: an untrained network perturbs nothing.

    Parameters
    ----------
    n_dim : int
        Inputs, and outputs.
    n_hidden : sequence of int
        Units of each hidden layer.
    trajectory_length : int
    gain : float
        Of the hidden weights at the start. The slope of a sigmoid is at most 1/4, so
        that a gain near 4 carries differences through the layers.
    """

    def __init__(self, n_dim, n_hidden, trajectory_length, gain=4.0, name="mlp"):
        super().__init__(name)
        self.n_dim = n_dim
        self.hidden = MLP(
            [pt.sigmoid] * len(n_hidden),
            [n_dim, *n_hidden],
            centred_gaussian(gain),
            name="hidden",
        )
        self.readout = SharedReadout(
            trajectory_length, n_hidden[-1], n_dim, name="readout"
        )
        self.children = [self.hidden, self.readout]

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the weights; the biases cancel an input of one half in each unit.

        The activities of a sigmoid layer lie around one half. Without the biases the
        next layer would see mostly that, and saturate.
        """
        super().initialize(rng)
        for linear in self.hidden.children[1:]:
            b = -0.5 * linear.W.get_value().sum(axis=0)
            linear.b.set_value(b.astype(self.dtype))

    def apply(self, X, t=None):
        """Shift of each bit's log odds, for X (n_t, batch, n_dim) of that shape.

        `t` is a vector of n_t time indices in 1..T-1; None means all of them.
        """
        flat = X.reshape((-1, self.n_dim))  # one matrix product for all times
        H = self.hidden.apply(flat)
        return self.readout.apply(H.reshape((*X.shape[:-1], -1)), t)
