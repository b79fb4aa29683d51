"""A moving average of the parameters, kept beside them while they are trained.

With a constant rate the last steps of a run wander about; their average lies nearer to
what they wander about. Step rules never see it: it is what is scored and drawn from.
"""

import contextlib

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.checks import check_choice
from dpm.blocks.main_loop import parameter_values

PREFIX = "average/"  # of its arrays in a checkpoint
CHOICES = ("average", "last")


def check_decay(decay: float, name: str = "ema") -> None:
    """Raise ValueError unless an average may decay so; 0 stands for none."""
    if isinstance(decay, bool) or not isinstance(decay, int | float):
        raise ValueError(f"{name} = {decay!r}: give a number, or 0 for no average")
    if not 0 <= decay < 1:
        raise ValueError(f"{name} = {decay!r}: it must lie in [0, 1), 0 for no average")


class MovingAverage:
    """Exponential moving average of parameters.

    After step n it moves a share of the way to the new parameters,

    .. math:: \\bar\\theta_n = \\bar\\theta_{n-1}
        + s_n (\\theta_n - \\bar\\theta_{n-1}), \\qquad
        s_n = \\max\\left(1 - d, \\frac{9}{n + 9}\\right).

    The share is nine tenths at first, so that what was drawn at random is soon
    forgotten; from n = 9 d / (1 - d) on it is 1 - d.

    Parameters
    ----------
    decay : float
        d, inside (0, 1).
    parameters : dict
        Shared variables by path. The average starts where they are.

    Attributes
    ----------
    state : dict
        Shared variables by the names that they have in a checkpoint: ``average/PATH``,
        and how many steps there were.

    Notes
    -----
    Polyak and Juditsky, 1992. The beginning is that of TensorFlow's
    ``ExponentialMovingAverage``, whose decay is min(d, (1 + n) / (10 + n)) with n
    counted from 0.
    """

    def __init__(self, decay: float, parameters: dict):
        check_decay(decay, "decay")
        self.decay, self.parameters = decay, parameters
        self.averages = {}
        for path, variable in parameters.items():
            value = variable.get_value()
            self.averages[path] = pytensor.shared(
                value, f"average of {variable.name}", shape=value.shape
            )
        zero = np.asarray(0.0, dtype=pytensor.config.floatX)
        self.steps = pytensor.shared(zero, "average_steps")

    @property
    def state(self) -> dict:
        return {
            **{PREFIX + path: average for path, average in self.averages.items()},
            "average_steps": self.steps,
        }

    def updates(self, new: dict) -> list:
        """What a step does to the average.

        Parameters
        ----------
        new : dict
            The parameters after the step, symbolic, by path.

        Returns
        -------
        list of (shared variable, its new value)
        """
        share = pt.maximum(1 - self.decay, 9 / (self.steps + 10))
        updates = [
            (average, average + share * (new[path] - average))
            for path, average in self.averages.items()
        ]
        return [*updates, (self.steps, self.steps + 1)]

    def values(self) -> dict:
        """Copies of the averages, by the parameters' paths."""
        return {path: np.array(v.get_value()) for path, v in self.averages.items()}

    @contextlib.contextmanager
    def in_place(self):
        """Let the parameters have the values of their averages for a while."""
        last = {path: v.get_value() for path, v in self.parameters.items()}
        try:
            for path, value in self.values().items():
                self.parameters[path].set_value(value)
            yield
        finally:
            for path, value in last.items():
                self.parameters[path].set_value(value)


def chosen_parameters(arrays: dict, meta: dict, which: str | None = None) -> tuple:
    """The parameters of a checkpoint: their average, or those after the last step.

    Parameters
    ----------
    arrays, meta : dict
        From `dpm.blocks.checkpoint.load`. A file that was exported holds one of the
        two, and its description says which under "parameters".
    which : {"average", "last"}, optional
        The average, where left out and there is one.

    Returns
    -------
    values : dict
        By path.
    which : str or None
        What they are; None of a run that kept no average.

    Raises
    ------
    ValueError
        If the file does not hold them.
    """
    if which is not None:
        check_choice(which, CHOICES, "parameters")
    last, average = parameter_values(arrays), parameter_values(arrays, PREFIX)
    exported = meta.get("parameters")
    kept = {"average", "last"} if average else {exported or "last"}
    if which not in (None, *kept):
        if exported is not None:
            remedy = f"the file was exported with the other ones, {exported!r}"
        else:
            remedy = "this run kept no average: train with --ema 0.999"
        raise ValueError(f"parameters = {which!r}: {remedy}, or leave the option out")
    if not average:
        return last, exported
    which = which or "average"
    return (average if which == "average" else last), which
