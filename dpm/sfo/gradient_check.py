"""Gradients compared with differences of values, before an optimiser trusts them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GradientCheck:
    """What `SFO.check_grad` found.

    Attributes
    ----------
    difference : dict
        By (subfunction, name of an array of theta): the difference of the slopes,
        relative to the larger.
    wrong : list
        Those keys of `difference` for which it is too large.
    """

    difference: dict
    wrong: list

    def raise_if_wrong(self) -> None:
        """Raise ValueError that says where they differ most."""
        if not self.wrong:
            return
        i, name = max(self.wrong, key=self.difference.get)
        raise ValueError(
            f"the gradient of subfunction {i} by {name} differs from the slope of "
            f"its value by {self.difference[i, name]:.1%} ({len(self.wrong)} of "
            f"{len(self.difference)} slopes differ): f_df is wrong, or it is random"
        )


def check_gradient(evaluate, structure, point, indices, step, tolerance):
    """Slopes along one random direction for each array of theta.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(i, point)`` returns value and gradient (M,) of subfunction i.
    structure : dpm.sfo.structure.Structure
    point : ndarray, shape (M,)
    indices : iterable of int
    step, tolerance : float
        See `dpm.sfo.sfo.SFO.check_grad`.

    Returns
    -------
    GradientCheck
    """
    rng, difference, wrong = np.random.default_rng(0), {}, []
    arrays = [
        (name, part)
        for name, part in zip(structure.names, structure.slices, strict=True)
        if part.stop > part.start
    ]
    for i in indices:
        value, gradient = evaluate(i, point)
        for name, part in arrays:
            direction = np.zeros_like(point)
            direction[part] = rng.standard_normal(part.stop - part.start)
            direction /= np.linalg.norm(direction)
            h = step * (1 + np.abs(point[part]).max())
            rise = evaluate(i, point + h * direction)[0]
            rise -= evaluate(i, point - h * direction)[0]
            slopes = np.array([gradient @ direction, rise / (2 * h)])
            error, scale = abs(slopes[0] - slopes[1]), np.abs(slopes).max()
            rounding = 1e3 * np.finfo(float).eps * abs(value) / h
            relative = np.nan_to_num(error / scale, nan=np.inf) if scale else 0.0
            difference[i, name] = float(relative)
            if not error <= tolerance * scale + rounding:
                wrong.append((i, name))
    return GradientCheck(difference, wrong)
