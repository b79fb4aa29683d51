"""Diffusion probabilistic models as they were invented in 2015, in PyTensor.

The rooms, in the order of the argument: ``datasets`` gives data; ``schedule`` and
``gaussian`` (or ``binomial``) destroy it step by step; ``regression`` learns to undo
one step; ``model`` joins them and ``bound`` scores the result; ``algorithms`` and
``train`` move the parameters; ``sampler`` walks back from noise to data, multiplied by
``factors`` where asked.
"""

from dpm.backend import select_mode
from dpm.version import __version__ as __version__

select_mode()
