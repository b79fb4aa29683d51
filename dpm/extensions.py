"""What happens around training steps: each extension says when, and what."""

import numpy as np
from tqdm import tqdm

from dpm import checkpoint


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


class ProgressBar(Extension):
    """A tqdm bar with the running mean of K. ``TQDM_DISABLE=1`` silences it."""

    def __init__(self, refresh: int = 50):
        super().__init__(every_n_steps=refresh, before_training=True)
        self.bar = None

    def do(self, main_loop):
        if self.bar is None:
            self.bar = tqdm(
                total=main_loop.n_steps,
                initial=main_loop.iterations_done,
                desc="train",
                unit="step",
            )
        recent = main_loop.costs[-self.every_n_steps :]
        if recent:
            self.bar.set_postfix_str(f"K {-np.mean(recent) / np.log(2):.3f} bits")
        self.bar.update(main_loop.iterations_done - self.bar.n)

    def finish(self, main_loop):
        if self.bar is not None:
            self.bar.update(main_loop.iterations_done - self.bar.n)
            self.bar.close()


class Checkpoint(Extension):
    """Save everything that a resumed run needs to go on as if never stopped."""

    def __init__(self, path, meta: dict, every_n_steps: int = 1000):
        super().__init__(every_n_steps, before_training=True, after_training=True)
        self.path, self.meta = path, meta

    def do(self, main_loop):
        checkpoint.save(self.path, *main_loop.snapshot(self.meta))
