"""What happens around training steps: each extension says when, and what.

The plain ones are here; `dpm.extensions` has those that draw samples and pictures.
"""

import numpy as np
from tqdm import tqdm

from dpm.blocks import checkpoint
from dpm.blocks.main_loop import parameter_values


class Extension:
    """Something to do every so many steps.

    Parameters
    ----------
    every_n_steps : int
        `do` is called after each step whose number this divides; 0 means never.
    before_training, after_training : bool
        Whether `do` is called then too.
    """

    def __init__(self, every_n_steps=0, before_training=False, after_training=False):
        self.every_n_steps = every_n_steps
        self.before_training = before_training
        self.after_training = after_training

    def due(self, step: int) -> bool:
        """Whether `do` is to be called after step number `step`."""
        return self.every_n_steps > 0 and step % self.every_n_steps == 0

    def do(self, main_loop) -> None:
        """What the extension is for."""
        raise NotImplementedError

    def finish(self, main_loop) -> None:
        """Called once when training ends, also by an error."""


class FinishAfter(Extension):
    """End the run after `n_steps` steps in all."""

    def __init__(self, n_steps: int):
        super().__init__(every_n_steps=1, before_training=True)
        self.n_steps = n_steps

    def do(self, main_loop):
        main_loop.finished |= main_loop.iterations_done >= self.n_steps


class SharedVariableModifier(Extension):
    """Change a shared variable as a function of the step and of its old value.

    Parameters
    ----------
    variable : shared scalar
    function : callable
        ``function(iterations_done, old_value)`` gives the new value.
    every_n_steps : int
    """

    def __init__(self, variable, function, every_n_steps: int, before_training=False):
        super().__init__(every_n_steps, before_training)
        self.variable, self.function = variable, function

    def do(self, main_loop):
        old = self.variable.get_value()
        new = self.function(main_loop.iterations_done, float(old))
        self.variable.set_value(np.asarray(new, dtype=self.variable.type.dtype))


def recent_bits(recipe, main_loop, n: int) -> float | None:
    """Mean of the last n costs, as a recipe reports them; None before any."""
    recent = main_loop.costs[-n:]
    return recipe.cost_in_bits(np.mean(recent)) if recent else None


class ProgressBar(Extension):
    """A tqdm bar with the running mean of K. ``TQDM_DISABLE=1`` silences it.

    Parameters
    ----------
    recipe : BaseRecipe
        Has ``cost_name``, ``cost_unit`` and ``cost_in_bits``.
    n_steps : int
        Of the whole run.
    refresh : int
        Steps between two looks at the cost.
    """

    def __init__(self, recipe, n_steps: int, refresh: int = 50):
        super().__init__(every_n_steps=refresh, before_training=True)
        self.recipe, self.n_steps = recipe, n_steps
        self.bar = None

    def do(self, main_loop):
        if self.bar is None:
            done = main_loop.iterations_done
            self.bar = tqdm(total=self.n_steps, initial=done, desc="train", unit="step")
        recipe = self.recipe
        bits = recent_bits(recipe, main_loop, self.every_n_steps)
        if bits is not None:
            self.bar.set_postfix_str(
                f"{recipe.cost_name} {bits:.3f} {recipe.cost_unit}"
            )
        self.bar.update(main_loop.iterations_done - self.bar.n)

    def finish(self, main_loop):
        if self.bar is not None:
            self.bar.update(main_loop.iterations_done - self.bar.n)
            self.bar.close()


class Timing(Extension):
    """Record how long a step takes, in seconds, averaged since the last time."""

    def __init__(self, every_n_steps: int):
        super().__init__(every_n_steps)
        self.last = None

    def do(self, main_loop):
        steps, seconds = self.last or (0, 0.0)
        done = main_loop.iterations_done - steps
        main_loop.record("seconds_per_step", (main_loop.seconds - seconds) / done)
        self.last = main_loop.iterations_done, main_loop.seconds


class Printing(Extension):
    """Print the newest value of everything recorded, and the running mean of K.

    Parameters
    ----------
    recipe : BaseRecipe
        As of `ProgressBar`.
    """

    def __init__(self, recipe, every_n_steps, before_training=False):
        super().__init__(every_n_steps, before_training)
        self.recipe = recipe

    def do(self, main_loop):
        rate = main_loop.algorithm.step_rule.learning_rate.get_value()
        words = [
            f"step {main_loop.iterations_done}",
            f"learning rate {float(rate):.3g}",
        ]
        recipe = self.recipe
        bits = recent_bits(recipe, main_loop, self.every_n_steps)
        if bits is not None:
            words.append(f"{recipe.cost_name} {bits:.4f} {recipe.cost_unit}")
        for name, pairs in main_loop.records.items():
            if "norm " not in name:  # those are for plots
                words.append(f"{name} {pairs[-1][1]:.4g}")
        tqdm.write("  ".join(words))


class Checkpoint(Extension):
    """Save everything that a resumed run needs to go on as if never stopped.

    Parameters that are not finite are not saved: the last checkpoint stays.
    """

    def __init__(self, path, meta: dict, every_n_steps: int = 1000):
        super().__init__(every_n_steps, before_training=True, after_training=True)
        self.path, self.meta = path, meta

    def do(self, main_loop):
        arrays, meta = main_loop.snapshot(self.meta)
        parameters = parameter_values(arrays).values()
        if all(np.isfinite(value).all() for value in parameters):
            checkpoint.save(self.path, arrays, meta)
