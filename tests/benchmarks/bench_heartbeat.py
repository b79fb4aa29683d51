"""What a long trajectory costs: a training step of the heartbeat against T.

    python tests/benchmarks/bench_heartbeat.py

Every step visits the same number of time steps, so it should cost the same however many
readouts there are. Chains of 250 to 4000 steps are timed in turns in one process, in
processor time, which other programs disturb less than the clock on the wall; ratios to
the shortest are printed, because machines differ. A second table shows what it would
cost to compute the same step with the tables inside the compiled graph.
"""

import time

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.algorithms import split_rows
from dpm.recipes import HeartbeatRecipe

LENGTHS, REPEATS, STEPS = (250, 500, 1000, 2000, 4000), 5, 40
INSIDE_STEPS = 10
SMALL = np.float32(1e-6)


def build(T):
    """A main loop for a chain of T steps, its first step taken."""
    recipe = HeartbeatRecipe(trajectory_length=T)
    loop = recipe.main_loop(recipe.load_data().X_train)
    loop.extensions = []
    loop.take_step()
    return loop


def scatter_inside(loop):
    """The same gradients, with tables read and written inside the compiled graph.

    The step rule's arithmetic is small beside the copying and is left out.
    """
    algorithm = loop.algorithm
    updates, paths = [], loop.data_stream.recipe.tables(loop.model)
    for path, parameter in algorithm.parameters.items():
        if path not in paths:
            updates.append((parameter, parameter - SMALL * algorithm.gradients[path]))
    for rows in algorithm._rows:
        table, _ = split_rows(rows)
        change = [algorithm.gradients[p] for p in paths]
        change = [g for g in change if g.type.shape == rows.type.shape]
        new = rows - SMALL * change[0] if change else rows + 1.0
        updates.append((table, pt.set_subtensor(rows, new.astype(table.dtype))))
    total = algorithm.gradients[paths[0]].sum()
    function = pytensor.function(algorithm.inputs, total, updates=updates)
    batch = (
        loop.data_stream.batch(0).astype(loop.model.dtype),
        *loop.data_stream.draws(0),
    )
    return lambda: float(function(*batch))  # a number: the step must be over


def timed(run, steps):
    """Processor seconds a step."""
    start = time.process_time()
    for _ in range(steps):
        run()
    return (time.process_time() - start) / steps


def main():
    ours = {T: build(T).take_step for T in LENGTHS}
    inside = {T: scatter_inside(build(T)) for T in LENGTHS}
    for run in (*ours.values(), *inside.values()):
        timed(run, INSIDE_STEPS)  # the first calls are slow
    seconds = {(T, way): [] for T in LENGTHS for way in ("rows", "inside")}
    for _ in range(REPEATS):
        for T in LENGTHS:
            seconds[T, "rows"].append(timed(ours[T], STEPS))
            seconds[T, "inside"].append(timed(inside[T], INSIDE_STEPS))
    median = {key: float(np.median(values)) for key, values in seconds.items()}
    print("    T   rows handed in and out    tables inside the graph")
    for T in LENGTHS:
        words = [f"{T:5d}"]
        for way in ("rows", "inside"):
            ratio = median[T, way] / median[LENGTHS[0], "rows"]
            words.append(f"{1e3 * median[T, way]:8.2f} ms  x {ratio:5.2f}     ")
        print("  ".join(words))
    growth = median[LENGTHS[-1], "rows"] / median[LENGTHS[0], "rows"]
    print(f"T grows 16 times, a step {growth:.2f} times")
    assert growth < 2, "the cost of a step must hardly depend on T"


if __name__ == "__main__":
    main()
