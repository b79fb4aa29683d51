"""The binary heartbeat: data, the best reverse step, the model, its training."""

import dataclasses
import itertools
import json
import subprocess
import sys

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.special import xlogy

from dpm import datasets, evaluation, exact, runs, sampler, train
from dpm.blocks import checkpoint
from dpm.blocks.backend import numbers, precision
from dpm.diffusion import binomial, bound, schedule
from dpm.exact.known import KnownStrings
from dpm.recipes.heartbeat import HeartbeatRecipe, constant

SMALL = HeartbeatRecipe(
    length=6,
    period=3,
    rho=1 / 3,
    trajectory_length=20,
    n_hidden=8,
    n_layers=2,
    batch_size=3,
    n_draws=4,
    n_t_per_minibatch=4,
    n_steps=60,
    dtype="float64",
)


def shaken(recipe=SMALL, seed=0, size=1.0):
    """An untrained model whose readouts are not zero."""
    model = recipe.build_model()
    rng = np.random.default_rng(seed)
    model.initialize(rng)
    for variable in (model.mlp.readout.W, model.mlp.readout.b):
        shape = variable.get_value().shape
        variable.set_value((size * rng.standard_normal(shape)).astype(model.dtype))
    return model


# --- data


def test_heartbeat_is_five_sequences():
    data = datasets.load("HEARTBEAT")
    X = data.X_train
    assert X.shape == (5, 20) and data.X_test is X and data.exhaustive
    assert data.n_dim == 20 and data.per == "sequence"
    for row in X:
        assert np.unique(np.diff(np.flatnonzero(row))).tolist() == [5]
    assert np.array_equal(X.sum(axis=0), np.ones(20))  # each phase once
    flipped = X.copy()
    flipped[:, 0] = 1 - flipped[:, 0]
    np.testing.assert_allclose(data.log_density(X), -np.log(5))
    assert (data.log_density(flipped) == -np.inf).all()


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"length": 21}, "length = 21 is not a multiple of period = 5"),
        ({"length": 20.0}, "length = 20.0: it must be a whole number"),
        ({"length": 0}, "length = 0: it must be at least 1"),
        ({"length": 4}, "length = 4: it must be at least 5"),
        ({"period": 1}, "period = 1: it must be at least 2"),
    ],
)
def test_heartbeats_that_cannot_be_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        datasets.load("HEARTBEAT", **settings)


# --- the best reverse step


def heart_q0(X):
    """The distribution over all strings that is uniform over the rows of X."""
    n = X.shape[1]
    q0 = np.zeros(2**n)
    q0[(X @ 2 ** np.arange(n)[::-1]).astype(int)] = 1 / len(X)
    return q0


def test_the_shift_that_is_best_is_what_the_other_bits_say():
    """The docstring of `BinomialDiffusion.get_log_odds`, on all strings of 6 bits."""
    X = datasets.load("HEARTBEAT", length=6, period=3).X_train
    beta, rho = schedule.binomial(9), 1 / 3
    model, world = KnownStrings(beta, X, rho), exact.bits_world(heart_q0(X), beta, rho)
    states = exact.bit_strings(6)
    symbols = pt.as_tensor(states[None].astype(float))
    for t in range(2, 10):
        log_odds, forward = numbers(
            model.get_log_odds(symbols, pt.as_tensor([t - 1]))[0],
            binomial.log_odds(binomial.forward_kernel(states, beta[t - 1], rho)),
        )
        joint = world.forward[t - 1].T * world.q(t - 1)[:, None]  # [x^(t-1), x^t]
        for i in range(6):
            flipped = np.arange(64) ^ (1 << (5 - i))  # the same others, the bit flipped
            on = states[:, i] @ (joint + joint[:, flipped])
            given_others = on / (joint + joint[:, flipped]).sum(axis=0)
            z = np.log(given_others / (1 - given_others)) - np.log(rho / (1 - rho))
            np.testing.assert_allclose(
                log_odds[:, i], forward[:, i] + z, atol=1e-9, err_msg=f"{t}, {i}"
            )


