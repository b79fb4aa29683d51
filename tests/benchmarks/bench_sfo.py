"""SFO against RMSProp on both toys: K by passes and by seconds.

    python tests/benchmarks/bench_sfo.py book/checkpoints/sfo_swiss_roll.npz
    python tests/benchmarks/bench_sfo.py book/checkpoints/sfo_heartbeat.npz

Both start from the same parameters. RMSProp takes small minibatches with fresh noise
and a learning rate that falls to zero, the best at the end of three; SFO has large
minibatches with frozen noise. K is in
bits per sample, with noise that neither has seen, the same each time: of held-out
points of the swiss roll, of all five sequences of the heartbeat, where a pass is as
many draws of each sequence as SFO has frozen. Seconds are of the processor, without
compiling and without measuring K.
"""

import dataclasses
import sys
import time

import numpy as np

from dpm import evaluation
from dpm.blocks import checkpoint
from dpm.blocks.extensions import FinishAfter
from dpm.commands import versions
from dpm.diffusion.bound import to_bits
from dpm.recipes import HeartbeatRecipe, SwissRollRecipe
from dpm.recipes.frozen import FrozenCosts

SEED, LEARNING_RATES = 0, (3e-3, 1e-2, 3e-2)
PASSES = {
    "SWISS_ROLL": np.array([0, 1, 2, 3, 5, 8, 10, 12, 15, 20, 30, 40]),
    "HEARTBEAT": np.array([0, 1, 2, 3, 5, 8, 10, 12, 15]),
}
N_MINIBATCHES = {"SWISS_ROLL": 50, "HEARTBEAT": 20}
N_DRAWS = 4000  # of each sequence of the heartbeat


class HeldOut:
    """K with noise not seen, and the seconds that pass between two of its calls."""

    def __init__(self, model, X):
        self.model, size = model, min(len(X), 500)
        n_batches = max(len(X) // size, 100 * (size < 500))
        self.X = np.resize(X, (n_batches, size, model.n_dim))
        rng = np.random.default_rng(99)
        shape = (n_batches, model.trajectory_length - 1, size, model.n_dim)
        self.noise = model.kernels.noise(rng, shape)
        self.compute = evaluation.compile_bound(model, size)
        self.K, self.seconds = [], []
        self.spent = 0.0

    def __call__(self):
        if self.K:  # the first call is before training
            self.spent += time.process_time() - self.started
        pairs = zip(self.X, self.noise, strict=True)
        K = np.mean([np.mean(self.compute(X, noise)[0]) for X, noise in pairs])
        self.K.append(float(to_bits(K)))
        self.seconds.append(self.spent)
        self.started = time.process_time()


def by_sfo(recipe, data, n_minibatches, schedule):
    X = data.X_train
    if recipe.dataset == "HEARTBEAT":
        X = np.tile(X, (N_DRAWS, 1))
        recipe = dataclasses.replace(recipe, n_draws=1)
    costs = FrozenCosts(recipe, X, n_minibatches)
    optimizer = costs.optimizer(seed=SEED)
    costs(costs.theta_init, costs.minibatches[0])  # compiles
    held_out, frozen = HeldOut(costs.model, data.X_test), []
    for before, passes in zip(np.r_[0, schedule[:-1]], schedule, strict=True):
        theta = optimizer.optimize(passes - before)
        costs.model.set_parameter_values(theta)
        held_out()
        frozen.append(
            -to_bits(optimizer.history.objective[-1]) / n_minibatches
            if passes
            else np.nan
        )
    return held_out, np.array(frozen), optimizer.history


def by_rmsprop(recipe, data, schedule, learning_rate):
    per_pass = len(data.X_train) // recipe.batch_size
    if recipe.dataset == "HEARTBEAT":
        per_pass = N_DRAWS // recipe.n_draws
    recipe = dataclasses.replace(
        recipe,
        rule="RMSProp",
        learning_rate=learning_rate,
        n_steps=per_pass * int(schedule[-1]),
    )
    loop = recipe.main_loop(data.X_train)
    start = loop.model.get_parameter_values()
    loop.algorithm.process_batch(
        loop.data_stream.batch(0), *loop.data_stream.draws(0)
    )  # compiles
    loop.model.set_parameter_values(start)
    for variable in loop.algorithm.step_rule.state.values():
        variable.set_value(np.zeros_like(variable.get_value()))
    held_out = HeldOut(loop.model, data.X_test)
    held_out()
    for passes in schedule[1:]:
        loop.extensions[-1] = FinishAfter(int(passes) * per_pass)
        loop.run()
        held_out()
    return held_out


def main(path):
    recipe = SwissRollRecipe(seed=SEED)
    if "heartbeat" in path:
        recipe = HeartbeatRecipe(
            seed=SEED,
            trajectory_length=10,
            n_t_per_minibatch=9,
            share_until=0.0,
            dtype="float64",
        )
    data = recipe.load_data()
    schedule, n = PASSES[recipe.dataset], N_MINIBATCHES[recipe.dataset]
    sfo, frozen, history = by_sfo(recipe, data, n, schedule)
    tried = [by_rmsprop(recipe, data, schedule, rate) for rate in LEARNING_RATES]
    ends = np.array([found.K[-1] for found in tried])
    best = int(np.argmax(ends))
    rmsprop, rate = tried[best], LEARNING_RATES[best]
    arrays = {"passes": schedule, "sfo_K_frozen": frozen, "rmsprop_ends": ends}
    for each, end in zip(LEARNING_RATES, ends, strict=True):
        print(f"RMSProp from {each}: {end:.3f} at the end")
    for name, found in [("sfo", sfo), ("rmsprop", rmsprop)]:
        arrays[f"{name}_K"] = np.array(found.K)
        arrays[f"{name}_seconds"] = np.array(found.seconds)
        print(name, np.round(found.K, 3), np.round(found.seconds, 1))
    kept = history.arrays()
    for name in ("subfunction", "objective", "n_active", "subspace"):
        arrays[f"history_{name}"] = kept[name].astype(
            "f4" if name == "objective" else "i2"
        )
    meta = {
        "command": f"python tests/benchmarks/bench_sfo.py {path}",
        "versions": versions(),
        "recipe": dataclasses.asdict(recipe),
        "seed": SEED,
        "n_minibatches": n,
        "rmsprop": {
            "learning_rate": rate,
            "tried": LEARNING_RATES,
            "batch_size": recipe.batch_size,
        },
        "given_up": history.given_up(),
        "unit": f"bits/{data.per}",
    }
    checkpoint.save(path, arrays, meta)


if __name__ == "__main__":
    main(sys.argv[1])
