"""The convolution against a loop that spells out its definition, in every mode."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm.blocks import conv
from dpm.blocks.backend import INTERPRETED
from dpm.blocks.conv import (
    BORDER_MODES,
    LAYOUTS,
    conv2d,
)

pytestmark = pytest.mark.usefixtures("compiled")

MODES = {"JAX": "JAX", "PYTHON": INTERPRETED}  # NUMBA: test_conv_numba.py


def naive(X, W, border_mode, filter_flip):
    """The sum in conv2d's docstring, term by term, for NCHW images."""
    (n, c, h, w), (o, _, k_h, k_w) = X.shape, W.shape
    p_h, p_w = {
        "full": (k_h - 1, k_w - 1),
        "same": (k_h // 2, k_w // 2),
        "valid": (0, 0),
    }[border_mode]
    Y = np.zeros((n, o, h + 2 * p_h - k_h + 1, w + 2 * p_w - k_w + 1))
    for image, f, y, x in np.ndindex(*Y.shape):
        for channel, i, j in np.ndindex(c, k_h, k_w):
            a, b = (k_h - 1 - i, k_w - 1 - j) if filter_flip else (i, j)
            row, column = y + i - p_h, x + j - p_w
            if 0 <= row < h and 0 <= column < w:
                pixel = X[image, channel, row, column]
                Y[image, f, y, x] += W[f, channel, a, b] * pixel
    return Y


def to_layout(images, layout):
    return images.transpose(0, 2, 3, 1) if layout == "NHWC" else images


def variables(*arrays, dtype="float64"):
    return [pt.tensor(dtype=dtype, shape=a.shape) for a in arrays]


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 1)], ids=str)
@pytest.mark.parametrize("border_mode", BORDER_MODES)
@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_the_definition(mode, border_mode, kernel):
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(3, 2, 6, 7)), rng.normal(size=(4, 2, *kernel))
    for layout, flip in zip(LAYOUTS, (True, False), strict=True):
        x, w = variables(to_layout(X, layout), W)
        y = conv2d(x, w, border_mode, layout, flip)
        f = pytensor.function([x, w], y, mode=MODES[mode])
        expected = to_layout(naive(X, W, border_mode, flip), layout)
        got = np.asarray(f(to_layout(X, layout), W))
        np.testing.assert_allclose(got, expected, atol=1e-12)
        assert y.type.shape == expected.shape


@pytest.mark.parametrize("border_mode", BORDER_MODES)
@pytest.mark.parametrize("mode", MODES)
def test_first_and_second_derivatives(mode, border_mode):
    """Against differences of the graph's own values, which are checked above.

    The cost is a smooth function of both inputs with all mixed second derivatives.
    """
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(2, 2, 4, 5)), rng.normal(size=(3, 2, 3, 3))]
    x, w = inputs = variables(*arrays)
    cost = (conv2d(x, w, border_mode) ** 3).sum()
    gradients = pt.grad(cost, inputs)
    v = [rng.normal(size=a.shape) for a in arrays]
    slope = sum((g * a).sum() for g, a in zip(gradients, v, strict=True))
    outputs = [cost, slope, *pt.grad(slope, inputs)]
    f = pytensor.function(inputs, outputs, mode=MODES[mode])
    u = [rng.normal(size=a.shape) for a in arrays]
    epsilon = 1e-5

    def at(step, direction):
        moved = [a + step * d for a, d in zip(arrays, direction, strict=True)]
        return [np.asarray(value) for value in f(*moved)]

    _, exact_slope, *hessian_v = at(0.0, v)
    by_differences = (at(epsilon, v)[0] - at(-epsilon, v)[0]) / (2 * epsilon)
    assert by_differences == pytest.approx(exact_slope, rel=1e-7)
    u_H_v = sum((a * b).sum() for a, b in zip(u, hessian_v, strict=True))
    by_differences = (at(epsilon, u)[1] - at(-epsilon, u)[1]) / (2 * epsilon)
    assert by_differences == pytest.approx(u_H_v, rel=1e-7)


@pytest.mark.parametrize("border_mode", BORDER_MODES)
def test_other_devices_than_processors_get_the_same_weights(border_mode, monkeypatch):
    """By XLA's own gradient, of which a processor can do the sum as well."""
    asked = []
    monkeypatch.setattr(
        conv.jax, "default_backend", lambda: asked.append("who") or "gpu"
    )
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(3, 2, 6, 7)), rng.normal(size=(4, 2, 3, 5))
    x, w = variables(X, W)
    slope = pt.grad((conv2d(x, w, border_mode) ** 3).sum(), w)
    found, wanted = (
        pytensor.function([x, w], slope, mode=mode)(X, W) for mode in MODES.values()
    )
    assert asked
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_single_precision_and_uneven_batches(mode):
    """Many images go through in parts; 131 is prime, 132 is cut into equal ones."""
    rng = np.random.default_rng(2)
    W = rng.normal(size=(5, 40, 3, 3))
    for n in (131, 132):
        X = rng.normal(size=(n, 40, 14, 14))
        x, w = variables(X, W, dtype="float32")
        Y = conv2d(x, w)
        f = pytensor.function([x, w], [Y, pt.grad((Y**2).sum(), w)], mode=MODES[mode])
        got, slope = f(X.astype("float32"), W.astype("float32"))
        assert got.dtype == slope.dtype == "float32"
        some = [0, 1, n // 2, n - 1]
        padded = np.pad(X[some], ((0, 0), (0, 0), (1, 1), (1, 1)))
        view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        expected = np.einsum("ncyxij,ocij->noyx", view, W[:, :, ::-1, ::-1])
        np.testing.assert_allclose(np.asarray(got)[some], expected, atol=2e-4)


@pytest.mark.parametrize(
    "x_shape, w_shape, options, match",
    [
        ((1, 2, 5, 5), (3, 2, 2, 3), {}, "2 x 3 pixels have no middle"),
        ((1, 2, 5, 5), (3, 2, None, 3), {}, "must know the size of its filters"),
        ((1, 2, 5, 5), (3, 4, 3, 3), {}, "images have 2 channels, the filters 4"),
        ((1, 2, 5), (3, 2, 3, 3), {}, "4 axes, not 3 and 4"),
        ((1, 2, 5, 5), (3, 2, 3, 3), {"border_mode": "half"}, "there are same, full"),
        ((1, 2, 5, 5), (3, 2, 3, 3), {"layout": "CHWN"}, "there are NHWC, NCHW"),
    ],
)
def test_bad_input_is_refused(x_shape, w_shape, options, match):
    x = pt.tensor(dtype="float64", shape=x_shape)
    w = pt.tensor(dtype="float64", shape=w_shape)
    with pytest.raises(ValueError, match=match):
        conv2d(x, w, **options)
