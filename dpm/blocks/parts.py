"""A minibatch's gradients, one part of it after another.

What a network computes on the way, its activations, is large: 32 MB a layer for 512
images of 28 x 28 pixels in 20 channels. Taken all at once they go to memory and back at
every operation; those of a few images stay in the processor's cache. So a part of the
images goes all the way forward and back before the next one starts.
"""

import sys

import pytensor
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace

PART_BYTES = 2 << 20  # of one layer's activations, that they stay in the cache


def on_cpu() -> bool:
    """Whether graphs run on processor cores, as they do where JAX is not loaded."""
    jax = sys.modules.get("jax")
    return jax is None or jax.default_backend() == "cpu"


def part_size(n: int, bytes_per_sample: int) -> int:
    """The largest divisor of `n` whose activations fit in `PART_BYTES`; at least 1.

    All n where graphs do not run on a CPU: other devices want as many as there are.
    """
    if not on_cpu():
        return n
    most = max(1, PART_BYTES // max(1, bytes_per_sample))
    return max(d for d in range(1, min(n, most) + 1) if n % d == 0)


def cut_axis(part, whole):
    """The axis along which a part's input is shorter than the minibatch's, or None."""
    axes = [
        axis
        for axis, (few, all_) in enumerate(
            zip(part.type.shape, whole.type.shape, strict=True)
        )
        if few != all_
    ]
    if len(axes) > 1:
        raise ValueError(
            f"input {whole} of shape {whole.type.shape} cannot be cut into parts of "
            f"shape {part.type.shape}: more than one axis differs"
        )
    return axes[0] if axes else None


def cost_and_gradients(cost, inputs, parameters, whole):
    """A minibatch's cost and its gradients, from the graph of a part of it.

    Parameters
    ----------
    cost : symbolic scalar
        Of one part: an average over its samples.
    inputs : list of symbolic variables
        Of `cost`, of known shapes.
    parameters : list of shared variables
    whole : list of symbolic variables
        The minibatch's inputs, in the same order. Where one is longer than the part's
        it is cut into parts; others, such as one time step for all, serve each part.

    Returns
    -------
    cost : symbolic scalar
        The average over all samples: the mean of the parts' costs.
    gradients : list
        Its gradients by the parameters: the means of the parts' gradients.

    Raises
    ------
    ValueError
        For inputs that cannot be cut into equal parts, all equally many.
    """
    of_part = [cost, *pt.grad(cost, parameters)]
    axes = [cut_axis(part, all_) for part, all_ in zip(inputs, whole, strict=True)]
    lengths = {
        (part.type.shape[axis], all_.type.shape[axis])
        for part, all_, axis in zip(inputs, whole, axes, strict=True)
        if axis is not None
    }
    if len(lengths) != 1 or any(all_ % few for few, all_ in lengths):
        raise ValueError(
            f"lengths of parts and minibatches {sorted(lengths)}: give one pair, the "
            "second a multiple of the first"
        )
    ((size, n),) = lengths
    sequences, fixed, cut, same = [], [], [], []
    for part, all_, axis in zip(inputs, whole, axes, strict=True):
        if axis is None:
            fixed.append(all_)
            same.append(part)
            continue
        shape = all_.type.shape
        parts = all_.reshape((*shape[:axis], n // size, size, *shape[axis + 1 :]))
        sequences.append(pt.moveaxis(parts, axis, 0))
        cut.append(part)

    def add(*given):
        """Add what one part gives to the sums over those before."""
        some, rest = given[: len(cut)], given[len(cut) :]
        sums, rest = rest[: len(of_part)], rest[len(of_part) :]
        replace = dict(zip([*cut, *same], [*some, *rest[: len(same)]], strict=True))
        found = clone_replace(of_part, replace=replace)
        return [total + value for total, value in zip(sums, found, strict=True)]

    totals = pytensor.scan(
        add,
        sequences=sequences,
        outputs_info=[pt.zeros(v.type.shape, dtype=v.dtype) for v in of_part],
        non_sequences=[*fixed, *parameters],
        strict=True,
        return_updates=False,
    )
    mean, *gradients = (total[-1] * pt.constant(size / n, dtype=total.dtype)
                        for total in totals)  # fmt: skip
    return mean, gradients
