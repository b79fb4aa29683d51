"""Step rules, and the gradient descent that applies them.

As in Blocks, a step rule turns a gradient into a step *down*, and keeps its memory in
shared variables, which are saved with the parameters so that a run can be resumed.

Some parameters are tables of which a step uses a few rows: the readouts of the
heartbeat, one for each of 2000 time steps. To a step rule their rows are parameters
like any other.
"""

import contextlib

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import applys_between
from pytensor.tensor.subtensor import AdvancedSubtensor

from dpm.blocks.backend import precision
from dpm.blocks.devices import whole


class StepRule:
    """What a gradient becomes before it is subtracted from its parameter.

    Attributes
    ----------
    learning_rate : shared scalar
    state : dict
        The rule's memory, shared variables by name.
    removes_not_finite : bool
        Whether a gradient that is lost does no harm.
    """

    removes_not_finite = False

    def __init__(self, learning_rate: float):
        if not 0 < learning_rate < np.inf:
            raise ValueError(
                f"learning_rate = {learning_rate!r}: it must be a positive number"
            )
        self.learning_rate = pytensor.shared(
            np.asarray(learning_rate, dtype=pytensor.config.floatX), "learning_rate"
        )
        self.state: dict = {}

    def _remember(self, path, name, parameter):
        """A shared variable of zeros shaped like `parameter`, saved with the run.

        Where `parameter` is rows of a table, the variable is a table too, and what is
        returned are its rows.
        """
        table, index = split_rows(parameter)
        variable = pytensor.shared(np.zeros_like(table.get_value()), name=name)
        self.state[f"{path}.{name}"] = variable
        return variable if index is None else variable[index]

    def compute_step(self, path: str, parameter, gradient):
        """Return the step to subtract from `parameter`, and a list of updates."""
        raise NotImplementedError


class RMSProp(StepRule):
    """Divide the gradient by a running root mean square of itself.

    Parameters
    ----------
    learning_rate : float
    decay_rate : float
        How much of the old mean square each step keeps, in [0, 1).
    max_scaling : float
        The gradient is never divided by less than 1 / `max_scaling`.

    Notes
    -----
    Reference: Blocks, ``algorithms.RMSProp``; the 2015 implementation used it with
    decay_rate 0.9 and max_scaling 1e10. Tieleman and Hinton, 2012.
    """

    def __init__(self, learning_rate=1e-3, decay_rate=0.9, max_scaling=1e10):
        super().__init__(learning_rate)
        if not 0 <= decay_rate < 1:
            raise ValueError(f"decay_rate = {decay_rate!r}: it must lie in [0, 1)")
        self.decay_rate = decay_rate
        self.epsilon = 1.0 / max_scaling

    def compute_step(self, path, parameter, gradient):
        mean_square = self._remember(path, "mean_square", parameter)
        new = self.decay_rate * mean_square + (1 - self.decay_rate) * gradient**2
        scale = pt.maximum(pt.sqrt(new), self.epsilon)
        return self.learning_rate * gradient / scale, [(mean_square, new)]


