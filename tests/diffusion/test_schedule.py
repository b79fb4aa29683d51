"""Schedules: Section 2.4.1, and the fixed rates of the 2015 implementation."""

import json

import numpy as np
import pytest
from recorded import recorded_files

from dpm.blocks.backend import numbers
from dpm.diffusion import schedule


@pytest.mark.parametrize("T", [2, 7, 1000])
def test_binomial_erases_one_T_th_of_the_signal_per_step(T):
    left = np.cumprod(1 - schedule.binomial(T))
    np.testing.assert_allclose(left, (T - np.arange(1, T + 1)) / T, atol=1e-13)


def test_cumulative_is_one_minus_the_product():
    beta = np.random.default_rng(0).uniform(1e-3, 0.9, 12)
    got = numbers(schedule.beta_cumulative(beta))
    signal, expected = 1.0, []
    for b in beta:
        signal *= 1 - b
        expected.append(1 - signal)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_cumulative_keeps_the_digits_of_tiny_rates():
    assert numbers(schedule.beta_cumulative([1e-12, 1e-12]))[1] == pytest.approx(
        2e-12, rel=1e-9
    )


def test_baseline_is_the_reference_formula():
    """The 2015 code: logit, sigmoid, floor, written out as a loop."""
    T, step1 = 50, 1e-3
    expected = []
    for t in range(T):
        floor = 1e-6 + (step1 if t == 0 else 0.0)
        plain = 1 / (T + t * (2.0 - T) / (T - 1))
        expected.append(floor + plain * (1 - floor - 1e-5))
    np.testing.assert_allclose(schedule.baseline(T, step1), expected, rtol=1e-12)


def test_baseline_at_the_ends_of_the_recorded_schedule():
    """The recorded beta_arr of the 2015 code.

    Its perturbation is zero, so the values are the baseline's, up to the single
    precision in which the 2015 code kept some constants.
    """
    files = recorded_files("reference_*.npz")
    assert files
    for file in files:
        with np.load(file, allow_pickle=False) as z:
            config = json.loads(z["config"].item())
            recorded = z["beta_arr"].ravel()
        ours = schedule.baseline(config["trajectory_length"], config["step1_beta"])
        np.testing.assert_allclose(ours, recorded, rtol=1e-6)


def test_log_snr_falls_by_equal_steps():
    beta = schedule.log_snr(20, 1e-4, -5.0)
    total = numbers(schedule.beta_cumulative(beta))
    ratio = np.log((1 - total) / total)
    assert beta[0] == pytest.approx(1e-4)
    assert ratio[-1] == pytest.approx(-5.0)
    np.testing.assert_allclose(np.diff(ratio), np.diff(ratio)[0], rtol=1e-6)


def test_learned_schedule_starts_where_told_and_keeps_beta_1():
    start = schedule.log_snr(10)
    learned = schedule.LearnedSchedule(start)
    learned.initialize(np.random.default_rng(0))
    np.testing.assert_allclose(numbers(learned.beta_arr), start, rtol=1e-10)
    learned.logit_beta.set_value(learned.logit_beta.get_value() + 100)
    beta = numbers(learned.beta_arr)
    assert beta[0] == start[0] and (beta[1:] < 1).all()
    learned.logit_beta.set_value(learned.logit_beta.get_value() - 300)
    assert (numbers(learned.beta_arr)[1:] >= schedule.MIN_BETA).all()


@pytest.mark.parametrize("make", [schedule.binomial, schedule.baseline])
@pytest.mark.parametrize("T", [1, 0, -3, 2.5, float("nan")])
def test_too_short_trajectories_are_refused(make, T):
    with pytest.raises(ValueError, match="at least 2"):
        make(T)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.5, np.nan, np.inf])
@pytest.mark.parametrize("kind", [schedule.FixedSchedule, schedule.LearnedSchedule])
def test_rates_outside_the_interval_are_refused(kind, bad):
    with pytest.raises(ValueError, match=r"beta = .* outside \(0, 1\)"):
        kind([0.1, bad, 0.2])


def test_log_snr_refuses_to_rise():
    with pytest.raises(ValueError, match="final_log_snr = 20"):
        schedule.log_snr(10, 1e-4, 20.0)