def best_K_by_counting(beta, rho=0.2, pulses=4, period=5):
    """K of the best reverse steps, in bits, without a random draw.

    All that matters of x^t is how many ones stand at each phase.
    """
    total = np.concatenate([[0.0], 1 - np.cumprod(1 - beta)])

    def entropy(before):
        return sum(
            n * -(xlogy(rate, rate) + xlogy(1 - rate, 1 - rate))
            for n, rate in (
                (pulses, 1 - before + rho * before),
                (pulses * (period - 1), rho * before),
            )
        )

    def posterior(bit, x, t):
        prior = bit * (1 - total[t - 1]) + rho * total[t - 1]
        b = beta[t - 1]
        one, zero = (1 - b + rho * b, rho * b) if x else (b * (1 - rho), 1 - rho * b)
        return prior * one / (prior * one + (1 - prior) * zero)

    choose = np.array([1, 4, 6, 4, 1])  # of 4 pulses
    counts = np.array(list(itertools.product(range(pulses + 1), repeat=period)))
    K = entropy(total[-1]) - entropy(total[1]) - entropy(1.0)
    for t in range(2, len(beta) + 1):
        right, wrong = 1 - total[t] + rho * total[t], rho * total[t]
        rate = np.where(np.arange(period) == 0, right, wrong)
        weight = (choose[counts] * rate**counts * (1 - rate) ** (pulses - counts)).prod(
            axis=1
        )
        odds = (right * (1 - wrong) / (wrong * (1 - right))) ** counts
        share = odds / odds.sum(axis=1, keepdims=True)
        for phase, x in itertools.product(range(period), (0, 1)):
            n = counts[:, phase] if x else pulses - counts[:, phase]
            a = posterior(phase == 0, x, t)
            p = share[:, phase] * posterior(1, x, t)
            p = p + (1 - share[:, phase]) * posterior(0, x, t)
            K -= weight @ (n * (xlogy(a, a / p) + xlogy(1 - a, (1 - a) / (1 - p))))
    return K / np.log(2)


def test_the_best_K_is_had_by_counting_too(compiled):
    beta = schedule.binomial(30)
    model = KnownStrings(beta, datasets.load("HEARTBEAT").X_train, 0.2)
    K, _ = evaluation.bound_per_draw(model, model.strings, n_draws=2000)
    K, error = evaluation.mean_and_error(bound.to_bits(K))
    expected = best_K_by_counting(beta)
    assert error < 0.02 and K == pytest.approx(expected, abs=4 * error)


def test_rates_that_fall_late_serve_the_heartbeat_better_than_constant_ones():
    for T in (20, 100):
        assert constant(T).sum() == pytest.approx(schedule.binomial(T).sum())
        assert best_K_by_counting(constant(T)) < best_K_by_counting(
            schedule.binomial(T)
        )


# --- the model


def test_an_untrained_model_is_the_forward_kernel():
    model = SMALL.build_model()
    model.initialize(np.random.default_rng(0))
    X = pt.as_tensor(exact.bit_strings(6).astype(float))
    for t in (1, 7, 19):
        ours, forward = numbers(
            model.reverse_step(X, pt.as_tensor(t)),
            binomial.forward_kernel(X, model.beta_arr[t], model.rho),
        )
        np.testing.assert_allclose(ours, forward, atol=1e-12)


def test_K_is_that_of_an_exact_world(compiled):
    """Eq. 14 from draws, against Eq. 12 over every trajectory of 6 bits."""
    recipe = dataclasses.replace(SMALL, trajectory_length=4, n_t_per_minibatch=3)
    model = shaken(recipe)
    X = recipe.load_data().X_train
    q0, beta = heart_q0(X), schedule.binomial(4)
    states = exact.bit_strings(6)
    symbols = pt.as_tensor(states.astype(float))
    rates = numbers(
        model.first_step(symbols),
        *(model.reverse_step(symbols, pt.as_tensor(t)) for t in (1, 2, 3)),
    )
    of_bits = [
        np.where(states[:, None] == 1, rate, 1 - rate).prod(axis=-1) for rate in rates
    ]
    world = exact.bits_world(q0, beta, model.rho)
    world = exact.World(q0, world.forward, world.pi, of_bits)
    K, kl = evaluation.bound_per_draw(model, X, n_draws=10_000)
    K, error = evaluation.mean_and_error(K)
    assert error < 0.02
    assert K == pytest.approx(world.lower_bound(), abs=4 * error)
    steps = [world.mean(t, exact_kl(world, t)) for t in range(2, 5)]
    np.testing.assert_allclose(kl, steps, rtol=0.03)


