"""Two processes with one thread each, against one process with two threads.

    python tests/benchmarks/bench_devices.py

Trains the default MNIST model on batches of 512 random images, each way in processes of
its own, in turns, and prints the ratio of the shortest steps, and of the medians. Aim:
at most 1.05. The control: two processes that do not speak, each with half of the
images, draws and all. What two joined ones take beyond these is what joining costs.
Where others use the machine the median says more of them. Needs two
cores, and more do not help: processes are pinned. The costs of both must agree.

Then the estimate on paper, from what was measured here: `step_seconds` for a batch of
512 and of 8,192 images on a network of 10 and of 100 Gbit/s, and how many devices it
takes until twice as many make a step less than a tenth shorter.

A step sends the gradients, four bytes a parameter, and nothing else. In a ring each
device sends and receives 2 (n - 1)/n times as much, whatever their number n; what the
devices share is the time of the images alone. So there is an end, at about

    n = (seconds of the batch on one device) / (seconds of twice the gradients)

and it comes sooner the faster a device is. What one would change then, in this order:
larger batches, with a higher learning rate; gradients in half the bytes; the dense
pathway, which holds nearly all of the parameters, left out as in `n_hidden_dense_lower
= 0`, or its matrices cut between devices in place of the batch; gradients of the upper
layers sent while the lower ones are still computed, as XLA does on GPUs.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

import numpy as np

WIDTH, BATCH, SMALLER = 28, 512, 128
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
BATCHES, GBITS = (512, 8192), (10, 100)
FASTER = (1, 100)  # devices: one core of this machine, and so many times as fast


def step_seconds(n: int, batch: int, per_image, fixed, n_bytes, gbit, latency):
    """A step on n devices, in seconds.

    Parameters
    ----------
    n, batch : int
        Devices; images that they share.
    per_image, fixed : float
        Seconds that one device takes for an image, and for what is not shared out.
    n_bytes : float
        Of all gradients.
    gbit : float
        Of the network, Gbit/s for each device.
    latency : float
        Seconds for a message; the ring has 2 (n - 1) of them.
    """
    sent = 2 * (n - 1) / n * n_bytes * 8 / (gbit * 1e9)
    return fixed + per_image * batch / n + sent + 2 * (n - 1) * latency


def enough(batch: int, **parts) -> int:
    """The number of devices, a power of two, from which doubling gains < a tenth."""
    n = 1
    while 2 * n <= batch:
        now, twice = (step_seconds(k, batch, **parts) for k in (n, 2 * n))
        if twice > 0.9 * now:
            break
        n *= 2
    return n


def loop_of(batch: int):
    """Training of the default model, ready to go."""
    from dpm.recipes import ImageRecipe

    X = np.random.default_rng(0).standard_normal((2 * BATCH, WIDTH**2))
    args = {"spatial_width": WIDTH, "n_colors": 1, "uniform_noise": 0.0127}
    return ImageRecipe(batch_size=batch, model_args=args).main_loop(X)


def seconds_of(call, repeats: int) -> dict:
    """The median and the shortest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return {"median": statistics.median(times), "shortest": min(times)}


def work(args) -> None:
    """What one process measures, as JSON on its last line."""
    from dpm.blocks import devices, processes

    if args.processes > 1:
        processes.join(f"127.0.0.1:{args.port}", args.processes, args.number)
        devices.use()
    loop = loop_of(args.batch)
    devices.place(loop.algorithm)
    for _ in range(2):
        loop.take_step()
    found = {"step": seconds_of(loop.take_step, args.repeats), "costs": loop.costs}
    sizes = {k: v.size for k, v in loop.model.get_parameter_values().items()}
    found["parameters"] = sum(sizes.values())
    found["dense"] = sum(size for path, size in sizes.items() if "lower" in path)
    if args.processes > 1:
        found["latency"] = message_seconds()
    print(json.dumps(found), flush=True)


