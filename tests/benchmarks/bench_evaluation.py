"""Scoring a model of MNIST: K over all t, and the Parzen window, beside baselines.

    python tests/benchmarks/bench_evaluation.py

K over all t of Eq. 14 is timed against the network alone, called as often on as many
images: what the bound adds to the evaluations that it cannot do without. The Parzen
window of 10,000 images on 10,000 samples, at all widths of the grid, is timed against
`scipy.spatial.distance.cdist` and `scipy.special.logsumexp` on the same blocks, at one
width; and the most memory that its arrays held at once is printed. Images are random:
neither depends on what is in them. Both sides are timed in turns in one process.
"""

import time
import tracemalloc

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from dpm.evaluation import parzen
from dpm.evaluation.estimates import ALL_T_BATCH, bound_all_t, compile_all_t
from dpm.recipes import ImageRecipe
from dpm.sampler import compile_get_mu_sigma

N_IMAGES, N_TIMES, REPEATS = 1_000, 20, 5
N_WINDOW, WIDTH = 10_000, 0.2


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def all_t():
    """K of 1,000 images, a part of the time steps, against the network alone."""
    args = {"spatial_width": 28, "n_colors": 1, "trajectory_length": N_TIMES + 1}
    model = ImageRecipe(model_args=args).build_model()
    X = np.random.default_rng(0).standard_normal((N_IMAGES, model.n_dim))
    compute = compile_all_t(model, N_IMAGES)
    network = compile_get_mu_sigma(model, ALL_T_BATCH)
    parts = X.reshape(-1, ALL_T_BATCH, *model.sample_shape).astype(model.dtype)

    def alone():
        for t in range(1, N_TIMES + 1):
            for part in parts:
                network(part, t)

    def bound():
        bound_all_t(model, X, progress=False, compute=compute)

    alone(), bound()
    pairs = [(seconds(bound), seconds(alone)) for _ in range(REPEATS)]
    ours, base = np.median(pairs, axis=0)
    print(f"K of {N_IMAGES} images at {N_TIMES} times: {ours:.2f} s, the network alone "
          f"{base:.2f} s: ratio {ours / base:.2f}")  # fmt: skip


def by_scipy(X, samples):
    """The same log density at one width, in double precision."""
    out = []
    for start in range(0, len(X), parzen.BLOCK):
        distance2 = cdist(X[start : start + parzen.BLOCK], samples, "sqeuclidean")
        out.append(logsumexp(distance2 * (-0.5 / WIDTH**2), axis=1))
    normalizer = np.log(len(samples)) + X.shape[1] / 2 * np.log(2 * np.pi * WIDTH**2)
    return np.concatenate(out) - normalizer


def window():
    """10,000 images on 10,000 samples, all widths, against one width of SciPy's."""
    rng = np.random.default_rng(0)
    X, samples = rng.random((2, N_WINDOW, 784), dtype="float32")
    few = slice(0, 1_000)
    found = parzen.log_density(X[few], samples, WIDTH, progress=False)
    error = np.abs(found - by_scipy(X[few], samples)).max()
    print(f"Parzen window: differs from SciPy's by at most {error:.1e} nats")
    tracemalloc.start()
    parzen.log_density(X, samples, parzen.GRID, progress=False)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pairs = [
        (
            seconds(lambda: parzen.log_density(X[few], samples, WIDTH, progress=False)),
            seconds(lambda: by_scipy(X[few], samples)),
        )
        for _ in range(REPEATS)
    ]
    ours, base = np.median(pairs, axis=0)
    print(f"1,000 images on {N_WINDOW}: {ours:.2f} s, SciPy's {base:.2f} s: "
          f"ratio {ours / base:.2f}")  # fmt: skip
    print(f"{N_WINDOW} on {N_WINDOW}, {len(parzen.GRID)} widths: "
          f"at most {most / 2**30:.2f} GiB of arrays")  # fmt: skip


if __name__ == "__main__":
    window()
    all_t()
