"""Diffusion probabilistic models as they were invented in 2015, in PyTensor.

Data sets give data; ``schedule`` and ``gaussian`` (or ``binomial``) destroy it step by
step; networks learn to undo one step; ``model`` joins them and ``bound`` scores the
result; algorithms and the main loop move the parameters; ``sampler`` walks back from
noise to data. `load` gives a trained model in one line, `fit` trains one.
"""

from dpm.blocks import environment
from dpm.version import __version__ as __version__

environment.prepare()
try:
    from dpm.blocks.backend import select_mode

    if select_mode() == "JAX":
        environment.check_names()
        environment.check_platform()
except (ImportError, ValueError, OSError) as error:
    environment.give_up(error)


def __getattr__(name: str):
    """`load` and `fit`: with them comes everything else, so not before asked for."""
    if name not in ("load", "fit"):
        raise AttributeError(f"module 'dpm' has no attribute {name!r}")
    from dpm import trained

    return getattr(trained, name)