def message_seconds() -> float:
    """Seconds for one number to be added up between the processes."""
    import jax
    from jax.sharding import Mesh, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("batch",))
    whole = PartitionSpec()
    add = jax.jit(
        jax.shard_map(
            lambda x: jax.lax.psum(x, "batch"), mesh=mesh, in_specs=whole,
            out_specs=whole,
        )
    )  # fmt: skip
    one = np.ones(1, "float32")
    add(one)
    return seconds_of(lambda: add(one).block_until_ready(), 200)


def measured(n_processes: int, cores: list, batch: int, repeats: int) -> dict:
    """Start processes, each on its cores, and read what the first of them found."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = []
    for number, own in enumerate(cores):
        one = {"XLA_FLAGS": ONE_THREAD} if len(own) == 1 else {}
        env = os.environ | one | {"OPENBLAS_NUM_THREADS": str(len(own))}
        words = ["--processes", n_processes, "--number", number, "--port", port]
        words += ["--batch", batch, "--repeats", repeats]
        started.append(
            subprocess.Popen(
                [sys.executable, __file__, "--work", *map(str, words)],
                env=env,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda own=own: os.sched_setaffinity(0, own),
            )
        )
    said = [one.communicate()[0] for one in started]
    return json.loads(said[0].strip().splitlines()[-1])


def compare(cores, repeats: int, turns: int) -> tuple[dict, dict, dict]:
    """All ways in turns; what each found, with the median of its steps."""
    each = [{core} for core in cores]
    ways = {
        "one": (1, [set(cores)], BATCH),
        "two": (2, each, BATCH),
        "apart": (1, each, BATCH // 2),
    }
    found = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            found[name].append(measured(*way, repeats))
    for results in found.values():
        for kind, choose in (("median", statistics.median), ("shortest", min)):
            steps = [result["step"][kind] for result in results]
            results[0]["step"][kind] = choose(steps)
    one, two, apart = (found[name][0] for name in ways)
    np.testing.assert_allclose(one["costs"][:5], two["costs"][:5], rtol=1e-4)
    return one, two, apart


def estimate(per_image, fixed, n_bytes, latency) -> None:
    """Print at how many devices a step stops getting much shorter."""
    for faster in FASTER:
        print(f"devices {faster} times as fast as one core here:")
        for gbit in GBITS:
            for batch in BATCHES:
                parts = {
                    "per_image": per_image / faster, "fixed": fixed / faster,
                    "n_bytes": n_bytes, "gbit": gbit, "latency": latency,
                }  # fmt: skip
                n = enough(batch, **parts)
                times = (step_seconds(k, batch, **parts) for k in (1, n))
                print(
                    f"  {gbit:4} Gbit/s, batch {batch:5,}: {n:4} devices, a step of "
                    "{:.4f} s in place of {:.4f} s".format(*reversed([*times]))
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    for name in ("processes", "number", "port", "batch"):
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args)
        return
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two cores are needed")
    one, two, apart = compare(cores, args.repeats, args.turns)
    n_bytes = 4 * two["parameters"]
    for kind in ("shortest", "median"):
        base, both, silent = (way["step"][kind] for way in (one, two, apart))
        print(
            f"a step of {BATCH} images, {kind}: one process of two threads "
            f"{base:.3f} s, two of one {both:.3f} s, {both / base:.2f} times it, "
            f"two that do not speak {silent:.3f} s, {silent / base:.2f} times it"
        )
    print(f"gradients: {n_bytes / 1e6:.1f} MB a step, of which the dense pathway has "
          f"{two['dense'] / two['parameters']:.0%}")  # fmt: skip
    single = {b: measured(1, [{cores[0]}], b, args.repeats) for b in (SMALLER, BATCH)}
    steps = [single[batch]["step"]["shortest"] for batch in (SMALLER, BATCH)]
    per_image = (steps[1] - steps[0]) / (BATCH - SMALLER)
    fixed = max(0.0, steps[0] - per_image * SMALLER)
    latency = two["latency"]["median"]
    print(f"one core: {1000 * per_image:.2f} ms an image and {1000 * fixed:.0f} ms a "
          f"step; a message takes {1e6 * latency:.0f} us")  # fmt: skip
    estimate(per_image, fixed, n_bytes, latency)


if __name__ == "__main__":
    main()