def test_log_p_is_the_sum_over_all_ways_back():
    """Eq. 9 from forward trajectories, against every way back from pi."""
    recipe = dataclasses.replace(SMALL, trajectory_length=4, n_t_per_minibatch=3)
    model = shaken(recipe, size=0.3)
    states = exact.bit_strings(6)
    symbols = pt.as_tensor(states.astype(float))
    p = np.where(states == 1, model.rho, 1 - model.rho).prod(axis=1)
    for t in (3, 2, 1, 0):
        index = (pt.as_tensor(t),) if t else ()
        step = model.reverse_step if t else model.first_step
        rate = numbers(step(symbols, *index))
        p = np.where(states[:, None] == 1, rate, 1 - rate).prod(axis=-1) @ p
    assert p.sum() == pytest.approx(1)
    some = states[[0, 9, 18, 36, 63]].astype(float)
    found = evaluation.log_likelihood(model, some, 4000, progress=False)
    assert (found.standard_error < 0.05).all()
    exactly = np.log(p[[0, 9, 18, 36, 63]])
    assert (np.abs(found.log_p - exactly) < 4 * found.standard_error).all()


def test_log_p_of_an_untrained_model_is_that_of_pi():
    """In single precision: all weights are equal, by detailed balance."""
    model = dataclasses.replace(SMALL, dtype="float32").build_model()
    model.initialize(np.random.default_rng(0))
    data = SMALL.load_data()
    found = evaluation.score_log_p(model, data, len(data.X_test), 4)
    null = bound.binomial_null_log_likelihood(data.X_test, model.rho).mean()
    assert found["log p"]["value"] == pytest.approx(null / np.log(2), abs=1e-4)
    assert found["effective_sample_size"] == pytest.approx(4)
    assert found["log p"]["standard_error"] < 1e-3  # of draws


def test_the_error_of_log_p_of_all_sequences_is_that_of_draws():
    recipe = dataclasses.replace(SMALL, trajectory_length=4, n_t_per_minibatch=3)
    model, data = shaken(recipe, size=0.3), SMALL.load_data()
    all_of = [evaluation.score_log_p(model, data, 3, 200, seed) for seed in range(12)]
    spread = np.std([found["log p"]["value"] for found in all_of], ddof=1)
    errors = [found["log p"]["standard_error"] for found in all_of]
    assert spread == pytest.approx(np.mean(errors), rel=0.5)
    of_values = evaluation.log_likelihood(model, data.X_test, 200).log_p
    assert evaluation.mean_and_error(of_values)[1] / np.log(2) > 3 * spread


@pytest.mark.parametrize("option", [{"n_images": 2}, {"on_train": True}])
def test_all_there_is_is_scored_whole(option):
    model = SMALL.build_model()
    with pytest.raises(ValueError, match="the 3 samples of HEARTBEAT are all that"):
        evaluation.evaluate(model, SMALL.load_data(), 2, **option)


def exact_kl(world, t):
    """D_KL(q(x^(t-1) | x^t, x^0) || p(x^(t-1) | x^t)), the same for every x^(t-1)."""
    kl = exact.kl(world.posterior(t), world.reverse[t - 1][:, :, None])  # [x^t, x^0]
    return np.broadcast_to(kl, (len(world.q0), *kl.shape))


def test_log_odds_and_rates_are_one_model_in_both_precisions():
    single = shaken(dataclasses.replace(SMALL, dtype="float32"))
    double = shaken()
    rng = np.random.default_rng(0)
    X, noise = SMALL.load_data().X_train, rng.random((19, 3, 6))
    K = []
    for model in (single, double):
        with precision(model.dtype):
            compute = evaluation.compile_bound(model, 3)
        K.append(
            np.asarray(compute(X.astype(model.dtype), noise.astype(model.dtype))[0])
        )
    assert K[0].dtype == np.float32 and K[1].dtype == np.float64
    np.testing.assert_allclose(*K, rtol=1e-4)


@pytest.mark.parametrize(
    "data, match",
    [
        (np.full((3, 6), 0.5), "training data holds 0.5: bits are 0 or 1"),
        (np.full((3, 6), -1.0), "training data holds -1.0: bits"),
        (np.zeros((3, 20)), r"shape \(3, 20\), but this model takes \(n, 6\)"),
        (np.zeros((2, 6)), "batch_size = 3 exceeds the 2 training samples"),
    ],
)
def test_bad_training_data_are_refused(data, match):
    with pytest.raises(ValueError, match=match):
        SMALL.main_loop(data)


