"""Estimates of K: over every t, and from few steps of each image."""

import numpy as np
import pytensor.tensor as pt
import pytest
from small_images import model_of_images

from dpm import evaluation
from dpm.blocks.backend import numbers
from dpm.evaluation import estimates


def test_the_sum_over_all_t_is_the_sum(monkeypatch):
    """Batches of three, the last one filled up, against the graph of the whole sum."""
    monkeypatch.setattr(estimates, "ALL_T_BATCH", 3)
    model = model_of_images(uniform_noise=0.7)
    X = np.random.default_rng(1).standard_normal((7, 32))
    K, KL = evaluation.bound_all_t(model, X, seed=5, progress=False)
    drawn = np.empty((2, 5, 9, *model.sample_shape))
    for t in range(1, 6):
        rng = np.random.default_rng([5, t])
        for start in (0, 3, 6):
            part = np.s_[start : start + 3]
            drawn[0, t - 1, part] = rng.standard_normal((3, *model.sample_shape))
            drawn[1, t - 1, part] = rng.random((3, *model.sample_shape))
    noise, uniform = (pt.as_tensor(d[:, :7]) for d in drawn)
    exactly = numbers(model.get_bound(pt.as_tensor(X), noise, uniform_draws=uniform))
    np.testing.assert_allclose(K, exactly, rtol=1e-10)
    for t in (1, 5):
        one = model.get_KL(pt.as_tensor(X), noise[t - 1], [t], uniform[t - 1])
        assert KL[t - 1] == pytest.approx(numbers(one).mean())


def test_few_steps_estimate_the_sum_without_bias():
    model = model_of_images()
    X = np.repeat(np.random.default_rng(1).standard_normal((1, 32)), 4000, axis=0)
    full, _ = evaluation.bound_all_t(model, X, seed=1, progress=False)
    few = {n: evaluation.estimate_bound(model, X, n, seed=2)[0] for n in (1, 3, 5)}
    for K in few.values():
        spread = np.hypot(K.std(), full.std()) / np.sqrt(len(X))
        assert K.mean() == pytest.approx(full.mean(), abs=4 * spread)
    assert few[1].std() > 1.7 * few[3].std() > 1.7 * few[5].std()
    # with as many draws as steps each step comes once: no less noise can be had
    assert few[5].std() == pytest.approx(full.std(), rel=0.1)


@pytest.mark.parametrize("n_draws", [1, 2, 5, 7])
def test_steps_are_evenly_spaced_and_none_is_preferred(n_draws):
    times = evaluation.spread_times(6, n_draws, 6000, np.random.default_rng(0))
    counts = np.bincount(times.ravel(), minlength=6)[1:]
    assert times.shape == (n_draws, 6000) and counts.sum() == times.size
    np.testing.assert_allclose(counts / times.size, 0.2, atol=0.025)
    gaps = np.diff(times, axis=0)
    assert n_draws == 1 or gaps.max() <= np.ceil(5 / n_draws) and gaps.min() >= 0
