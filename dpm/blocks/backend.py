"""The one place where PyTensor's compilation mode is chosen.

JAX compiles the graphs of this book in seconds where PyTensor's other modes take half
a minute, so it is the default. A choice already made, in ``PYTENSOR_FLAGS`` or in a
``.pytensorrc`` file, is left alone.
"""

import importlib.util
import logging
import os

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode, optdb
from pytensor.graph import Variable
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.math import Sum

logger = logging.getLogger("dpm")

_PYTENSOR_DEFAULT = "Mode"

INTERPRETED = Mode("py", "merge")  # each operation by its `perform`, once


def _chosen_by_user() -> bool:
    flags = os.environ.get("PYTENSOR_FLAGS", "").split(",")
    names = {flag.split("=")[0].strip() for flag in flags}
    return bool(names & {"mode", "linker"}) or pytensor.config.mode != _PYTENSOR_DEFAULT


def select_mode() -> str:
    """Set ``pytensor.config.mode`` for this process unless the user has set it.

    ``floatX`` becomes double precision whatever was set. Recipes say their own, see
    `precision`, and where PyTensor's JAX backend first finds single precision it turns
    double off for all graphs, in silence.

    Returns
    -------
    str
        The mode now in force: ``"JAX"``, or ``"NUMBA"`` where jax is not installed,
        or the user's own choice.
    """
    pytensor.config.floatX = "float64"
    if not _chosen_by_user():
        if importlib.util.find_spec("jax") is not None:
            pytensor.config.mode = "JAX"
        else:
            pytensor.config.mode = "NUMBA"
            logger.warning(
                "dpm: jax is not installed, so PyTensor compiles with NUMBA. Results "
                "are the same; the first call of each function takes about half a "
                "minute. 'pip install jax' makes it seconds."
            )
    return pytensor.config.mode


def precision(dtype: str):
    """A context, or decorator, in which graphs are built in one floating point type.

    Inside, ``pytensor.config.floatX`` is `dtype`, so that plain numbers enter the graph
    in it and do not widen single precision to double.
    """
    return pytensor.config.change_flags(floatX=dtype)


def as_tensor(x):
    """A symbolic variable as it is, and numbers in ``pytensor.config.floatX``.

    PyTensor would give a plain 0.5 the type that is just wide enough to hold it, single
    precision, and then take its logarithm in that too.
    """
    if isinstance(x, Variable):
        return x
    return pt.as_tensor(np.asarray(x, dtype=pytensor.config.floatX))


def numbers(*graphs):
    """The numbers that graphs without inputs come to, computed once.

    Their operations are done one after another in Python, and nothing is compiled: a
    thousandth of a second where `eval` takes thirty.

    Parameters
    ----------
    *graphs : symbolic or array_like

    Returns
    -------
    np.ndarray, or a list of them where there are several graphs
    """
    symbolic = [x for x in graphs if isinstance(x, Variable)]
    found = iter(pytensor.function([], symbolic, mode=INTERPRETED)())
    arrays = [np.asarray(next(found) if isinstance(x, Variable) else x) for x in graphs]
    return arrays[0] if len(arrays) == 1 else arrays


def aligned(array, dtype) -> np.ndarray:
    """A copy that begins at a multiple of 64 bytes.

    JAX uses such an array where it lies, and copies any other at every call of a
    function that takes it: a table of two million numbers costs half a millisecond.
    """
    array = np.asarray(array, dtype=dtype)
    memory = np.empty(array.nbytes + 64, dtype="uint8")
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(dtype).reshape(array.shape)
    copy[...] = array
    return copy


@node_rewriter([Sum])
def sum_in_own_precision(fgraph, node):
    """Let sums of single precision numbers stay in single precision.

    PyTensor asks for an accumulator in double precision. Its JAX backend takes that
    for the type of the result, and everything that follows would be done in double.
    """
    op = node.op
    dtype = node.outputs[0].dtype
    if dtype == "float32" and op.acc_dtype == "float64":
        return [Sum(axis=op.axis, dtype=dtype, acc_dtype=dtype)(*node.inputs)]
    return None


optdb.register(
    "dpm_sum_in_own_precision",
    dfs_rewriter(sum_in_own_precision),
    "jax",
    position=100,
)
