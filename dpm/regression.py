"""The functions that are learned of images, by the names of the 2015 code.

Multi-scale convolutions and dense layers side by side, then a small network for each
pixel (Section D.2). Those of the toys are `dpm.diffusion.networks`.
"""

import numpy as np
import pytensor.tensor as pt

from dpm.blocks.bricks import MLP, Brick, IsotropicGaussian, Orthogonal, no_dropout
from dpm.blocks.conv import Convolutional


def LeakyRelu(x):
    """x where positive, else x / 20: the reference's only nonlinearity."""
    return pt.switch(x > 0, x, 0.05 * x)


def identity(x):
    """The "nonlinearity" of a last layer."""
    return x


def repeated(imgs):
    """Make of each pixel of (batch, h, w, c) a square of 2 by 2."""
    n, h, w, c = imgs.type.shape
    imgs = pt.broadcast_to(imgs[:, :, None, :, None], (n, h, 2, w, 2, c))
    return imgs.reshape((n, 2 * h, 2 * w, c))


def interpolated(imgs):
    """`repeated`, but linear between the centres of the squares.

    Each half of a square is three quarters of that and a quarter of the neighbour on
    its side: no border is a jump, which pictures would show as blocks. Beyond the
    outermost centres it is constant.
    """
    imgs = _interpolated_rows(imgs).transpose(0, 2, 1, 3)
    return _interpolated_rows(imgs).transpose(0, 2, 1, 3)


def _interpolated_rows(imgs):
    """Twice as many rows, (n, h, w, c) to (n, 2h, w, c)."""
    n, h, w, c = imgs.type.shape
    above = pt.concatenate([imgs[:, :1], imgs[:, :-1]], axis=1)
    below = pt.concatenate([imgs[:, 1:], imgs[:, -1:]], axis=1)
    halves = [0.75 * imgs + 0.25 * neighbour for neighbour in (above, below)]
    return pt.stack(halves, axis=2).reshape((n, 2 * h, w, c))


