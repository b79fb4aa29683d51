"""The network of images against loops that spell out its layers."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.ndimage import gaussian_filter

from dpm.blocks.backend import numbers
from dpm.model import DiffusionModel
from dpm.regression import (
    LeakyRelu,
    MLP_conv_dense,
    MultiScaleConvolution,
    interpolated,
    repeated,
)


def constant(array):
    return pt.as_tensor(np.asarray(array))


def small(spatial_width=4, n_colors=2, **more):
    """A small model, with two colours where nothing else is said."""
    sizes = dict(n_temporal_basis=3, n_hidden_dense_lower=5, n_hidden_dense_upper=4)
    sizes |= dict(n_hidden_conv=3, n_layers_conv=2, n_layers_dense_lower=2, n_scales=2)
    return DiffusionModel(spatial_width, n_colors, 6, **{**sizes, **more})


def blown_up(part, size, linear):
    """Squares of `size` pixels, (n, h, w, c), as pixels: linear by way of each half."""
    if not linear:
        return part.repeat(size, axis=1).repeat(size, axis=2)
    while size > 1:
        for axis in (1, 2):
            middles = np.arange(part.shape[axis]) + 0.5
            at = (np.arange(2 * part.shape[axis]) + 0.5) / 2
            part = np.apply_along_axis(
                lambda row, at=at, middles=middles: np.interp(at, middles, row),
                axis,
                part,
            )
        size //= 2
    return part


def naive_multiscale(layer, X, after_sum, linear=False):
    """Steps 1 to 4 of Section D.2.1, pixel by pixel, for NHWC images."""
    n, width, _, channels = X.shape
    filters = layer.children[0].children[0].W.get_value().shape[0]
    total = np.zeros((n, width, width, filters))
    for scale, at_scale in enumerate(layer.children):
        W, b = (v.get_value() for v in at_scale.parameters.values())
        size, small_width = 2**scale, width // 2**scale
        part = np.zeros((n, small_width, small_width, filters))
        pooled = np.zeros((n, small_width, small_width, channels))
        for y, x in np.ndindex(small_width, small_width):
            square = X[:, y * size : (y + 1) * size, x * size : (x + 1) * size]
            pooled[:, y, x] = square.mean(axis=(1, 2))
        for y, x, i, j in np.ndindex(small_width, small_width, 3, 3):
            a, c = y + 1 - i, x + 1 - j  # a true convolution flips its filter
            if 0 <= a < small_width and 0 <= c < small_width:
                part[:, y, x] += pooled[:, a, c] @ W[:, :, i, j].T
        part += b[:, 1:-1, 1:-1].transpose(1, 2, 0) if b.ndim == 3 else b
        if not after_sum:
            part = np.where(part > 0, part, 0.05 * part)
        total += blown_up(part, size, linear)
    if after_sum:
        return np.log1p(np.exp(total))
    return total / len(layer.children)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("after_sum", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_multi_scale_layer_is_what_the_paper_lists(after_sum, tied, linear):
    rng = np.random.default_rng(4)
    layer = MultiScaleConvolution(
        2, 3, 8, 3, 3, pt.softplus if after_sum else LeakyRelu, after_sum, tied,
        upsample=interpolated if linear else repeated,
    )  # fmt: skip
    for variable in layer.parameters.values():
        variable.set_value(rng.standard_normal(variable.get_value().shape))
    X = rng.standard_normal((2, 8, 8, 2))
    got = numbers(layer.apply(constant(X)))
    wanted = naive_multiscale(layer, X, after_sum, linear)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def features(upsampling, pictures):
    """What three layers of four scales make of (n, 48, 48), and their parameters."""
    args = dict(n_hidden_dense_lower=0, n_hidden_conv=8, n_layers_conv=3, n_scales=4)
    more = {"variant": "paper", "conv_start": "pixels", "n_colors": 1}
    model = small(**args, **more, spatial_width=48, upsampling=upsampling)
    model.initialize(np.random.default_rng(0))
    out = numbers(model.mlp.mlp_conv.apply(constant(pictures[..., None])))
    shapes = {k: v.get_value().shape for k, v in model.parameters.items()}
    return np.asarray(out)[
        :, 16:32, 16:32
    ], shapes  # two coarsest squares, off the frame


def test_linear_upsampling_leaves_no_blocks():
    """Of smooth pictures: jumps at the borders of the coarsest squares, and how much
    what is seen of a picture depends on where it lies between those borders."""
    rng, found = np.random.default_rng(1), {}
    X = gaussian_filter(rng.standard_normal((8, 48, 48)), (0, 3, 3), mode="wrap")
    both = np.concatenate([X, np.roll(X, 1, axis=2)])
    for upsampling in ("repeat", "linear"):
        out, shapes = features(upsampling, both / X.std())
        here, moved = out[:8], out[8:]
        steps = np.abs(np.diff(here, axis=2)).mean(axis=(0, 1, 3))
        jump = steps[7] / np.delete(steps, 7).mean()  # from column 7 to 8
        error = np.abs(moved[:, :, 1:] - here[:, :, :-1]).mean() / here.std()
        found[upsampling] = jump, error, shapes
    (jump, error, shapes), (smooth, less, same) = found["repeat"], found["linear"]
    assert jump > 1.3 and smooth < 1.1
    assert less < error / 3
    assert shapes == same


def test_depth_of_the_dense_pathway_is_the_references_slip_or_not():
    def depth(**more):
        model = small(n_layers_conv=3, n_layers_dense_lower=2, **more)
        return sum("MLP dense lower" in p and p.endswith("W") for p in model.parameters)

    assert depth() == 3
    assert depth(dense_lower_depth="n_layers_dense_lower") == 2
    assert depth(variant="paper") == 2


def test_names_of_the_default_model_are_those_of_blocks():
    network = MLP_conv_dense(4, 4, 2, 20, 500, 2, 20, 28, 1, 1, 10)
    shapes = {k: v.get_value().shape for k, v in network.parameters.items()}
    first = "mlp_conv_dense/multilayerconvolution/multiscaleconvolution/layer0_scale0"
    assert shapes[f"{first}/convolutional.b"] == (20, 30, 30)
    assert shapes["mlp_conv_dense/MLP dense lower/linear_3.W"] == (500, 1568)
    assert shapes["mlp_conv_dense/MLP dense upper/linear_1.W"] == (20, 20)
    convolutions = 20 * 9 + 3 * 20 * 20 * 9 + 4 * 20 * 30 * 30
    dense = (784 + 1) * 500 + 2 * (500 + 1) * 500 + (500 + 1) * 1568
    upper = (22 + 1) * 20 + (20 + 1) * 20
    total = sum(int(np.prod(s)) for s in shapes.values())
    assert total == convolutions + dense + upper
