"""The convolution's two Ops in Numba, loaded only where Numba is asked for."""

import subprocess
import sys

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks.backend import INTERPRETED
from dpm.blocks.conv import Correlate, CorrelateWeights

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(scope="module")
def numba_kernels():
    """Both Ops as NUMBA compiles them: once for each frame, for images of any size."""
    compiled = {}

    def kernels(pad, dtype):
        if (pad, dtype) not in compiled:
            X, K, G = (pt.tensor(dtype=dtype, shape=(None,) * 4) for _ in "XKG")
            outputs = [Correlate(pad)(X, K), CorrelateWeights(pad)(X, G)]
            compiled[pad, dtype] = pytensor.function([X, K, G], outputs, mode="NUMBA")
        return compiled[pad, dtype]

    return kernels


@pytest.mark.parametrize(
    "pad, dtype",
    [((0, 0), "float64"), ((2, 0), "float64"), ((1, 1), "float32")],
    ids=str,
)
def test_numba_finds_what_the_interpreter_finds(numba_kernels, pad, dtype):
    """Frames of every border mode, kernels of several sizes, images of any size."""
    rng = np.random.default_rng(3)
    tolerance = {"float64": 1e-12, "float32": 2e-4}[dtype]
    for images in ((3, 6, 7, 2), (1, 4, 5, 3), (2, 6, 3, 3), (131, 14, 14, 40)):
        for kernel in ((1, 1), (3, 3), (5, 1)):
            h, w = (n + 2 * p - k + 1 for n, p, k in zip(
                images[1:3], pad, kernel, strict=True))  # fmt: skip
            if min(h, w) < 1:
                continue
            arrays = [
                rng.normal(size=shape).astype(dtype)
                for shape in (images, (*kernel, images[3], 4), (images[0], h, w, 4))
            ]
            found = numba_kernels(pad, dtype)(*arrays)
            x, k, g = (pt.tensor(dtype=dtype, shape=a.shape) for a in arrays)
            interpreted = pytensor.function(
                [x, k, g],
                [Correlate(pad)(x, k), CorrelateWeights(pad)(x, g)],
                mode=INTERPRETED,
            )
            for ours, expected in zip(found, interpreted(*arrays), strict=True):
                assert ours.dtype == dtype and ours.shape == expected.shape
                scale = max(1.0, np.abs(expected).max())
                np.testing.assert_allclose(ours, expected, atol=tolerance * scale)


def test_numba_is_loaded_when_it_is_asked_for_and_then_knows_the_convolution():
    code = (
        "import sys, dpm.train\n"
        "assert 'numba' not in sys.modules\n"
        "from pytensor.link.numba.dispatch import basic\n"
        "from dpm.blocks import conv, conv_numba\n"
        "for op in (conv.Correlate, conv.CorrelateWeights):\n"
        "    found = basic.numba_funcify_default_op_cache_key.dispatch(op)\n"
        "    assert found is getattr(conv_numba, f'numba_funcify_{op.__name__}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