class Adam(StepRule):
    """RMSProp with momentum, and a correction for the zeros that both start from.

    Parameters
    ----------
    learning_rate : float
    beta1, beta2 : float
        How much the running mean and mean square keep each step. (No diffusion rates:
        the names are those of Kingma and Ba, 2015.)
    epsilon : float
    """

    def __init__(self, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        super().__init__(learning_rate)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        zero = np.asarray(0.0, dtype=pytensor.config.floatX)
        self.time = self.state["adam.time"] = pytensor.shared(zero, "time")
        self.time_updated = False

    def compute_step(self, path, parameter, gradient):
        mean = self._remember(path, "mean", parameter)
        mean_square = self._remember(path, "mean_square", parameter)
        clock = self._clock(path, parameter)
        time = clock + 1
        new_mean = self.beta1 * mean + (1 - self.beta1) * gradient
        new_square = self.beta2 * mean_square + (1 - self.beta2) * gradient**2
        updates = [(mean, new_mean), (mean_square, new_square)]
        if clock is not self.time:
            updates.append((clock, time))
        elif not self.time_updated:
            updates.append((clock, time))
            self.time_updated = True
        rate = self.learning_rate / (1 - self.beta1**time)
        scale = pt.sqrt(new_square / (1 - self.beta2**time)) + self.epsilon
        return rate * new_mean / scale, updates

    def _clock(self, path, parameter):
        """How many steps there were: one clock for all, but each row has its own."""
        table, index = split_rows(parameter)
        if index is None:
            return self.time
        shape = (table.type.shape[0], *[1] * (table.ndim - 1))
        zeros = np.zeros(shape, dtype=self.time.dtype)
        clocks = pytensor.shared(zeros, name="time", shape=shape)
        self.state[f"{path}.time"] = clocks
        return clocks[index]


def split_rows(parameter) -> tuple:
    """(table, index) of ``table[index]``, and (parameter, None) of any other."""
    if parameter.owner is None:
        return parameter, None
    return tuple(parameter.owner.inputs)


class RemoveNotFinite(StepRule):
    """Replace a gradient that holds NaN or infinity by a multiple of the parameter.

    Parameters
    ----------
    scaler : float
        The gradient becomes (1 - scaler) times the parameter.

    Notes
    -----
    Reference: Blocks, ``algorithms.RemoveNotFinite``. With its default scaler of 1,
    which the reference used, a gradient that is not finite is a step of zero.
    """

    removes_not_finite = True

    def __init__(self, scaler: float = 1.0):
        self.scaler = scaler
        self.state = {}

    def compute_step(self, path, parameter, gradient):
        total = gradient.sum()
        lost = pt.isnan(total) | pt.isinf(total)
        return pt.switch(lost, (1 - self.scaler) * parameter, gradient), []


class CompositeRule(StepRule):
    """Several rules in a row: each turns the step of the one before.

    Parameters
    ----------
    components : list of StepRule
        The learning rate is the last one's.

    Notes
    -----
    Reference: Blocks, ``algorithms.CompositeRule``.
    """

    def __init__(self, components: list):
        if not components:
            raise ValueError("CompositeRule needs at least one rule")
        self.components = list(components)
        self.learning_rate = self.components[-1].learning_rate
        self.removes_not_finite = any(r.removes_not_finite for r in self.components)
        self.state = {}

    def compute_step(self, path, parameter, gradient):
        step, updates = gradient, []
        for rule in self.components:
            step, more = rule.compute_step(path, parameter, step)
            updates += more
            self.state |= rule.state
        return step, updates


STEP_RULES = {"RMSProp": RMSProp, "Adam": Adam}


class GradientDescent:
    """Lower a cost by its gradient, one minibatch at a time.

    Parameters
    ----------
    cost : symbolic scalar
    parameters : dict
        Shared variables by path (`Brick.parameters`), all initialised.
    step_rule : StepRule
    inputs : list of symbolic variables
        What `process_batch` will be given, in this order.
    tables : collection of str, optional
        Paths of parameters of which the cost uses a few rows at a time, by an index
        without repetitions. Only those rows, and the step rule's memory of them, are
        read and written, so that a step costs the same however long the table is.
    average : MovingAverage, optional
        Of the same parameters, to be kept up; not for tables.
    gradients : list of symbolic variables, optional
        Of the cost by the parameters, in their order, where they are known already, as
        from `dpm.blocks.parts.cost_and_gradients`.

    Attributes
    ----------
    gradients : dict
        Of the cost, symbolic, by the parameters' paths; of a table, that of its rows.
    """

    def __init__(
        self,
        cost,
        parameters: dict,
        step_rule: StepRule,
        inputs,
        tables=(),
        average=None,
        gradients=None,
    ):
        if average is not None and tables:
            raise ValueError("an average would visit all rows of a table at each step")
        for path, variable in parameters.items():
            if np.isnan(variable.get_value(borrow=True)).any():
                raise ValueError(
                    f"parameter {path} is still NaN: call model.initialize(rng) first"
                )
        self.parameters = parameters
        self.step_rule = step_rule
        self.inputs = inputs
        self.average = average
        moved = {
            path: rows_in(cost, variable, path) if path in tables else variable
            for path, variable in parameters.items()
        }
        updates, new = [], {}
        with precision(cost.dtype):
            if gradients is None:
                gradients = pt.grad(cost, list(moved.values()))
            self.gradients = dict(zip(moved, whole(gradients), strict=True))
            for path, variable in moved.items():
                step, more = step_rule.compute_step(
                    path, variable, self.gradients[path]
                )
                new[path] = variable - step
                updates += [(variable, new[path]), *more]
            updates += [] if average is None else average.updates(new)
        self._rows = [old for old, _ in updates if split_rows(old)[1] is not None]
        dense = [pair for pair in updates if split_rows(pair[0])[1] is None]
        rows_after = [new for old, new in updates if split_rows(old)[1] is not None]
        # the graph is cut at the rows: tables stay outside, or they would be copied
        self._function = pytensor.function(
            [*inputs, *self._rows], whole([cost, *rows_after]), updates=dense
        )
        indices = [split_rows(rows)[1] for rows in self._rows]
        plain = Mode("py", "fast_compile")  # less overhead than any compiled code
        self._indices = pytensor.function(
            inputs, indices, mode=plain, on_unused_input="ignore"
        )

    def process_batch(self, *batch) -> float:
        """Take one step; returns the cost before it."""
        if not self._rows:
            return float(self._function(*batch)[0])
        indices = self._indices(*batch)
        tables = [writeable(table) for table in self.tables]
        rows = [table[i] for table, i in zip(tables, indices, strict=True)]
        cost, *rows = self._function(*batch, *rows)
        for table, i, new in zip(tables, indices, rows, strict=True):
            table[i] = new
        return float(cost)

    @property
    def tables(self) -> list:
        """The tables, and what the step rule remembers of them: shared variables."""
        return [split_rows(rows)[0] for rows in self._rows]

    @property
    def state(self) -> dict:
        """Everything that changes while training, shared variables by name."""
        return {
            **{f"param/{path}": v for path, v in self.parameters.items()},
            **{f"rule/{path}": v for path, v in self.step_rule.state.items()},
            **({} if self.average is None else self.average.state),
        }

    def averaged(self):
        """A context with the average in place of the parameters, if there is one."""
        none = contextlib.nullcontext()
        return none if self.average is None else self.average.in_place()


def writeable(table) -> np.ndarray:
    """The array that a shared variable holds, to be changed in place."""
    value = table.get_value(borrow=True)
    if not (isinstance(value, np.ndarray) and value.flags.writeable):
        value = np.array(value)  # a compiled function may have left its own kind
        table.set_value(value, borrow=True)
    return value


def rows_in(cost, table, path: str):
    """The variable ``table[index]`` by which the graph of `cost` uses a table."""
    uses = [
        node
        for node in applys_between([], [cost])
        if any(variable is table for variable in node.inputs)
    ]
    rows = [
        node.outputs[0]
        for node in uses
        if isinstance(node.op, AdvancedSubtensor) and node.op.idx_list == (0,)
    ]
    if len(rows) != 1 or len(uses) != 1:
        raise ValueError(
            f"the cost uses parameter {path} in {len(uses)} places, and {len(rows)} of "
            "them take rows by an index: a table must be used once, as table[index]"
        )
    return rows[0]
