"""Dead leaves a second, against a painter who looks at every pixel for every leaf.

    python tests/benchmarks/bench_dead_leaves.py

The painter draws leaves by the same law, one at a time, and ends when a picture is
covered. Both are timed in turns in one process, and the ratio of their medians is
printed; times alone say little, because machines differ.
"""

import time

import numpy as np

from dpm.datasets import leaves

WIDTH, SMALLEST, LARGEST = 32, 2.0, 16.0
REPEATS, N_OURS, N_NAIVE = 5, 1000, 30


def painter(n, seed):
    """Pictures (n, 1, width, width), each painted leaf by leaf."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((WIDTH, WIDTH))
    grey = np.zeros((n, WIDTH, WIDTH), np.uint8)
    for picture in grey:
        bare = np.ones((WIDTH, WIDTH), bool)
        while bare.any():
            radius, row, column = leaves.draw_leaves(rng, (), WIDTH, SMALLEST, LARGEST)
            inside = (y - row) ** 2 + (x - column) ** 2 <= radius**2
            picture[inside & bare] = rng.integers(256)
            bare &= ~inside
    return grey[:, None]


def ours(n, seed):
    """The same, by `dpm.datasets.leaves`."""
    return leaves.dead_leaves(n, WIDTH, SMALLEST, LARGEST, seed)


def main():
    known = float(leaves.same_leaf(1, SMALLEST, LARGEST))
    times = {ours: [], painter: []}
    for repeat in range(REPEATS):
        for draw, n in ((ours, N_OURS), (painter, N_NAIVE)):
            start = time.perf_counter()
            X = draw(n, repeat)
            times[draw].append((time.perf_counter() - start) / n)
            same = (X[..., 1:] == X[..., :-1]).mean()
            assert abs(same - known) < 0.1, "not the same law"
    a, b = (1 / np.median(times[draw]) for draw in (ours, painter))
    print(
        f"dpm {a:.0f} patches of {WIDTH} x {WIDTH} a second, a naive painter {b:.0f}: "
        f"ratio {a / b:.0f}"
    )


if __name__ == "__main__":
    main()
