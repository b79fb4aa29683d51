"""Many devices, of one machine or of many: JAX's engine does the work.

A graph is told along which axis its samples lie (`share_out`). XLA then gives each
device its part of them, and adds up what the parts say of the parameters. Every process
draws the same batch, because draws are functions of seed, purpose and step, so no data
are sent. `dpm.blocks.processes` is how processes come together.

No graph is changed, and JAX is not loaded, before `use` is called.
"""

import contextlib
import functools

import numpy as np
import pytensor
import pytensor.tensor as pt
import wrapt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors

from dpm.blocks import processes
from dpm.blocks.parts import cut_axis

AXIS = "batch"  # the one axis of the mesh


class _State:
    """What `use` has set for this process."""

    mesh = None  # of JAX: all devices of the run; None of one


class Placed(Op):
    """The same numbers, with word to XLA of where they are to be.

    Parameters
    ----------
    axis : int or None
        The axis whose entries the devices share out; None leaves all on each device.
    """

    __props__ = ("axis",)
    view_map = {0: [0]}

    def __init__(self, axis):
        self.axis = axis

    def make_node(self, X):
        X = pt.as_tensor(X)
        return Apply(self, [X], [X.type()])

    def infer_shape(self, *given):
        return given[-1]  # the shapes; PyTensor 3.3 hands on no graph before them

    def pullback(self, inputs, outputs, cotangents):
        return cotangents

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0]


class MeanOverDevices(Op):
    """Averages of what each device makes of its own samples.

    Parameters
    ----------
    inputs, outputs : list of symbolic variables
        A graph of the samples that one device has.
    axes : list of int or None
        Along which the inputs are cut; None of those that all devices are given whole.
    many : int
        Devices.
    """

    def __init__(self, inputs, outputs, axes, many: int):
        self.fgraph = FunctionGraph(inputs, outputs, clone=True)
        self.axes, self.many = axes, many

    def make_node(self, *inputs):
        outputs = [variable.type() for variable in self.fgraph.outputs]
        return Apply(self, list(map(pt.as_tensor, inputs)), outputs)

    @functools.cached_property
    def _of_one(self):
        """The graph of one device, compiled."""
        fgraph = self.fgraph.clone()
        return pytensor.function(fgraph.inputs, fgraph.outputs)

    def perform(self, node, inputs, output_storage):
        shares = [
            [array] * self.many if axis is None else np.split(array, self.many, axis)
            for array, axis in zip(inputs, self.axes, strict=True)
        ]
        found = [self._of_one(*share) for share in zip(*shares, strict=True)]
        for storage, *values in zip(output_storage, *found, strict=True):
            mean = np.mean([np.asarray(value) for value in values], axis=0)
            storage[0] = mean.astype(values[0].dtype)


def mean_over_devices(outputs, inputs, whole) -> list:
    """Averages over the devices, from the graph of the samples that one of them has.

    Parameters
    ----------
    outputs : list of symbolic variables
        Averages over a device's samples, such as a cost and its gradients.
    inputs : list of symbolic variables
        Of that graph, of known shapes.
    whole : list of symbolic variables
        Those of all devices, in the same order. Where one is longer than a device's it
        is shared out along that axis.

    Returns
    -------
    list
        `outputs` where there is one device, whose `inputs` are `whole`.

    Notes
    -----
    `share_out` would do, but for a loop over parts of the samples, whose sums XLA adds
    up between the devices in every round; here that is done once, after the last.
    """
    if n_devices() == 1:  # whose samples are all there are
        return outputs
    axes = [cut_axis(own, all_) for own, all_ in zip(inputs, whole, strict=True)]
    shared = [v for v in ancestors(outputs) if isinstance(v, SharedVariable)]
    inner = [v.type() for v in shared]
    outputs = clone_replace(outputs, replace=dict(zip(shared, inner, strict=True)))
    axes += [None] * len(shared)
    op = MeanOverDevices([*inputs, *inner], outputs, axes, n_devices())
    return op(*whole, *shared, return_list=True)


@wrapt.when_imported("pytensor.link.jax.dispatch")
def teach_jax(dispatch):
    """JAX takes a second to load, so it is taught when PyTensor loads it."""

    @dispatch.jax_funcify.register(MeanOverDevices)
    def jax_funcify_MeanOverDevices(op, node, storage_map=None, **kwargs):
        import jax
        from jax.sharding import PartitionSpec
        from pytensor.compile.mode import JAX

        fgraph = op.fgraph.clone()
        JAX.optimizer(fgraph)
        of_one = dispatch.jax_funcify(fgraph, **kwargs)

        def mean(*inputs):
            return tuple(jax.lax.pmean(x, AXIS) for x in of_one(*inputs))

        places = tuple(PartitionSpec(*axes_of(axis)) for axis in op.axes)
        return jax.shard_map(
            mean,
            mesh=_State.mesh,
            in_specs=places,
            out_specs=PartitionSpec(),
            check_vma=False,
        )

    @dispatch.jax_funcify.register(Placed)
    def jax_funcify_Placed(op, node, **kwargs):
        import jax
        from jax.sharding import NamedSharding, PartitionSpec

        if _State.mesh is None:
            return lambda X: X
        place = NamedSharding(_State.mesh, PartitionSpec(*axes_of(op.axis)))
        return lambda X: jax.lax.with_sharding_constraint(X, place)


