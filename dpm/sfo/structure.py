"""Nested parameters as one vector, and back: how an optimiser sees theta.

`dpm.sfo.sfo` thinks of its parameters as a point in R^M; the functions it minimises may
hold them in arrays, or in dicts, lists and tuples of arrays.
"""

import numpy as np


class Structure:
    """The nesting, shapes and types of one set of parameters.

    Parameters
    ----------
    theta : ndarray, number, or nested dict, list or tuple of these

    Attributes
    ----------
    names : list of str
        Where each array stands, as one would index it: ``theta['W'][0]``.
    slices : list of slice
        Which part of the vector each array fills.
    size : int
        M, the length of the vector.
    """

    def __init__(self, theta, name: str = "theta"):
        self.template = theta
        self.name = name
        self.names, self.slices, self.size = [], [], 0
        for path, leaf in _leaves(theta, name):
            array = np.asarray(leaf)
            if array.dtype.kind not in "fiub":
                raise ValueError(
                    f"{path} of type {type(leaf).__name__} is not an array of real "
                    "numbers: give arrays, or dicts, lists and tuples of arrays"
                )
            self.names.append(path)
            self.slices.append(slice(self.size, self.size + array.size))
            self.size += array.size
        if self.size == 0:
            raise ValueError(f"{name} holds no numbers: there is nothing to optimise")

    def flatten(self, values, name: str | None = None) -> np.ndarray:
        """All numbers of `values` as a float64 vector (M,), in the order of theta.

        Raises ValueError where `values` is not built like theta.
        """
        name = name or self.name
        parts = _matching(self.template, values, name)
        return np.concatenate(parts) if parts else np.zeros(0)

    def restore(self, vector: np.ndarray):
        """The vector's numbers, built like theta, in its floating-point types."""
        return _rebuild(self.template, iter(np.split(vector, self._ends)))

    @property
    def _ends(self) -> list:
        return [part.stop for part in self.slices[:-1]]


def _children(tree):
    """Pairs of key and child, or None for a leaf."""
    if isinstance(tree, dict):
        return list(tree.items())
    return list(enumerate(tree)) if isinstance(tree, list | tuple) else None


def _leaves(tree, path):
    children = _children(tree)
    if children is None:
        yield path, tree
    else:
        for key, child in children:
            yield from _leaves(child, f"{path}[{key!r}]")


def _matching(template, values, path) -> list:
    """The leaves of `values` as flat vectors, in the order of `template`."""
    children = _children(template)
    if children is None:
        wanted = np.shape(template)
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"{path} of type {type(values).__name__} is not an array of real "
                f"numbers: theta has an array of shape {wanted} there"
            ) from None
        if array.shape != wanted:
            raise ValueError(
                f"{path} has shape {array.shape}, but theta has {wanted} there"
            )
        return [array.ravel()]
    kind = dict if isinstance(template, dict) else (list, tuple)
    found = sorted(map(str, dict(_children(values)))) if isinstance(values, kind) else 0
    if found != (keys := sorted(map(str, dict(children)))):
        what = f"keys {', '.join(keys)}" if kind is dict else f"{len(keys)} entries"
        raise ValueError(
            f"{path} is not built like theta, which has a "
            f"{type(template).__name__} with {what} there"
        )
    return sum(
        (_matching(child, values[k], f"{path}[{k!r}]") for k, child in children), []
    )


def _rebuild(template, parts):
    children = _children(template)
    if children is None:
        dtype = np.asarray(template).dtype
        dtype = dtype if dtype.kind == "f" else np.float64
        return next(parts).reshape(np.shape(template)).astype(dtype)
    rebuilt = [_rebuild(child, parts) for _, child in children]
    if isinstance(template, dict):
        return {key: value for (key, _), value in zip(children, rebuilt, strict=True)}
    return type(template)(rebuilt)
