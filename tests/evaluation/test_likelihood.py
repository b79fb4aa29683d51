"""log p by Eq. 9 against exact values."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.stats import norm
from small_images import model_of_images

from dpm import evaluation, exact
from dpm.blocks.backend import numbers
from dpm.diffusion.networks import RBFNetwork
from dpm.diffusion.schedule import FixedSchedule
from dpm.diffusion.vectors import GaussianDiffusion
from dpm.evaluation import likelihood
from dpm.exact.known import KnownBits, KnownMixture


def test_log_p_of_a_mixture_is_the_integral_over_the_way_back():
    """Five coarse steps on the line, against quadrature from x^T down to x^0."""
    beta = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    model = KnownMixture(beta, [[-1.2], [0.9]], 0.3, [0.4, 0.6])
    grid = np.linspace(-8, 8, 2001)
    p = norm.pdf(grid)
    for t in range(4, -1, -1):
        x = pt.as_tensor(grid[:, None])
        step = model.reverse_step(x, pt.as_tensor(t)) if t else model.first_step(x)
        mu, sigma = (np.broadcast_to(numbers(part), (2001, 1))[:, 0] for part in step)
        p = norm.pdf(grid[:, None], mu, sigma) @ p * (grid[1] - grid[0])
    X = np.array([[-1.3], [0.0], [0.8]])
    found = likelihood.log_likelihood(model, X, 4000, progress=False)
    log_p = np.log(np.interp(X[:, 0], grid, p))
    assert (found.standard_error < 0.04).all()
    np.testing.assert_array_less(abs(found.log_p - log_p), 4 * found.standard_error)


def test_log_p_of_bits_is_the_sum_over_all_ways_back():
    """The last step forgets everything, as in the paper's binomial schedule."""
    beta, rho, states = np.array([0.25, 1 / 3, 0.5, 1.0]), 0.3, exact.bit_strings(2)
    model = KnownBits(beta, [0.5, 0.1, 0.1, 0.3], rho)
    p = np.where(states == 1, rho, 1 - rho).prod(axis=1)
    for t in range(3, -1, -1):
        x = pt.as_tensor(states)
        step = model.reverse_step(x, pt.as_tensor(t)) if t else model.first_step(x)
        rate = numbers(step)  # (state after, bit)
        kernel = np.where(states[:, None] == 1, rate, 1 - rate).prod(axis=2)
        p = kernel @ p
    assert p.sum() == pytest.approx(1)
    found = likelihood.log_likelihood(model, states, 4000, progress=False)
    assert (found.standard_error < 0.04).all()
    misses = abs(found.log_p - np.log(p)) / found.standard_error
    assert misses.max() < 4


def test_steps_forth_of_bits_end_at_the_models_own_pi():
    """Any steps forth would do for Eq. 9; these must be those of the model's rho."""
    model = KnownBits([0.25, 1.0], [0.5, 0.1, 0.1, 0.3], 0.3)
    states = exact.bit_strings(2).astype(float)
    step = likelihood.compile_step(model, 4)
    after, _, log_q, log_pi = step(states, 1, np.full((4, 2), 0.4))
    assert not after.any()  # 0.4 is above rho
    np.testing.assert_allclose(log_q, 2 * np.log(0.7))
    np.testing.assert_allclose(log_pi, 2 * np.log(0.7))


def untrained_toy():
    model = GaussianDiffusion(FixedSchedule([0.1, 0.2, 0.3]), RBFNetwork(2, 3, 3), 2)
    for variable in model.parameters.values():
        variable.set_value(np.zeros_like(variable.get_value()))
    return model


@pytest.mark.parametrize("kind", ["toy", "images"])
def test_a_model_that_learned_nothing_gives_pi_from_every_trajectory(kind):
    """Its steps back are those forth, so all weights are equal, by detailed balance."""
    images = kind == "images"
    model = model_of_images(0.0, "float32") if images else untrained_toy()
    X = np.random.default_rng(4).standard_normal((35, model.n_dim))
    found = evaluation.log_likelihood(model, X, 4, progress=False)  # 140 is not 200
    np.testing.assert_allclose(found.log_p, norm.logpdf(X).sum(axis=1), atol=2e-3)
    np.testing.assert_allclose(found.effective_sample_size, 4, rtol=1e-5)


def test_log_p_of_grey_levels_is_that_with_noise_on_them():
    model = model_of_images(0.0, uniform_noise=1.0)
    X = np.zeros((400, 32))
    found = likelihood.log_likelihood(model, X, 2, progress=False)
    in_cell = -0.5 * np.log(2 * np.pi) - 1 / 24  # of a uniform draw, mean square 1/12
    assert found.log_p.mean() / 32 == pytest.approx(in_cell, abs=0.005)
    np.testing.assert_allclose(found.effective_sample_size, 2)  # one draw an image