def test_bad_data_are_refused_by_evaluation():
    model = shaken()
    with pytest.raises(ValueError, match="data holds 2.0: bits are 0 or 1"):
        evaluation.bound_per_draw(model, np.full((3, 6), 2.0))
    with pytest.raises(ValueError, match="this model takes"):
        evaluation.bound_per_draw(model, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="at least two forward draws"):
        evaluation.bound_per_draw(model, np.zeros((3, 6)), n_draws=1)


@pytest.mark.parametrize(
    "field, value, match",
    [
        ("rho", 0.0, r"rho = 0.0: it must lie in \(0, 1\)"),
        ("rho", 1.0, r"rho = 1.0: it must lie in \(0, 1\)"),
        ("trajectory_length", 1, "trajectory_length = 1: .* at least 2"),
        ("dataset", "MNIST", "unknown dataset 'MNIST': there are HEARTBEAT"),
        ("schedule", "cosine", "unknown schedule 'cosine': there are binomial"),
        ("rule", "SGD", "unknown rule 'SGD'"),
        ("n_hidden", 0, "n_hidden = 0: it must be at least 1"),
        ("n_draws", 2.5, "n_draws = 2.5: it must be a whole number"),
        ("n_t_per_minibatch", 20, "exceeds the 19 steps that are learned"),
        ("share_until", 1.5, r"share_until = 1.5: it must lie in \[0, 1\]"),
        ("gain", -1.0, "gain = -1.0: it must be positive"),
        ("dtype", "float16", "unknown dtype 'float16'"),
    ],
)
def test_recipes_refuse_bad_settings(field, value, match):
    with pytest.raises(ValueError, match=match):
        dataclasses.replace(SMALL, **{field: value})


def test_a_last_rate_of_one_is_for_bits_only():
    with pytest.raises(ValueError, match=r"beta = 1 lies outside \(0, 1\)"):
        schedule.FixedSchedule(schedule.binomial(5))
    with pytest.raises(ValueError, match=r"beta = 1.5 lies outside \(0, 1\]"):
        KnownStrings([0.5, 1.5], np.eye(3))
    with pytest.raises(ValueError, match="strings holds 0.5: bits are 0 or 1"):
        KnownStrings([0.5, 1.0], np.full((2, 3), 0.5))


# --- training


def fresh(recipe=SMALL):
    return recipe.main_loop(recipe.load_data().X_train)


def test_time_steps_of_a_batch_are_spread_and_each_is_as_likely():
    loop, counts = fresh(), np.zeros(20)
    for step in range(1900):
        _, t = loop.data_stream.draws(step)
        assert len(set(t.tolist())) == 4 and t.min() >= 1 and t.max() <= 19
        counts[t] += 1
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / 1900, 4 / 19, atol=0.04)


def test_a_step_touches_only_the_rows_it_visits():
    loop = fresh(dataclasses.replace(SMALL, share_until=0.0))
    tables = loop.algorithm.tables
    assert len(tables) == 8  # weights and biases, and Adam's three memories of each
    loop.take_step()
    before = [table.get_value().copy() for table in tables]
    _, t = loop.data_stream.draws(1)
    loop.take_step()
    for table, old in zip(tables, before, strict=True):
        changed = (table.get_value() != old).reshape(19, -1).any(axis=1)
        assert np.flatnonzero(changed).tolist() == (t - 1).tolist()


def test_sharing_ends_with_a_readout_for_every_step():
    recipe = dataclasses.replace(SMALL, n_t_per_minibatch=1, n_steps=60)
    assert [recipe.block(step) for step in (0, 9, 10, 19, 20, 29, 30, 60)] == [
        *[19, 19, 4, 4, 1, 1, 1, 1]
    ]
    loop = fresh(recipe)
    readout = loop.model.mlp.readout

    def stop_at(step):
        loop.extensions[-1].n_steps = step
        loop.run()
        return readout.W.get_value()

    W = stop_at(9)
    assert (W[1:] == 0).all() and (W[0] != 0).any()  # all times share the first row
    W = stop_at(10)
    assert (W == W[0]).all() and readout.block.get_value() == 4
    W = stop_at(60)
    assert readout.block.get_value() == 1 and len(np.unique(W[:, 0, 0])) > 10


