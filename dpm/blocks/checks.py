"""Checks of what a user hands in: one clear ValueError before any computing."""

import os

import numpy as np


def check_trajectory_length(T: int) -> int:
    """Return `T` as an int, or raise ValueError unless it is a whole number >= 2."""
    if isinstance(T, bool) or T != T or int(T) != T or T < 2:
        raise ValueError(
            f"trajectory_length T = {T!r}: a trajectory needs a whole number of at "
            "least 2 steps, because the first reverse step is fixed and only the "
            "others are learned"
        )
    check_memory(10 * int(T), f"trajectory_length T = {int(T)}")  # arrays of all steps
    return int(T)


def check_rate(value, name: str = "beta", closed: bool = False):
    """Raise ValueError where numbers leave (0, 1); symbolic values pass unseen.

    Parameters
    ----------
    value : array_like or symbolic variable
        Diffusion rates beta_t, or any other probability.
    name : str
        What to call it in the message.
    closed : bool
        Whether 1 is allowed: a binomial step may erase all signal, as the last step
        of the schedule 1/(T-t+1) does.
    """
    if hasattr(value, "owner"):  # a PyTensor variable: its value is not known yet
        return value
    numbers = np.asarray(value, dtype=float)
    inside = (numbers > 0) & ((numbers <= 1) if closed else (numbers < 1))
    if not inside.all():
        interval = "(0, 1]" if closed else "(0, 1)"
        raise ValueError(
            f"{name} = {numbers[~inside].flat[0]:g} lies outside {interval}: {name} "
            "is the fraction of a step's variance (or of its bits) that is replaced "
            "by noise; choose a value inside the interval"
        )
    return value


def check_broadcast(**arguments) -> None:
    """Raise ValueError, by name, where arguments have shapes that do not broadcast.

    Of a symbolic variable only what is known of its shape is looked at.
    """
    shapes = {name: _known_shape(value) for name, value in arguments.items()}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"these shapes do not broadcast against each other: {listed}; make every "
            "axis, counted from the last, equal or 1"
        ) from None


def _known_shape(value) -> tuple:
    """Shape of an array or a symbolic variable, with 1 where it is not known yet."""
    if hasattr(value, "owner"):
        return tuple(1 if n is None else n for n in value.type.shape)
    return np.shape(value)


def check_choice(value, choices, name: str):
    """Return `value`, or raise ValueError that lists the choices."""
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"unknown {name} {value!r}: there are {listed}")
    return value


def check_count(value, name: str, least: int = 0) -> int:
    """Return `value` as an int, or raise ValueError unless it is whole and >= least."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} = {value!r}: it must be a whole number")
    if value < least:
        raise ValueError(f"{name} = {value}: it must be at least {least}")
    return int(value)


def check_memory(n_numbers: int, what: str) -> None:
    """Raise ValueError where so many doubles do not fit the memory of this machine.

    Parameters
    ----------
    n_numbers : int
    what : str
        What they are for, to be named in the message.
    """
    needed, there = n_numbers * 8 / 2**30, _memory() / 2**30
    if needed > there:
        raise ValueError(
            f"{what} needs {needed:.3g} GiB of memory, and this machine has "
            f"{there:.0f}: make it smaller"
        )


def _memory() -> float:
    """Bytes of memory of this machine; no bound where it does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return np.inf


def check_positive(value, name: str) -> None:
    """Raise ValueError unless a number is positive and finite."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name} = {value!r}: it must be positive")


def check_data(X, n_dim: int, name: str = "data") -> np.ndarray:
    """Return `X` as an array (n, n_dim) of finite numbers, or raise ValueError."""
    try:
        X = np.asarray(X)
        finite = np.isfinite(X)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} of type {type(X).__name__} is not an array of numbers: give an "
            f"array of shape (n, {n_dim})"
        ) from None
    if X.ndim != 2 or X.shape[1] != n_dim or len(X) == 0:
        raise ValueError(
            f"{name} has shape {X.shape}, but this model takes (n, {n_dim}) with "
            "n >= 1: reshape the data, or build the model with n_dim to match"
        )
    if not finite.all():
        row = int(np.argwhere(~finite)[0, 0])
        raise ValueError(
            f"{name} holds {X[row][~finite[row]][0]} in row {row} "
            f"({int((~finite).any(axis=1).sum())} such rows): remove or repair them"
        )
    return X


def check_bits(X, name: str = "X"):
    """Raise ValueError unless `X` is an array (batch, n_dim) of zeros and ones.

    Symbolic values pass unseen.
    """
    if hasattr(X, "owner"):
        return X
    X = np.asarray(X)
    if X.ndim != 2 or X.size == 0:
        raise ValueError(
            f"{name} has shape {X.shape}: give bits of shape (batch, n_dim)"
        )
    wrong = ~((X == 0) | (X == 1))
    if wrong.any():
        raise ValueError(f"{name} holds {X[wrong].flat[0]}: bits are 0 or 1")
    return X


def as_rng(rng):
    """A source of draws: a Generator or RandomState as it is, one made from a seed."""
    drawing = hasattr(rng, "standard_normal") or hasattr(rng, "random")
    return rng if drawing else np.random.default_rng(rng)
