"""The heartbeat's network: a sigmoid MLP shared by all times, a readout for each."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.bricks import MLP, Brick
from dpm.regression import TemporalReadout


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
