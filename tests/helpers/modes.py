"""Modes of compilation that only the tests use."""

from pytensor.compile.mode import NUMBA, Mode

# What Numba would get, rewritten for it, but interpreted: it takes a minute to compile.
# Fused operations are left out, because the interpreter rounds inside them.
REWRITTEN_FOR_NUMBA = Mode(
    "py", NUMBA.provided_optimizer.excluding("fusion", "inplace")
)
