"""Step rules, and the gradient descent that applies them.

As in Blocks, a step rule turns a gradient into a step *down*, and keeps its memory in
shared variables, which are saved with the parameters so that a run can be resumed.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.backend import precision


class StepRule:
    """What a gradient becomes before it is subtracted from its parameter.

    Attributes
    ----------
    learning_rate : shared scalar
    state : dict
        The rule's memory, shared variables by name.
    """

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
        """A shared variable of zeros shaped like `parameter`, saved with the run."""
        variable = pytensor.shared(np.zeros_like(parameter.get_value()), name=name)
        self.state[f"{path}.{name}"] = variable
        return variable

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
        time = self.time + 1
        new_mean = self.beta1 * mean + (1 - self.beta1) * gradient
        new_square = self.beta2 * mean_square + (1 - self.beta2) * gradient**2
        updates = [(mean, new_mean), (mean_square, new_square)]
        if not self.time_updated:  # one clock for all parameters
            updates.append((self.time, time))
            self.time_updated = True
        rate = self.learning_rate / (1 - self.beta1**time)
        scale = pt.sqrt(new_square / (1 - self.beta2**time)) + self.epsilon
        return rate * new_mean / scale, updates


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

    Attributes
    ----------
    gradients : dict
        Of the cost, symbolic, by the parameters' paths.
    """

    def __init__(self, cost, parameters: dict, step_rule: StepRule, inputs: list):
        for path, variable in parameters.items():
            if np.isnan(variable.get_value(borrow=True)).any():
                raise ValueError(
                    f"parameter {path} is still NaN: call model.initialize(rng) first"
                )
        self.parameters = parameters
        self.step_rule = step_rule
        self.inputs = inputs
        variables = list(parameters.values())
        updates = []
        with precision(cost.dtype):
            self.gradients = dict(
                zip(parameters, pt.grad(cost, variables), strict=True)
            )
            for path, variable in parameters.items():
                step, more = step_rule.compute_step(
                    path, variable, self.gradients[path]
                )
                updates += [(variable, variable - step), *more]
        self._function = pytensor.function(inputs, cost, updates=updates)

    def process_batch(self, *batch) -> float:
        """Take one step; returns the cost before it."""
        return float(self._function(*batch))

    @property
    def state(self) -> dict:
        """Everything that changes while training, shared variables by name."""
        return {
            **{f"param/{path}": v for path, v in self.parameters.items()},
            **{f"rule/{path}": v for path, v in self.step_rule.state.items()},
        }
