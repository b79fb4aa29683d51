"""Checks of Eqs. 62 to 65: what the network's output means."""

from functools import cache

import numpy as np
import pytensor.tensor as pt

from dpm import model as models
from dpm.ledger.entries import agree, equation, value

CHAPTER = "architecture"
T, J, WIDTH = 11, 4, 2


@cache
def paper_model():
    """A small network with the paper's choices and random parameters."""
    network = models.DiffusionModel(
        WIDTH,
        1,
        trajectory_length=T,
        n_temporal_basis=J,
        n_hidden_dense_lower=3,
        n_hidden_dense_upper=3,
        n_hidden_conv=0,
        n_layers_dense_lower=1,
        n_layers_dense_upper=2,
        variant="paper",
    )
    rng = np.random.default_rng(0)
    network.initialize(rng)
    for parameter in network.parameters.values():
        parameter.set_value(rng.standard_normal(parameter.get_value().shape))
    return network


def bump(t, j):
    """g_j(t) written with plain loops; centres are spread over 0..T-1."""
    centres = [k * (T - 1) / (J - 1) for k in range(J)]
    spacing = centres[1] - centres[0]
    heights = [np.exp(-((t - c) ** 2) / (2 * spacing**2)) for c in centres]
    return heights[j] / sum(heights)


@equation(
    62,
    r"z_i^\mu = \sum_{j=1}^{J} y_{ij}^\mu \, g_j(t)",
    CHAPTER,
    "model.DiffusionModel.temporal_readout",
    "model.DiffusionModel.get_t_weights",
)
def temporal_readout():
    """The readout of random coefficients at two times against a sum over j for each
    pixel."""
    network, n = paper_model(), 2
    Y = np.random.default_rng(1).standard_normal((n, WIDTH, WIDTH, 2 * J))
    times = np.array([[2.0], [9.0]])
    z_mu, z_sigma = (value(z) for z in network.temporal_readout(pt.as_tensor(Y), times))
    for i, row, column in np.ndindex(n, WIDTH, WIDTH):
        y_mu, y_sigma = Y[i, row, column, :J], Y[i, row, column, J:]
        g = [bump(times[i, 0], j) for j in range(J)]
        agree(z_mu[i, 0, row, column], sum(a * b for a, b in zip(y_mu, g, strict=True)))
        agree(
            z_sigma[i, 0, row, column],
            sum(a * b for a, b in zip(y_sigma, g, strict=True)),
        )


@equation(
    63,
    r"g_j(t) = \frac{\exp\left(-\frac{1}{2 w^2} (t - \tau_j)^2\right)} {\sum_{k=1}^{J} \exp\left(-\frac{1}{2 w^2} (t - \tau_k)^2\right)}",
    CHAPTER,
    "model.DiffusionModel.generate_temporal_basis",
)
def bump_functions():
    """Every bump at every time against the formula in plain loops."""
    basis = paper_model().generate_temporal_basis(T, J, 1.0)
    agree(basis, [[bump(t, j) for t in range(T)] for j in range(J)])


@cache
def images():
    """Two noisy images and the times they are seen at."""
    X = np.random.default_rng(2).standard_normal((2, 1, WIDTH, WIDTH))
    return pt.as_tensor(X), np.array([[3.0], [8.0]])


def coefficients():
    """z of mean and covariance, and beta, at those times."""
    network, (X, times) = paper_model(), images()
    z_mu, z_sigma = (value(z) for z in network.get_coefficients(X, times))
    beta = value(network.beta_arr)[times.astype(int)][:, :, None, None]
    return z_mu, z_sigma, beta


@equation(
    64,
    r"\Sigma_{ii} = \sigma\left(z_i^\Sigma + \sigma^{-1}(\beta_t)\right)",
    CHAPTER,
    "model.DiffusionModel.get_mu_sigma",
    "diffusion.vectors.GaussianDiffusion.perturb_forward",
)
def variance_of_the_reverse_step():
    """The model's variance against odds: those of Sigma are those of beta times the
    exponential of z."""
    _, z_sigma, beta = coefficients()
    _, sigma = paper_model().get_mu_sigma(*images())
    Sigma = value(sigma) ** 2
    agree(Sigma / (1 - Sigma), beta / (1 - beta) * np.exp(z_sigma), 1e-9)


@equation(
    65,
    r"\mu_i = (x_i - z_i^\mu)(1 - \Sigma_{ii}) + z_i^\mu",
    CHAPTER,
    "variants.decay_towards",
)
def mean_of_the_reverse_step():
    """The model's mean against a weighted average of the state and of z, with weights 1
    - Sigma and Sigma."""
    z_mu, z_sigma, beta = coefficients()
    odds = beta / (1 - beta) * np.exp(z_sigma)
    Sigma = odds / (1 + odds)
    mu, _ = paper_model().get_mu_sigma(*images())
    agree(mu, (1 - Sigma) * value(images()[0]) + Sigma * z_mu, 1e-9)
