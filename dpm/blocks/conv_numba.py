"""The two Ops of the convolution in Numba; loaded when PyTensor loads Numba."""

import numpy as np
from pytensor.link.numba.dispatch.basic import numba_njit


def numba_funcify_Correlate(op, node, **kwargs):
    pad_h, pad_w = op.pad

    @numba_njit
    def correlate(X, K):
        n, _, _, c = X.shape
        k_h, k_w, _, o = K.shape
        kernel = np.ascontiguousarray(K).reshape((k_h * k_w * c, o))
        h = X.shape[1] + 2 * pad_h - k_h + 1
        w = X.shape[2] + 2 * pad_w - k_w + 1
        out = np.empty((n, h, w, o), dtype=X.dtype)
        columns = np.zeros((h, w, k_h, k_w, c), dtype=X.dtype)
        flat = columns.reshape((h * w, k_h * k_w * c))
        for image in range(n):
            numba_fill(columns, X[image], pad_h, pad_w)
            out[image] = np.dot(flat, kernel).reshape((h, w, o))
        return out

    return correlate, 1


def numba_funcify_CorrelateWeights(op, node, **kwargs):
    pad_h, pad_w = op.pad

    @numba_njit
    def correlate_weights(X, G):
        n, _, _, c = X.shape
        _, h, w, o = G.shape
        k_h = X.shape[1] + 2 * pad_h - h + 1
        k_w = X.shape[2] + 2 * pad_w - w + 1
        total = np.zeros((k_h * k_w * c, o), dtype=X.dtype)
        columns = np.zeros((h, w, k_h, k_w, c), dtype=X.dtype)
        flat = columns.reshape((h * w, k_h * k_w * c))
        for image in range(n):
            numba_fill(columns, X[image], pad_h, pad_w)
            g = np.ascontiguousarray(G[image]).reshape((h * w, o))
            total += np.dot(flat.T, g)
        return total.reshape((k_h, k_w, c, o))

    return correlate_weights, 1


@numba_njit
def numba_fill(columns, image, pad_h, pad_w):
    """Copy the pixels under the kernel at each place; the frame's zeros stay zero."""
    h, w, k_h, k_w, c = columns.shape
    for y in range(h):
        for i in range(max(0, pad_h - y), min(k_h, image.shape[0] + pad_h - y)):
            for x in range(w):
                for j in range(max(0, pad_w - x), min(k_w, image.shape[1] + pad_w - x)):
                    for channel in range(c):
                        columns[y, x, i, j, channel] = image[
                            y + i - pad_h, x + j - pad_w, channel
                        ]
