"""Two-dimensional convolution, the one thing that PyTensor 3 lacks here, and its brick.

`conv2d` is what users call. It rests on two Ops that are each other's gradients, so a
graph may be differentiated as often as one likes: `Correlate` slides a kernel over
images, `CorrelateWeights` slides images over images. Both are linear in each input.
"""

import importlib.util

import numpy as np
import pytensor.tensor as pt
import wrapt
from pytensor.graph import Apply, Op

from dpm.blocks.bricks import Brick, Constant
from dpm.blocks.parts import on_cpu

BORDER_MODES = ("same", "full", "valid")
LAYOUTS = ("NHWC", "NCHW")


def conv2d(X, W, border_mode="same", layout="NCHW", filter_flip=True):
    """Convolve images with filters.

    .. math:: Y_{n,o,y,x} = \\sum_{c,i,j} W_{o,c,i,j} X_{n,c,y+p-i,x+p-j}

    with p = 0 for 'full', (k-1)/2 for 'same' and k-1 for 'valid', and X zero outside
    its frame.

    Parameters
    ----------
    X : symbolic, shape (batch, channels, height, width)
        Or (batch, height, width, channels) where `layout` is "NHWC".
    W : symbolic, shape (filters, channels, k_h, k_w)
        As in Theano, whatever the layout of the images. k_h and k_w must be known when
        the graph is built, and odd.
    border_mode : {"same", "full", "valid"}
        'full' gives every output that sees at least one pixel, 'valid' those that see
        k_h * k_w pixels, 'same' as many as there are pixels.
    layout : {"NCHW", "NHWC"}
        Of the images, coming in and going out.
    filter_flip : bool
        True is a convolution in the mathematician's sense, as in Theano; False slides
        the filter as it stands, as most libraries of today do.

    Returns
    -------
    symbolic, images in the given layout with `filters` channels

    Raises
    ------
    ValueError
        For filters of even or unknown size, another number of channels than the
        images', or an unknown `border_mode` or `layout`.
    """
    X, W = pt.as_tensor(X), pt.as_tensor(W)
    if border_mode not in BORDER_MODES:
        raise ValueError(
            f"unknown border_mode {border_mode!r}: there are {', '.join(BORDER_MODES)}"
        )
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}: there are {', '.join(LAYOUTS)}")
    if X.ndim != 4 or W.ndim != 4:
        raise ValueError(
            f"conv2d takes images and filters of 4 axes, not {X.ndim} and {W.ndim}"
        )
    kernel = W.type.shape[2:]
    if None in kernel:
        raise ValueError(
            "conv2d must know the size of its filters when the graph is built: declare "
            "them with pt.tensor(..., shape=(filters, channels, k_h, k_w))"
        )
    if any(k % 2 == 0 for k in kernel):
        raise ValueError(
            f"filters of {kernel[0]} x {kernel[1]} pixels have no middle pixel: choose "
            "odd sizes"
        )
    pad = {
        "full": tuple(k - 1 for k in kernel),
        "same": tuple(k // 2 for k in kernel),
        "valid": (0, 0),
    }[border_mode]
    if layout == "NCHW":
        X = X.transpose(0, 2, 3, 1)
    if filter_flip:
        W = W[:, :, ::-1, ::-1]
    Y = Correlate(pad)(X, W.transpose(2, 3, 1, 0))
    return Y.transpose(0, 3, 1, 2) if layout == "NCHW" else Y


class Convolutional(Brick):
    """A convolution and its biases, outputs as many as pixels.

    Parameters
    ----------
    filter_size : int
        Odd.
    num_filters, num_channels : int
    image_size : int
        Height and width.
    weights_init : callable
    tied_biases : bool
        Whether all pixels of a filter's output share one bias.

    Notes
    -----
    Blocks computed the 'full' convolution with one bias for each of its pixels, and
    the reference then cut the frame away. The frame is not computed here, but the
    untied biases keep their shape, (num_filters, size + k - 1, size + k - 1), so that
    parameters of either go into the other; those of the frame have no effect.
    """

    def __init__(
        self,
        filter_size: int,
        num_filters: int,
        num_channels: int,
        image_size: int,
        weights_init,
        tied_biases: bool = False,
        name="convolutional",
    ):
        super().__init__(name)
        self.frame = filter_size // 2
        full = () if tied_biases else (image_size + filter_size - 1,) * 2
        shape = (num_filters, num_channels, filter_size, filter_size)
        self.W = self.add_parameter("W", shape, weights_init)
        self.b = self.add_parameter("b", (num_filters, *full), Constant(0.0))

    def apply(self, X):
        """Map X (batch, height, width, channels) to (..., num_filters)."""
        b = self.b
        if b.ndim == 3:  # one bias a pixel, the frame cut off
            inside = slice(self.frame, b.type.shape[1] - self.frame)
            b = b[:, inside, inside].transpose(1, 2, 0)
        return conv2d(X, self.W, "same", "NHWC") + b


def _size(n, k, p):
    """Outputs along one axis; None where an input is not known yet."""
    return None if n is None or k is None else n + 2 * p - k + 1


def _like(gradient, variable):
    """The gradient with the static shape of what it is the gradient by."""
    return pt.specify_shape(gradient, variable.type.shape)


class _Sliding(Op):
    """What the two Ops share.

    Parameters
    ----------
    pad : tuple of two ints
        Zeros added on each side of the images' height and width.
    """

    __props__ = ("pad",)

    def __init__(self, pad):
        self.pad = tuple(int(p) for p in pad)

    def _spread(self, G, K, kernel_shape):
        """Each number of G times the kernel, added up where the kernel had been."""
        pad = [k - 1 - p for k, p in zip(kernel_shape[:2], self.pad, strict=True)]
        return Correlate(pad)(G, K[::-1, ::-1].transpose(0, 1, 3, 2))

    def _tensors(self, *inputs):
        tensors = [pt.as_tensor(x) for x in inputs]
        if any(x.ndim != 4 for x in tensors):
            raise ValueError(f"{self} takes tensors of 4 axes")
        if len({x.dtype for x in tensors}) > 1:
            dtype = np.result_type(*(x.dtype for x in tensors))
            tensors = [x.astype(str(dtype)) for x in tensors]
        return tensors


class Correlate(_Sliding):
    """Images (n, h, w, c) and a kernel (k_h, k_w, c, o) to images (n, h', w', o)."""

    def make_node(self, X, K):
        X, K = self._tensors(X, K)
        (n, h, w, c), (k_h, k_w, c_K, o) = X.type.shape, K.type.shape
        if c is not None and c_K is not None and c != c_K:
            raise ValueError(f"the images have {c} channels, the filters {c_K}")
        shape = (n, _size(h, k_h, self.pad[0]), _size(w, k_w, self.pad[1]), o)
        return Apply(self, [X, K], [pt.tensor(dtype=X.dtype, shape=shape)])

    def infer_shape(self, *given):
        (n, h, w, _), (k_h, k_w, _, o) = given[-1]  # PyTensor 3.3 hands on no graph
        return [(n, _size(h, k_h, self.pad[0]), _size(w, k_w, self.pad[1]), o)]

    def pullback(self, inputs, outputs, cotangents):
        (X, K), (g,) = inputs, cotangents
        g_X = self._spread(g, K, K.type.shape)
        g_K = CorrelateWeights(self.pad)(X, g)
        return [_like(g_X, X), _like(g_K, K)]

    def perform(self, node, inputs, output_storage):
        X, K = inputs
        columns = numpy_patches(X, K.shape[:2], self.pad)
        output_storage[0][0] = np.tensordot(columns, K, 3)


class CorrelateWeights(_Sliding):
    """Images (n, h, w, c) and (n, h', w', o) to the kernel (k_h, k_w, c, o).

    The gradient of `Correlate` by its kernel.
    """

    def make_node(self, X, G):
        X, G = self._tensors(X, G)
        (_, h, w, c), (_, g_h, g_w, o) = X.type.shape, G.type.shape
        shape = (_size(h, g_h, self.pad[0]), _size(w, g_w, self.pad[1]), c, o)
        return Apply(self, [X, G], [pt.tensor(dtype=X.dtype, shape=shape)])

    def infer_shape(self, *given):
        (_, h, w, c), (_, g_h, g_w, o) = given[-1]
        return [(_size(h, g_h, self.pad[0]), _size(w, g_w, self.pad[1]), c, o)]

    def pullback(self, inputs, outputs, cotangents):
        (X, G), (V,) = inputs, cotangents
        g_X = self._spread(G, V, outputs[0].type.shape)
        g_G = Correlate(self.pad)(X, V)
        return [_like(g_X, X), _like(g_G, G)]

    def perform(self, node, inputs, output_storage):
        X, G = inputs
        kernel = [
            _size(n, g, p)
            for n, g, p in zip(X.shape[1:3], G.shape[1:3], self.pad, strict=True)
        ]
        columns = numpy_patches(X, kernel, self.pad)
        output_storage[0][0] = np.tensordot(columns, G, ((0, 1, 2), (0, 1, 2)))


def numpy_patches(X, kernel, pad):
    """A view of the pixels under a kernel: (n, h', w', k_h, k_w, c)."""
    X = np.pad(X, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(X, tuple(kernel), axis=(1, 2))
    return view.transpose(0, 1, 2, 4, 5, 3)


@wrapt.when_imported("pytensor.link.numba.dispatch")
def teach_numba(dispatch):
    """Numba takes most of a second to load, so it is taught when PyTensor loads it."""
    from dpm.blocks import conv_numba

    register = dispatch.basic.register_funcify_default_op_cache_key
    register(Correlate)(conv_numba.numba_funcify_Correlate)
    register(CorrelateWeights)(conv_numba.numba_funcify_CorrelateWeights)


if importlib.util.find_spec("jax") is not None:
    import jax
    import jax.numpy as jnp
    from pytensor.link.jax.dispatch import jax_funcify

    PART_BYTES = 1 << 20  # of images treated at once, so that they stay in the cache

    @jax_funcify.register(Correlate)
    def jax_funcify_Correlate(op, node, **kwargs):
        def correlate(X, K):
            pad = [(p, p) for p in op.pad]
            layout = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(
                X, K, (1, 1), pad, dimension_numbers=layout
            )

        return correlate

    def parts_of(n, bytes_per_image):
        """The largest divisor of n whose images fit in PART_BYTES."""
        most = max(1, PART_BYTES // max(1, bytes_per_image))
        return max(d for d in range(1, min(n, most) + 1) if n % d == 0)

    def weights_by_xla(op):
        """`CorrelateWeights` as the gradient that XLA knows, for other devices."""

        def correlate_weights(X, G):
            kernel = [_size(X.shape[i], G.shape[i], op.pad[i - 1]) for i in (1, 2)]
            like = jnp.zeros((*kernel, X.shape[3], G.shape[3]), X.dtype)
            correlate = jax_funcify_Correlate(op, None)
            return jax.vjp(lambda K: correlate(X, K), like)[1](G)[0]

        return correlate_weights

    @jax_funcify.register(CorrelateWeights)
    def jax_funcify_CorrelateWeights(op, node, **kwargs):
        """Some images at a time: XLA's own way is several times slower on a CPU.

        Weight (i, j) is a sum over places (y, u) of X[y + i, u] G[y, u - j], both seen
        through their frames of zeros. So the shifts are shared out: those by i move the
        images X, those by j the images G, and one matrix product does the rest with a
        third of the copies that moving X alone would need.
        """
        if not on_cpu():
            return weights_by_xla(op)

        def correlate_weights(X, G):
            n, h, w, o = G.shape
            c = X.shape[3]
            k_h = _size(X.shape[1], h, op.pad[0])
            k_w = _size(X.shape[2], w, op.pad[1])
            frame = k_w - 1 - op.pad[1]

            def add_some(total, part):
                x, g = part
                x = jnp.pad(x, ((0, 0), (op.pad[0],) * 2, (0, 0), (0, 0)))
                g = jnp.pad(g, ((0, 0), (0, 0), (frame,) * 2, (0, 0)))
                rows = [x[:, i : i + h] for i in range(k_h)]
                columns = [
                    g[:, :, k_w - 1 - j :][:, :, : X.shape[2]] for j in range(k_w)
                ]
                rows = jnp.concatenate(rows, axis=-1).reshape(-1, k_h * c)
                columns = jnp.concatenate(columns, axis=-1).reshape(-1, k_w * o)
                return total + rows.T @ columns, None

            size = parts_of(n, X[0].size * X.dtype.itemsize) if n else 1
            parts = tuple(a.reshape(n // size, size, *a.shape[1:]) for a in (X, G))
            start = jnp.zeros((k_h * c, k_w * o), X.dtype)
            total, _ = jax.lax.scan(add_some, start, parts)
            return total.reshape(k_h, c, k_w, o).transpose(0, 2, 1, 3)

        return correlate_weights