def test_resumed_run_ends_the_same_bit_for_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    runs.train(SMALL, whole, progress=False)
    loop = runs.train(
        SMALL, parts, save_every=7, progress=False, data=SMALL.load_data()
    )
    assert loop.iterations_done == 60
    for stop in (8, 40):  # while readouts are shared by 4, and when no longer
        arrays, meta = saved_after(stop, parts)
        checkpoint.save(parts / checkpoint.FILE_NAME, arrays, meta)
        runs.train(SMALL, parts, resume=True, progress=False)
        a, b = (checkpoint.load(folder)[0] for folder in (whole, parts))
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def saved_after(n_steps, folder):
    """What a run that was killed after so many steps leaves behind."""
    loop = fresh()
    loop.extensions[-1].n_steps = n_steps
    loop.run()
    return loop.snapshot({"recipe": dataclasses.asdict(SMALL)})


def test_half_trained_runs_are_read_with_their_shared_readouts(tmp_path):
    arrays, meta = saved_after(8, tmp_path)
    checkpoint.save(tmp_path / checkpoint.FILE_NAME, arrays, meta)
    model, recipe, _ = runs.load_run(tmp_path)
    assert recipe == SMALL and model.mlp.readout.block.get_value() == 4


def test_training_raises_K_and_mends_samples(compiled):
    recipe = dataclasses.replace(
        SMALL, n_hidden=20, n_draws=10, n_t_per_minibatch=19, n_steps=2500
    )
    data = recipe.load_data()
    best = KnownStrings(schedule.binomial(20), data.X_train, recipe.rho)
    untrained = recipe.build_model()
    untrained.initialize(np.random.default_rng(0))
    trained = runs.train(recipe, progress=False).model
    K, hearts = [], []
    for model in (untrained, trained, best):
        K.append(evaluation.evaluate(model, data)["K"])
        X = sampler.sample(model, 2000, np.random.default_rng(1), progress=False)
        hearts.append(np.isfinite(data.log_density(X)).mean())
    K, error = ([k[name] for k in K] for name in ("value", "standard_error"))
    assert K[1] > K[0] + 1.0 and hearts[1] > hearts[0] + 0.4
    assert K[2] - 0.2 < K[1] < K[2] + 4 * np.hypot(error[1], error[2])
    assert hearts[2] - 0.06 < hearts[1] < hearts[2] + 0.03


def test_command_line(tmp_path):
    """Train, evaluate, export, and refuse what does not fit."""
    folder = tmp_path / "runs"
    folder.mkdir()
    words = (
        "--dataset HEARTBEAT --trajectory-length 12 --n-hidden 4 --n-layers 1 "
        f"--n-t-per-minibatch 5 --n-draws 2 --n-steps 30 --output-dir {folder}"
    )
    assert train.main(words.split()) == 0
    out = tmp_path / "small.npz"
    done = subprocess.run(
        [sys.executable, "-m", "dpm.evaluate", str(folder), "--json"]
        + ["--n-draws", "20", "--export", str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert done.stderr == ""
    for name in ("K", "L_null", "K - L_null", "L", "L - K"):
        assert report[name]["unit"] == "bits/sequence"
    assert report["L_null"]["value"] == pytest.approx(-14.438, abs=1e-3)
    assert report["L"]["value"] == pytest.approx(-np.log2(5))
    assert report["K"]["value"] < report["L"]["value"]
    assert report["K"]["standard_error"] > 0
    assert len(report["kl_per_step"]) == 11
    assert report["samples"] == {"n": 5, "all_t": True, "n_draws": 20}
    model, recipe, _ = runs.load_run(out)
    assert recipe.trajectory_length == 12 and model.sample_shape == (20,)


@pytest.mark.parametrize(
    "words, match",
    [
        (["--noise", "0.3"], "--noise is not a setting of HEARTBEAT"),
        (["--recipe", "wide"], "unknown recipe of HEARTBEAT 'wide': there are paper"),
        (["--dropout_rate", "0.1"], "is for images"),
        (["--data-args", "seed=1"], "--data-args is for images"),
        (["--trajectory-length", "1"], "trajectory_length = 1: it must"),
        (["--rho", "1.5"], "rho = 1.5: it must lie in (0, 1)"),
    ],
)
def test_command_line_refuses_in_one_line(words, match, tmp_path, capsys):
    words = ["--dataset", "HEARTBEAT", "--output-dir", str(tmp_path), *words]
    assert train.main(words) == 2
    error = capsys.readouterr().err
    assert match in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())