def axes_of(axis: int | None) -> tuple:
    """The axes of an array as JAX has them, of which the devices share out one."""
    return () if axis is None else (*[None] * axis, AXIS)


def use(n: int | None = None) -> int:
    """Let the graphs that are built from now on be shared out among devices.

    Parameters
    ----------
    n : int, optional
        Devices of this process, and of each of the others; all where left out.

    Returns
    -------
    int
        How many they are, in all processes together.

    Raises
    ------
    ValueError
        If there are not so many, or PyTensor does not compile by JAX.
    """
    jax = processes.jax_for_many()
    here = jax.local_devices()
    n = len(here) if n is None else n
    if not 1 <= n <= len(here):
        kind = here[0].platform.upper()
        raise ValueError(
            f"--devices {n}: JAX finds {len(here)} here ({kind}): ask for 1 to "
            f"{len(here)}, or all. A processor is one device, which uses all its cores"
        )
    own = {}
    for device in jax.devices():
        own.setdefault(device.process_index, []).append(device)
    if min(map(len, own.values())) < n:
        raise ValueError(
            f"--devices {n}: processes have {sorted(map(len, own.values()))} of them: "
            "ask for as many as each has"
        )
    used = [device for some in own.values() for device in some[:n]]
    many = len(used) > 1
    _State.mesh = jax.sharding.Mesh(np.array(used), (AXIS,)) if many else None
    return len(used)


def n_devices() -> int:
    """How many devices share the graphs that are built from now on; 1 before `use`."""
    return 1 if _State.mesh is None else _State.mesh.size


@contextlib.contextmanager
def one_device():
    """A context in which graphs are built as for one device."""
    mesh, _State.mesh = _State.mesh, None
    try:
        yield
    finally:
        _State.mesh = mesh


def described() -> dict:
    """What a run says of where it is done; nothing of one device."""
    if n_devices() == 1:
        return {}
    return {"devices": n_devices(), "processes": processes.n_processes()}


def share_out(X, axis: int = 0):
    """A variable whose entries along an axis are shared out among the devices.

    Parameters
    ----------
    X : symbolic
        Of known length along `axis`.
    axis : int
        Not negative.

    Returns
    -------
    symbolic
        The same numbers. X itself where there is one device, or where the devices
        cannot share evenly: each then does all.
    """
    even = n_devices() > 1 and X.type.shape[axis] % n_devices() == 0
    return Placed(axis)(X) if even else X


def place(algorithm) -> None:
    """Put what a `GradientDescent` changes on every device, where its steps leave it.

    Without this the second step is compiled anew, because what the first was given came
    from elsewhere. Tables stay where they are, outside of the compiled function.
    """
    if n_devices() == 1:
        return
    from jax import device_put
    from jax.sharding import NamedSharding, PartitionSpec

    everywhere = NamedSharding(_State.mesh, PartitionSpec())
    for variable in algorithm.state.values():
        if variable not in algorithm.tables:
            value = device_put(variable.get_value(borrow=True), everywhere)
            variable.container.storage[0] = value  # `set_value` makes it NumPy's


def whole(graphs) -> list:
    """Variables of which every device, and so every process, is to hold all."""
    return list(graphs) if n_devices() == 1 else [Placed(None)(x) for x in graphs]


def check_even(n: int) -> None:
    """Raise ValueError unless the samples of a step can be shared out evenly."""
    many = n_devices()
    if n % many:
        raise ValueError(
            f"a step has {n} samples, which {many} devices cannot share evenly: let "
            f"--batch-size be a multiple of {many}, or use other --devices"
        )


def filled_up(n: int) -> int:
    """The least number of samples, not below n, that the devices share out evenly."""
    return -(-n // n_devices()) * n_devices()


def filling_up(function, n: int, axis: int = 0):
    """A compiled function for n samples, from one for `filled_up` of them.

    Parameters
    ----------
    function : callable
        Gives a list of arrays.
    n : int
    axis : int
        Along which what it gives has the samples: 0 or -1.

    Returns
    -------
    callable
        Of arguments for n samples. The first of them stand in for those that are
        missing, and what comes of these is cut off.
    """
    if filled_up(n) == n:
        return function
    lengths = [v.variable.type.shape for v in function.maker.inputs]
    again = np.arange(filled_up(n)) % n

    def fill(array, wanted):
        short = [i for i, k in enumerate(np.shape(array)) if k != wanted[i]]
        return np.take(array, again, axis=short[0]) if short else array

    def filled(*arrays):
        given = [fill(*pair) for pair in zip(arrays, lengths, strict=False)]
        return [np.take(out, range(n), axis=axis) for out in function(*given)]

    return filled
