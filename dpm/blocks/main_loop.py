"""The main loop: draw a batch, take a step, call the extensions; again.

It builds nothing and knows nothing of models: recipes bring the parts. What a step is
given is a function of the number of the step, so a run that was killed and resumed gets
what it would have got, and ends bit for bit where it would have ended.
"""

import time

import numpy as np

from dpm.blocks.devices import place

TOLERATED = 10  # costs in a row that may be lost, where the rule removes their gradient


class DataStream:
    """What the steps of a run are given, by the number of the step.

    Notes
    -----
    Reference: Fuel, ``streams.DataStream``, which went through the data once and could
    not be asked for the batch of a step.
    """

    def get_data(self, step: int) -> list:
        """The arrays of one step, in the order of the algorithm's inputs."""
        raise NotImplementedError


class MainLoop:
    """What a run is while it runs.

    Parameters
    ----------
    algorithm : GradientDescent
    data_stream : DataStream
    model : Brick, optional
        For extensions to look at.
    extensions : iterable of Extension
        Called in this order.

    Attributes
    ----------
    iterations_done : int
    costs : list of float
        On each batch, before its step; in the units of the algorithm's cost.
    records : dict
        Lists of (step, value) by name, from extensions.
    seconds : float
        Spent in `run`, also before the run was resumed.
    finished : bool
        Set by an extension to end the run.

    Notes
    -----
    Reference: Blocks, ``main_loop.MainLoop``.
    """

    def __init__(self, algorithm, data_stream, model=None, extensions=()):
        self.algorithm = algorithm
        self.data_stream = data_stream
        self.model = model
        self.extensions = list(extensions)
        self.iterations_done = 0
        self.costs: list[float] = []
        self.records: dict[str, list] = {}
        self.seconds = 0.0
        self.finished = False

    def take_step(self) -> None:
        """Take one step, and note its cost."""
        step = self.iterations_done
        cost = self.algorithm.process_batch(*self.data_stream.get_data(step))
        self.costs.append(cost)
        self.iterations_done += 1
        tolerated = TOLERATED if self.algorithm.step_rule.removes_not_finite else 1
        recent = self.costs[-tolerated:]
        if len(recent) == tolerated and not np.isfinite(recent).any():
            raise FloatingPointError(
                f"the cost became {cost} at step {step}: start anew with a lower "
                "--lr, if you like with --start-from and the last checkpoint"
            )

    def record(self, name: str, value: float) -> None:
        """Note a number for the step just done."""
        self.records.setdefault(name, []).append((self.iterations_done, float(value)))

    def run(self) -> "MainLoop":
        """Train until an extension says that it is enough."""
        started = time.perf_counter() - self.seconds
        self.finished = False
        try:
            for extension in self.extensions:
                if extension.before_training:
                    extension.do(self)
            place(self.algorithm)
            while not self.finished:
                self.take_step()
                self.seconds = time.perf_counter() - started
                for extension in self.extensions:
                    if extension.due(self.iterations_done):
                        extension.do(self)
            for extension in self.extensions:
                if extension.after_training:
                    extension.do(self)
        finally:
            for extension in self.extensions:
                extension.finish(self)
        return self

    @property
    def state(self) -> dict:
        """Shared variables that change while training, by name."""
        return {
            **self.algorithm.state,
            "rule/learning_rate": self.algorithm.step_rule.learning_rate,
        }

    def snapshot(self, meta: dict) -> tuple[dict, dict]:
        """Arrays and description that `restore` can go on from."""
        arrays = {name: v.get_value() for name, v in self.state.items()}
        arrays["costs"] = np.array(self.costs)
        for name, pairs in self.records.items():
            arrays[f"record/{name}"] = np.array(pairs)
        done = {"iterations_done": self.iterations_done, "seconds": self.seconds}
        return arrays, {**meta, **done}

    def restore(self, arrays: dict, meta: dict) -> None:
        """Go back to where `snapshot` was taken, or raise ValueError."""
        if self.model is not None:
            self.model.set_parameter_values(parameter_values(arrays))
        for name, variable in self.state.items():
            if name not in arrays:
                raise ValueError(
                    f"the checkpoint lacks {name!r}, which resuming needs: it holds "
                    "a finished model; train anew in another folder"
                )
            variable.set_value(arrays[name].astype(variable.type.dtype))
        self.costs = arrays["costs"].tolist()
        self.records = {
            name.removeprefix("record/"): [(int(k), v) for k, v in values.tolist()]
            for name, values in arrays.items()
            if name.startswith("record/")
        }
        self.iterations_done = int(meta["iterations_done"])
        self.seconds = float(meta["seconds"])


def parameter_values(arrays: dict, prefix: str = "param/") -> dict:
    """The parameters among a checkpoint's arrays, by path."""
    return {
        k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)
    }