class MultiScaleConvolution(Brick):
    """One layer of a multi-scale convolutional network (Section D.2.1, Figure D.1).

    The images are averaged down to 1/2, 1/4, ... of their width, convolved at each
    scale, blown up again and summed, from the coarsest scale to the finest.

    Parameters
    ----------
    num_channels, num_filters : int
    spatial_width : int
        Height and width of the images, divisible by 2**(num_scales - 1).
    num_scales : int
    filter_size : int
        Odd.
    nonlinearity : callable
    nonlinearity_after_sum : bool
        False: a nonlinearity inside each scale, and the mean over the scales, as in
        the reference. True: one nonlinearity on their sum, as in the paper.
    tied_biases : bool
    start : callable
        Gives the initialiser of the finest scale's filters, for a standard deviation.
    upsample : callable
        Blows images (batch, h, w, c) up to twice their size: `repeated`, as in the
        reference, or `interpolated`.
    name : str
        Beginning of the names of the scales.

    Notes
    -----
    Reference: ``MultiScaleConvolution`` in ``regression.py``.
    """

    def __init__(
        self,
        num_channels: int,
        num_filters: int,
        spatial_width: int,
        num_scales: int,
        filter_size: int,
        nonlinearity=LeakyRelu,
        nonlinearity_after_sum: bool = False,
        tied_biases: bool = False,
        start=IsotropicGaussian,
        upsample=repeated,
        name: str = "",
    ):
        super().__init__("multiscaleconvolution")
        check_scales(spatial_width, num_scales)
        self.num_scales = num_scales
        self.upsample = upsample
        self.nonlinearity = nonlinearity
        self.nonlinearity_after_sum = nonlinearity_after_sum
        # On smooth images the pixels under a filter add up coherently: the output grows
        # with their number, not with its root.
        std = np.sqrt(1.0 / num_filters) / filter_size**2
        for scale in range(num_scales):
            weights_init = IsotropicGaussian(std) if scale else start(std)
            convolution = Convolutional(
                filter_size,
                num_filters,
                num_channels,
                spatial_width // 2**scale,
                weights_init,
                tied_biases,
            )
            at_scale = Brick(f"{name}scale{scale}")
            at_scale.children.append(convolution)
            self.children.append(at_scale)

    def downsample(self, imgs, scale: int):
        """Average (batch, h, w, c) over squares of 2**scale pixels."""
        if scale == 0:
            return imgs
        n, h, w, c = imgs.type.shape
        size = 2**scale
        squares = imgs.reshape((n, h // size, size, w // size, size, c))
        return squares.mean(axis=(2, 4))

    def apply(self, X, drop=no_dropout):
        """Map X (batch, width, width, num_channels) to (..., num_filters)."""
        inside = identity if self.nonlinearity_after_sum else self.nonlinearity
        X = drop(X)
        total = None
        for scale in range(self.num_scales - 1, -1, -1):
            (convolution,) = self.children[scale].children
            imgs = inside(convolution.apply(self.downsample(X, scale)))
            total = imgs if total is None else total + imgs
            if scale > 0:
                total = self.upsample(total)
        if self.nonlinearity_after_sum:
            return self.nonlinearity(total)
        return total / self.num_scales


def check_scales(spatial_width: int, num_scales: int) -> None:
    """Raise ValueError unless images can be halved often enough."""
    if num_scales < 1:
        raise ValueError(f"n_scales = {num_scales}: at least one scale is needed")
    if spatial_width % 2 ** (num_scales - 1):
        raise ValueError(
            f"spatial_width = {spatial_width} cannot be halved {num_scales - 1} times: "
            f"n_scales = {num_scales} needs a width divisible by "
            f"{2 ** (num_scales - 1)}"
        )


class MultiLayerConvolution(Brick):
    """Several layers of `MultiScaleConvolution`.

    Parameters
    ----------
    n_layers, n_hidden : int
        Layers, and the filters of each.
    spatial_width, n_colors, n_scales, filter_size : int
    choices
        Passed on to each layer.
    """

    def __init__(
        self,
        n_layers: int,
        n_hidden: int,
        spatial_width: int,
        n_colors: int,
        n_scales: int,
        filter_size: int = 3,
        **choices,
    ):
        super().__init__("multilayerconvolution")
        num_channels = n_colors
        for i in range(n_layers):
            layer = MultiScaleConvolution(
                num_channels,
                n_hidden,
                spatial_width,
                n_scales,
                filter_size,
                name=f"layer{i}_",
                **choices,
            )
            self.children.append(layer)
            num_channels = n_hidden

    def apply(self, X, drop=no_dropout):
        """Map X (batch, width, width, n_colors) to (..., n_hidden)."""
        for layer in self.children:
            X = layer.apply(X, drop)
        return X


class MLP_conv_dense(Brick):
    """The network for images: coefficients of mean and covariance for every pixel.

    A lower half with two pathways side by side, multi-scale convolutions and dense
    layers that see the whole image, and an upper half that treats each pixel alone
    (Figure D.1).

    Parameters
    ----------
    n_layers_conv, n_layers_dense_lower, n_layers_dense_upper : int
        Zero layers, or zero hidden units, leave a pathway out.
    n_hidden_conv, n_hidden_dense_lower : int
    n_hidden_dense_lower_output : int
        Outputs of the dense pathway for each pixel.
    n_hidden_dense_upper : int
    spatial_width, n_colors, n_scales, n_temporal_basis : int
    conv_nonlinearity, dense_nonlinearity : callable
    dense_lower_depth : {"n_layers_conv", "n_layers_dense_lower"}
        Which argument says how many layers the dense pathway has. The reference takes
        the first, surely by a slip.
    dense_start : callable, optional
        Called with the network once its parameters are drawn: see `start_with_pixels`.
    conv_start : callable
        `start` of each `MultiScaleConvolution`.
    choices
        Of `MultiScaleConvolution`.

    Notes
    -----
    Reference: ``MLP_conv_dense`` in ``regression.py``.
    """

    def __init__(
        self,
        n_layers_conv: int,
        n_layers_dense_lower: int,
        n_layers_dense_upper: int,
        n_hidden_conv: int,
        n_hidden_dense_lower: int,
        n_hidden_dense_lower_output: int,
        n_hidden_dense_upper: int,
        spatial_width: int,
        n_colors: int,
        n_scales: int,
        n_temporal_basis: int,
        *,
        conv_nonlinearity=LeakyRelu,
        dense_nonlinearity=LeakyRelu,
        dense_lower_depth: str = "n_layers_conv",
        dense_start=None,
        conv_start=IsotropicGaussian,
        **choices,
    ):
        super().__init__("mlp_conv_dense")
        self.dense_start = dense_start
        self.n_colors, self.spatial_width = n_colors, spatial_width
        self.n_temporal_basis = n_temporal_basis
        self.n_hidden_conv = n_hidden_conv
        self.n_hidden_dense_lower_output = n_hidden_dense_lower_output
        self.mlp_conv = self.mlp_dense_lower = None
        n_features = 0
        if n_layers_conv > 0 and n_hidden_conv > 0:
            self.mlp_conv = MultiLayerConvolution(
                n_layers_conv,
                n_hidden_conv,
                spatial_width,
                n_colors,
                n_scales,
                nonlinearity=conv_nonlinearity,
                start=conv_start,
                **choices,
            )
            self.children.append(self.mlp_conv)
            n_features += n_hidden_conv
        if n_hidden_dense_lower > 0 and n_layers_dense_lower > 0:
            depth = n_layers_dense_lower
            if dense_lower_depth == "n_layers_conv" and self.mlp_conv is not None:
                depth = n_layers_conv
            n_input = n_colors * spatial_width**2
            n_output = n_hidden_dense_lower_output * spatial_width**2
            self.mlp_dense_lower = MLP(
                [dense_nonlinearity] * depth,
                [n_input] + [n_hidden_dense_lower] * (depth - 1) + [n_output],
                Orthogonal(),
                name="MLP dense lower",
            )
            self.children.append(self.mlp_dense_lower)
            n_features += n_hidden_dense_lower_output
        if not self.children:
            raise ValueError(
                "neither pathway is left: n_layers_conv and n_hidden_conv, or "
                "n_layers_dense_lower and n_hidden_dense_lower, must be positive"
            )
        if n_layers_dense_upper < 1:
            raise ValueError(
                f"n_layers_dense_upper = {n_layers_dense_upper}: at least one layer "
                "must turn features into coefficients"
            )
        n_hidden_upper = n_layers_dense_upper - 1
        n_output = n_colors * 2 * n_temporal_basis  # mean and covariance
        self.mlp_dense_upper = MLP(
            [dense_nonlinearity] * n_hidden_upper + [identity],
            [n_features] + [n_hidden_dense_upper] * n_hidden_upper + [n_output],
            Orthogonal(),
            name="MLP dense upper",
        )
        self.children.append(self.mlp_dense_upper)

    def initialize(self, rng: np.random.Generator) -> None:
        super().initialize(rng)
        if self.dense_start is not None:
            self.dense_start(self)

    def _lower(self, X, drop):
        """Features of every pixel: X (n, c, w, w) to (n, w, w, n_features)."""
        n, width = X.type.shape[0], self.spatial_width
        conv = dense = None
        if self.mlp_conv is not None:
            conv = self.mlp_conv.apply(X.transpose(0, 2, 3, 1), drop)
        if self.mlp_dense_lower is not None:
            dense = self.mlp_dense_lower.apply(X.reshape((n, -1)), drop)
            dense = dense.reshape((n, width, width, self.n_hidden_dense_lower_output))
        if conv is None or dense is None:
            return dense if conv is None else conv
        return pt.concatenate(
            [
                conv / float(np.sqrt(self.n_hidden_conv)),
                dense / float(np.sqrt(self.n_hidden_dense_lower_output)),
            ],
            axis=3,
        )

    def apply(self, X, drop=no_dropout):
        """Temporal coefficients for images X (batch, colours, width, width).

        Returns
        -------
        Z : symbolic, shape (batch, width, width, n_colors * 2 * n_temporal_basis)
        """
        return self.mlp_dense_upper.apply(self._lower(X, drop), drop)

    def apply_at(self, X, weights, drop=no_dropout):
        """`apply` followed by a weighted sum over the temporal basis.

        The weights enter the last layer before it meets the pixels, so the n_basis
        coefficients of each pixel are never formed.

        Parameters
        ----------
        X : symbolic, shape (batch, colours, width, width)
        weights : symbolic, shape (n_temporal_basis, n_t)
            g_j(t); n_t is 1, or the batch size for a time of its own for each image.

        Returns
        -------
        symbolic, shape (batch, width, width, n_colors, 2)
        """
        n, width, n_t = X.type.shape[0], self.spatial_width, weights.type.shape[1]
        *hidden, last = self.mlp_dense_upper.children
        Y = self._lower(X, drop)
        activations = self.mlp_dense_upper.activations
        for linear, activation in zip(hidden, activations, strict=False):
            Y = activation(linear.apply(drop(Y)))
        n_out = 2 * self.n_colors
        n_in = last.W.type.shape[0]
        W = last.W.reshape((n_in * n_out, self.n_temporal_basis)) @ weights
        b = last.b.reshape((n_out, self.n_temporal_basis)) @ weights  # (n_out, n_t)
        Y = drop(Y).reshape((n, width * width, n_in))
        if n_t == 1:
            Z = (
                Y.reshape((n * width * width, n_in)) @ W.reshape((n_in, n_out))
                + b[:, 0]
            )
        else:
            W = W.reshape((n_in, n_out, n_t)).transpose(2, 0, 1)
            Z = Y @ W + b.T[:, None, :]
        return Z.reshape((n, width, width, self.n_colors, 2))
