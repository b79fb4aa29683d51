"""SFO against RMSProp on the swiss roll: K on held-out points, by passes and seconds.

    python tests/benchmarks/bench_sfo.py book/checkpoints/sfo_swiss_roll.npz

Both start from the same parameters. RMSProp takes small minibatches with fresh noise
and a learning rate that falls to zero; SFO has large ones with frozen noise. K is in
bits per point, of test points with noise that neither has seen, the same each time.
Seconds are of the processor, without compiling and without measuring K.
"""

import dataclasses
import sys
import time

import numpy as np

from dpm import checkpoint, evaluation
from dpm.bound import to_bits
from dpm.extensions import FinishAfter
from dpm.main_loop import MainLoop
from dpm.recipes import SwissRollRecipe
from dpm.sfo_training import FrozenCosts
from dpm.train import versions

PASSES = np.array([0, 1, 2, 3, 5, 8, 10, 12, 15, 20, 30, 40])
N_MINIBATCHES, LEARNING_RATE, SEED = 50, 1e-2, 0


class HeldOut:
    """K of test points, and the seconds that pass between two of its calls."""

    def __init__(self, model, X, size=500):
        self.X, rng = X.reshape(-1, size, 2), np.random.default_rng(99)
        shape = (len(self.X), model.trajectory_length - 1, size, 2)
        self.noise = rng.standard_normal(shape)
        self.compute = evaluation.compile_terms(model, size)
        self.K, self.seconds = [], []
        self.spent = 0.0

    def __call__(self):
        if self.K:  # the first call is before training
            self.spent += time.process_time() - self.started
        pairs = zip(self.X, self.noise, strict=True)
        K = np.mean([self.compute(X, noise)[0].mean() for X, noise in pairs])
        self.K.append(float(to_bits(K)))
        self.seconds.append(self.spent)
        self.started = time.process_time()


def by_sfo(recipe, data):
    costs = FrozenCosts(recipe, data.X_train, N_MINIBATCHES)
    optimizer = costs.optimizer(seed=SEED)
    costs(costs.theta_init, costs.minibatches[0])  # compiles
    held_out, frozen = HeldOut(costs.model, data.X_test), []
    for before, passes in zip(np.r_[0, PASSES[:-1]], PASSES, strict=True):
        theta = optimizer.optimize(passes - before)
        costs.model.set_parameter_values(theta)
        held_out()
        frozen.append(
            -to_bits(optimizer.history.objective[-1]) / N_MINIBATCHES
            if passes
            else np.nan
        )
    return held_out, np.array(frozen), optimizer.history


def by_rmsprop(recipe, data):
    per_pass = len(data.X_train) // recipe.batch_size
    recipe = dataclasses.replace(
        recipe,
        rule="RMSProp",
        learning_rate=LEARNING_RATE,
        n_steps=per_pass * int(PASSES[-1]),
    )
    loop = MainLoop(recipe, data.X_train)
    start = loop.model.get_parameter_values()
    loop.algorithm.process_batch(loop.batch(0), *loop.draws(0))  # compiles
    loop.model.set_parameter_values(start)
    for variable in loop.algorithm.step_rule.state.values():
        variable.set_value(np.zeros_like(variable.get_value()))
    held_out = HeldOut(loop.model, data.X_test)
    held_out()
    for passes in PASSES[1:]:
        loop.extensions[-1] = FinishAfter(int(passes) * per_pass)
        loop.run()
        held_out()
    return held_out


def main(path):
    recipe = SwissRollRecipe(seed=SEED)
    data = recipe.load_data()
    sfo, frozen, history = by_sfo(recipe, data)
    rmsprop = by_rmsprop(recipe, data)
    arrays = {"passes": PASSES, "sfo_K_frozen": frozen}
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
        "n_minibatches": N_MINIBATCHES,
        "rmsprop": {"learning_rate": LEARNING_RATE, "batch_size": recipe.batch_size},
        "given_up": history.given_up(),
        "unit": "bits/point",
    }
    checkpoint.save(path, arrays, meta)


if __name__ == "__main__":
    main(sys.argv[1])
