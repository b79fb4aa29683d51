"""Draw and keep what the pages show of a kept model of images.

    python book/keep_samples.py dead_leaves 64 --walks 9 --unit 1000 --held-out 400
    python book/keep_samples.py mnist_tails 1000 --scores 1000 --fill 200
    python book/keep_samples.py mnist_dense 1000 --limit 20
    python book/keep_samples.py cifar10 64 --walks 8 --unit 1000 --denoise 32
    python book/keep_samples.py bark4 24 --unit 1000 --holes 3

Writes ``book/checkpoints/NAME_samples.npz``: samples, as whole `unit`-ths of the way
from black to white, the first of them drawn from seed 0. A thousand steps of a large
model take minutes, which a page has not. Where asked for it also holds the walks to the
first samples, at some times, so that a page can walk the last steps again; K - L_null
of held-out pictures, and with --scores of training pictures too, each over all t, in
bits per pixel; the first samples with their left halves filled in anew, twice in each
of `WAYS`, and as many samples with each step taken as often as in the last of these
ways; and the first held-out pictures under noise of variance 1 (in the model's units,
from seed 1), denoised twice with the paper's constant factor, and twice from the state
they are. Or, of textures, held-out pictures with a hole, filled in in the first of
`WAYS`: the middle of the uppermost square of each, seen with pixels around it (`HOLE`,
`WINDOW`).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import dpm
from dpm import sampler
from dpm.blocks import checkpoint
from dpm.diffusion.factors import Gaussian, Known, KnownWithNoise
from dpm.evaluation import bound_all_t
from dpm.evaluation.report import bits_per_pixel_above_null, some_rows

KEPT = Path(__file__).parent / "checkpoints"
BATCH = 100  # samples that walk together
SHARES = (1, 0.8, 0.7, 0.64, 0.58, 0.52, 0.46, 0.4, 0.34, 0.28, 0.2, 0.02, 0)  # of T
HOLE, WINDOW, SEED = 100, 192, 30_000  # pixels of a hole, of what its walk sees
SEEDS = 10_000, 20_000  # of fillings: not of the samples, whose noise they would repeat
WAYS = (  # how what is known is put back
    {"known_noise": False},
    {"known_noise": True},
    {"known_noise": True, "repeats": 4},
)


def in_grey(model, X) -> np.ndarray:
    """What the model has, (..., colours, height, width), as users do, (..., *shape)."""
    data = model.meta["data"]
    X = np.moveaxis(X * data["scale"] + data["shift"], -3, -1)
    return X.reshape(*X.shape[:-3], *model.shape)


def again(model, n: int) -> np.ndarray:
    """Samples whose steps were taken again, (n, *shape of a picture)."""
    repeats, parts = WAYS[-1]["repeats"], range(0, n, BATCH)
    drawn = [
        sampler.sample(model.model, min(BATCH, n - i), i, repeats=repeats)
        for i in parts
    ]
    return in_grey(model, np.concatenate(drawn))


def draw(model, n: int, times) -> dict:
    """States of n walks at these times: {t: (n, *shape of a picture)}."""
    parts = []
    for seed in range(0, n, BATCH):
        walk = model.walk(min(BATCH, n - seed), seed)
        parts.append({t: X for t, X in walk if t in times})
    return {t: np.concatenate([part[t] for part in parts]) for t in times}


def fill(model, samples) -> np.ndarray:
    """Pictures with left halves filled in twice, (ways, 2, n, *shape of a picture)."""
    known = np.zeros(samples.shape[1:3], dtype=bool)
    known[:, known.shape[1] // 2 :] = True

    def once(way, seed):
        parts = range(0, len(samples), BATCH)
        drawn = [
            model.fill_in(samples[i : i + BATCH], known, seed + i, **way) for i in parts
        ]
        return np.concatenate(drawn)

    return np.array([[once(way, seed) for seed in SEEDS] for way in WAYS])


def denoise(model, X) -> np.ndarray:
    """Two draws with the constant factor, two from the state, (2, 2, n, *picture)."""
    net = model.model
    X = X.reshape(len(X), *net.sample_shape)
    noisy = X + np.random.default_rng(1).standard_normal(X.shape)
    twice = np.concatenate([noisy, noisy])
    drawn = [
        sampler.sample(net, len(twice), 2, Gaussian(twice, 1.0)),
        sampler.sample(
            net, len(twice), 3, start=sampler.noisy_as_state(net, twice, 1.0)
        ),
    ]
    return in_grey(model, np.array(drawn).reshape(2, 2, *X.shape))


def holes(model, whole, ways, times) -> dict:
    """Middles of the uppermost squares of pictures, filled in, in the model's units.

    By name: ``fillings``, (ways, n, HOLE, HOLE), and ``states``, (times, n, HOLE,
    HOLE), where walks in the first of the ways are at these times.
    """
    net = model.of_width(WINDOW).model
    width, rim = whole[0].shape[-1], (WINDOW - HOLE) // 2
    part = slice((width - WINDOW) // 2, (width + WINDOW) // 2)
    X = np.stack([picture[:, part, part] for picture in whole])
    hole = np.s_[..., rim : rim + HOLE, rim : rim + HOLE]
    known = np.ones(X.shape, dtype=bool)
    known[hole] = False
    step, found = sampler.compile_get_mu_sigma(net, len(X)), []
    for way in ways:
        factor = (KnownWithNoise if way["known_noise"] else Known)(X, known)
        more = {"get_mu_sigma": step, "repeats": way.get("repeats", 1)}
        walk = sampler.reverse_trajectory(net, len(X), SEED, factor, **more)
        walk = tqdm(walk, str(way), net.trajectory_length + 1)
        found.append({t: X[hole][:, 0] for t, X in walk if t in times})
    fillings = np.stack([states[0] for states in found])
    return {"fillings": fillings, "states": np.stack([found[0][t] for t in times])}


def scores(model, X, n: int) -> np.ndarray:
    """K - L_null of n pictures, each over all t, in bits per pixel."""
    K, _ = bound_all_t(model.model, some_rows(X, n))
    return bits_per_pixel_above_null(model.model, K).astype("float32")


def main(argv=None) -> int:
    """Draw, score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="of a file in book/checkpoints")
    parser.add_argument("n", type=int, help="how many samples")
    parser.add_argument("--unit", type=int, default=255, help="grey levels kept (255)")
    parser.add_argument("--walks", type=int, default=0, help="so many ways to samples")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--scores", type=int, default=0, help="K of so many pictures")
    of.add_argument("--held-out", type=int, default=0, help="or of held-out alone")
    parser.add_argument("--fill", type=int, default=0, help="halves of so many samples")
    parser.add_argument("--denoise", type=int, default=0, help="so many pictures")
    parser.add_argument("--holes", type=int, default=0, help="filled in so many ways")
    parser.add_argument("--limit", type=float, help="guess_limit, in place of its own")
    args = parser.parse_args(argv)
    model = dpm.load(KEPT / f"{args.name}.npz")
    if args.limit is not None:
        model.model.limit_guess(args.limit)
    walks = args.walks or args.holes
    times = [round(share * model.T) for share in SHARES] if walks else [0]
    kind = np.uint8 if args.unit == 255 and not walks else np.int16

    def whole(X):
        lowest, highest = np.iinfo(kind).min, np.iinfo(kind).max
        return np.rint(X * args.unit).clip(lowest, highest).astype(kind)

    states = draw(model, args.n, times)
    arrays = {"samples": whole(states[0])}
    if walks:
        arrays["times"] = np.array(times)
    if args.walks:
        arrays["walks"] = whole(np.stack([states[t][: args.walks] for t in times]))
    if args.fill:
        known = arrays["samples"][: args.fill] / args.unit
        arrays["fillings"] = whole(fill(model, known.clip(0, 1)))
        arrays["again"] = whole(again(model, args.fill))
    held_out = args.scores or args.held_out
    if held_out or args.denoise or args.holes:
        data = model.recipe.load_data()
    if args.denoise:
        arrays["denoised"] = whole(denoise(model, data.X_test[: args.denoise]))
    if args.holes:
        shift, scale = model.meta["data"]["shift"], model.meta["data"]["scale"]
        found = holes(model, data.whole, WAYS[: args.holes], times)
        arrays |= {name: whole(X * scale + shift) for name, X in found.items()}
    if held_out:
        arrays["K_test"] = scores(model, data.X_test, held_out)
    if args.scores:
        arrays["K_train"] = scores(model, data.X_train, args.scores)
    kept = {"report": model.meta["report"], "seed": 0, "unit": args.unit}
    kept["guess_limit"] = args.limit
    checkpoint.save(KEPT / f"{args.name}_samples.npz", arrays, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
