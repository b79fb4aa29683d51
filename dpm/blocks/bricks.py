"""The little of Blocks that the port needs: bricks with named parameters.

A brick has a name, children and parameters. Parameters enter by one door,
`Brick.add_parameter`, are born as NaN so that a forgotten initialisation shows, and
are known by their path, such as ``swiss_roll/rbf.centers``.
"""

import contextlib
import math
from contextvars import ContextVar

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.backend import aligned
from dpm.blocks.checks import check_count, check_memory


class IsotropicGaussian:
    """Initialise with independent normal draws of standard deviation `std`."""

    def __init__(self, std: float = 1.0):
        self.std = std

    def __call__(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return self.std * rng.standard_normal(shape)


class Constant:
    """Initialise with a number, or with an array of the parameter's shape."""

    def __init__(self, value):
        self.value = value

    def __call__(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return np.broadcast_to(self.value, shape)


class Orthogonal:
    """Initialise with a random matrix whose shorter side is orthonormal.

    Saxe, McClelland and Ganguli, 2014.
    """

    def __call__(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        Q, R = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        Q *= np.sign(np.diag(R))  # without this Q would not be uniformly distributed
        return Q if shape[0] >= shape[1] else Q.T


class Brick:
    """A named piece of a model that owns parameters and child bricks.

    Parameters
    ----------
    name : str
        The brick's own part of its parameters' paths.

    Attributes
    ----------
    children : list of Brick
    dtype : str
        ``pytensor.config.floatX`` at the time the brick was made.
    """

    def __init__(self, name: str):
        self.name = name
        self.children: list[Brick] = []
        self.dtype = pytensor.config.floatX
        self._own: dict[str, tuple] = {}

    def add_parameter(self, name: str, shape: tuple, initializer):
        """Make a shared variable of NaNs that `initialize` will fill.

        Parameters
        ----------
        name : str
            Unique within the brick.
        shape : tuple of int
        initializer : callable
            Called with a NumPy Generator and the shape, gives the first value.

        Returns
        -------
        shared variable
        """
        n = math.prod(check_count(length, "a size") for length in shape)
        _take(n, f"parameter {self.name}.{name}")
        check_memory(n, f"parameter {self.name}.{name} of shape {shape}")
        value = np.full(shape, np.nan, dtype=self.dtype)
        variable = pytensor.shared(value, name=f"{self.name}.{name}", shape=shape)
        self._own[name] = (variable, initializer)
        return variable

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw every parameter of this brick and its children, in a fixed order."""
        for variable, initializer in self._own.values():
            shape = variable.get_value(borrow=True).shape
            variable.set_value(np.array(initializer(rng, shape), dtype=self.dtype))
        for child in self.children:
            child.initialize(rng)

    @property
    def parameters(self) -> dict:
        """Shared variables of this brick and its children, by path."""
        found = {f"{self.name}.{key}": pair[0] for key, pair in self._own.items()}
        for child in self.children:
            for path, variable in child.parameters.items():
                found[f"{self.name}/{path}"] = variable
        return found

    def get_parameter_values(self) -> dict:
        """Copies of all parameter values, by path."""
        return {path: np.array(v.get_value()) for path, v in self.parameters.items()}

    def set_parameter_values(self, values: dict) -> None:
        """Set all parameters, or none and raise ValueError.

        Parameters
        ----------
        values : dict
            One finite array for each path in `parameters`, of its shape.
        """
        parameters = self.parameters
        missing = sorted(parameters.keys() - values.keys())
        unknown = sorted(values.keys() - parameters.keys())
        if missing or unknown:
            raise ValueError(
                f"these parameters are not those of '{self.name}': "
                f"missing {missing}, unknown {unknown}; build the model with the "
                "settings the values were saved with"
            )
        for path, variable in parameters.items():
            shape = variable.get_value(borrow=True).shape
            given = np.asarray(values[path])
            if given.dtype.kind not in "fiu":
                raise ValueError(f"parameter {path} of type {given.dtype} is no number")
            if given.shape != shape:
                raise ValueError(
                    f"parameter {path} has shape {given.shape}, but this model's has "
                    f"{shape}: build the model with the settings it was saved with"
                )
            if not np.isfinite(given).all():
                raise ValueError(f"parameter {path} holds NaN or infinite values")
        for path, variable in parameters.items():
            variable.set_value(aligned(values[path], self.dtype), borrow=True)


_room: ContextVar = ContextVar("room", default=math.inf)


@contextlib.contextmanager
def room_for(n_numbers: int):
    """Inside, bricks may make so many parameters and no more.

    Settings out of a file may ask for anything; its arrays say how much there is.
    """
    token = _room.set(n_numbers)
    try:
        yield
    finally:
        _room.reset(token)


def _take(n_numbers: int, what: str) -> None:
    """Take room for parameters, or raise ValueError if there is none."""
    left = _room.get() - n_numbers
    if left < 0:
        raise ValueError(
            f"{what} has more numbers than the file holds: its settings and its arrays "
            "do not belong together; copy it again from where it came"
        )
    _room.set(left)


class Linear(Brick):
    """X W + b.

    Parameters
    ----------
    n_in, n_out : int
    weights_init : callable
        The biases start at zero.
    """

    def __init__(self, n_in: int, n_out: int, weights_init, name="linear"):
        super().__init__(name)
        self.W = self.add_parameter("W", (n_in, n_out), weights_init)
        self.b = self.add_parameter("b", (n_out,), Constant(0.0))

    def apply(self, X):
        """Map X (..., n_in) to (..., n_out)."""
        return X @ self.W + self.b


def no_dropout(X):
    """What `apply` does to the input of each layer when no dropout is asked for."""
    return X


class Dropout:
    """Sets random inputs of every layer to zero, and scales up those that stay.

    Parameters
    ----------
    rate : float
        Probability of each number to be dropped.

    Attributes
    ----------
    masks : list of symbolic variables
        Made as layers are met; each wants uniform draws from [0, 1).

    Notes
    -----
    Reference: ``apply_dropout`` of Blocks. Srivastava et al., 2014.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.masks: list = []

    def __call__(self, X):
        mask = pt.tensor("dropout", shape=X.type.shape, dtype=X.dtype)
        self.masks.append(mask)
        return pt.switch(mask < self.rate, 0.0, X / (1.0 - self.rate))


class MLP(Brick):
    """Linear layers, each followed by its nonlinearity.

    Parameters
    ----------
    activations : list of callable
        One a layer.
    dims : list of int
        Sizes of the input and of each layer's output.
    weights_init : callable
    """

    def __init__(self, activations, dims, weights_init, name="mlp"):
        super().__init__(name)
        self.activations = activations
        self.children = [
            Linear(n_in, n_out, weights_init, f"linear_{i}")
            for i, (n_in, n_out) in enumerate(zip(dims[:-1], dims[1:], strict=True))
        ]

    def apply(self, X, drop=no_dropout):
        """Map X (..., dims[0]) to (..., dims[-1])."""
        for linear, activation in zip(self.children, self.activations, strict=True):
            X = activation(linear.apply(drop(X)))
        return X
