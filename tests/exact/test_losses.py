"""Losses: they add up to K, and samples agree with sums over all states."""

import numpy as np
import pytest

from dpm import exact
from dpm.blocks.backend import INTERPRETED
from dpm.diffusion import schedule
from dpm.exact.known import KnownMixture, KnownStrings
from dpm.exact.losses import Losses, compile_losses

STRINGS = np.array([[1.0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]])
RHO = 1 / 3  # the activity of the strings: Eq. 14 holds


def strings_world(beta, **kwargs):
    q0 = np.zeros(64)
    q0[(STRINGS @ 2.0 ** np.arange(6)[::-1]).astype(int)] = 1 / 3
    return exact.bits_world(q0, beta, RHO, **kwargs)


def line_world(beta, **kwargs):
    """Two bumps of variance 1 altogether, on a line."""
    grid = exact.line(801, 6.0)
    bump = lambda m: np.exp(-((grid - m) ** 2) / (2 * 0.28**2))  # noqa: E731
    return exact.line_world(
        exact.normalize(bump(-0.96) + bump(0.96)), beta, grid, **kwargs
    )


BETA = np.array([0.05, 0.2, 0.5])


@pytest.mark.parametrize("world", [strings_world, line_world])
def test_what_a_world_loses_adds_up_to_its_bound(world):
    found = world(BETA)
    losses = found.losses()
    assert losses.K == pytest.approx(found.lower_bound(), abs=1e-9)
    assert losses.edge == pytest.approx(found.H(1) - found.H(0), abs=1e-4)
    assert min(losses.edge, losses.mismatch, *losses.form) > 1e-4
    perfect = world(BETA, reverse="perfect").losses()
    assert max(perfect.edge, *perfect.form) < 1e-9
    assert perfect.mismatch == losses.mismatch


@pytest.mark.parametrize(
    "world, model",
    [
        (strings_world, KnownStrings(BETA, STRINGS, RHO)),
        (line_world, KnownMixture(BETA, [[-0.96], [0.96]], 0.28)),
    ],
    ids=["strings", "mixture"],
)
def test_samples_agree_with_a_world(world, model):
    exactly = world(BETA).losses()
    sampled = compile_losses(model, 100_000, INTERPRETED)(0)
    for name in ("data", "edge", "mismatch", "K"):
        right = getattr(exactly, name)
        assert getattr(sampled, name) == pytest.approx(right, abs=0.012), name
    np.testing.assert_allclose(sampled.form, exactly.form, atol=0.012)


def test_losses_follow_the_rates_of_a_mixture():
    model = KnownMixture(schedule.log_snr(8), [[-0.96], [0.96]], 0.28)
    losses = compile_losses(model, 2000, INTERPRETED)
    before = losses(0)
    model.set_rates(BETA)
    assert len(before.form) == 7 and len(losses(0).form) == 2
    model.set_rates(schedule.log_snr(8))
    np.testing.assert_array_equal(losses(0).form, before.form)


def test_a_network_is_measured_against_the_best_steps():
    best = Losses(-1.0, 0.3, np.array([0.1, 0.2]), 0.0, 0.05)
    network = best.trained(-2.0)
    assert best.K == pytest.approx(-1.65) and network.K == pytest.approx(-2.0)
    assert network.training == pytest.approx(0.35)
    assert network.trained(-3.0).training == pytest.approx(1.35)
