"""What PyTensor costs: a training step of the swiss roll against hand-written JAX.

    python tests/benchmarks/bench_swiss_roll.py

Both sides compute the same K and the same gradient by every parameter, and take the
same Adam step, on the same draws, in double precision. They are timed in turns in one
process, and the ratio of their medians is printed; times alone say little, because
machines differ.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from dpm.recipes import named

REPEATS, STEPS = 9, 200


def jax_K(p, X, noise, beta_1):
    """The bound of Eq. 14, averaged over the batch, without PyTensor."""
    learned = 1e-6 + jax.nn.sigmoid(p["logit_beta"]) * (1 - 1e-6 - 1e-5)
    beta = jnp.concatenate([jnp.array([beta_1]), learned])
    total = jnp.minimum(-jnp.expm1(jnp.cumsum(jnp.log1p(-beta))), 1 - 2.3e-15)
    b, c, before = (a[:, None, None] for a in (beta[1:], total[1:], total[:-1]))
    x = X * jnp.sqrt(1 - c) + noise * jnp.sqrt(c)
    mean = (jnp.sqrt(1 - before) * b * X + jnp.sqrt(1 - b) * before * x) / c
    variance = b * before / c
    distance2 = ((x[..., None, :] - p["centers"]) ** 2).sum(-1)
    h = jax.nn.softmax(-0.5 * distance2 * jnp.exp(-2 * p["log_width"]))
    z = h @ p["W"] + p["b"]
    mu = x * jnp.sqrt(1 - b) + z[..., :2] * jnp.sqrt(b)
    Sigma = jax.nn.sigmoid(z[..., 2:] + jnp.log(b) - jnp.log1p(-b))
    ratio = (variance + (mean - mu) ** 2) / Sigma
    kl = 0.5 * (jnp.log(Sigma / variance) + ratio - 1).sum((0, 2))
    entropies = jnp.log(total[-1] / beta_1) - jnp.log(2 * jnp.pi * jnp.e)
    return (entropies - kl).mean()


def jax_step(beta_1, rate):
    """Compile one Adam step of the twin."""

    @jax.jit
    def step(p, m, v, n, X, noise):
        cost, g = jax.value_and_grad(lambda q: -jax_K(q, X, noise, beta_1))(p)
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)

        def move(q, a, b):
            return q - rate * (a / (1 - 0.9**n)) / (jnp.sqrt(b / (1 - 0.999**n)) + 1e-8)

        return jax.tree.map(move, p, m, v), m, v, n + 1, cost

    return step


def main():
    recipe = named("paper", "SWISS_ROLL")
    loop = recipe.main_loop(recipe.load_data().X_train)
    names = {k.split(".")[-1]: v for k, v in loop.model.parameters.items()}
    p = {k: jnp.asarray(v.get_value()) for k, v in names.items()}
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = (p, zeros, zeros, 1.0)
    twin = jax_step(recipe.step1_beta, recipe.learning_rate)
    rng = np.random.default_rng(0)
    X = loop.data_stream.batch(0)
    noise = rng.standard_normal(loop.data_stream.inputs[1].type.shape)

    ours = loop.algorithm.process_batch
    costs = ours(X, noise), float(twin(*state, X, noise)[-1])
    print(f"same cost: {costs[0]:.12f} {costs[1]:.12f}")
    assert abs(costs[0] - costs[1]) < 1e-9 * abs(costs[0])

    times = {"dpm": [], "jax": []}
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(STEPS):
            ours(X, noise)
        times["dpm"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(STEPS):
            *state, cost = twin(*state, X, noise)
            float(cost)
        times["jax"].append(time.perf_counter() - start)
    a, b = (1e3 * np.median(times[k]) / STEPS for k in ("dpm", "jax"))
    print(f"dpm {a:.2f} ms a step, hand-written JAX {b:.2f} ms: ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
