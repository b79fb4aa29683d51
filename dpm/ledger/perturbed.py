"""Checks of Eqs. 52 to 61: a reverse step multiplied by a smooth factor r."""

from types import SimpleNamespace

import numpy as np
import pytensor.tensor as pt

from dpm import exact, sampler
from dpm.diffusion import binomial, factors, gaussian
from dpm.ledger.entries import agree, equation, holds, value

CHAPTER = "perturbed"
MU = np.array([0.4, -0.3])
SIGMA = np.array([[0.5, 0.2], [0.2, 0.3]])  # a covariance that is not diagonal
G = np.array([0.7, -1.1])
POINTS = np.random.default_rng(0).standard_normal((6, 2))
VARIANCES, AXES = np.linalg.eigh(SIGMA)  # along its axes the step is independent


def form(y, mu=MU):
    """Half the quadratic form of the inverse covariance at points (n, 2), in a loop."""
    precision = np.linalg.inv(SIGMA)
    return np.array([0.5 * (row - mu) @ precision @ (row - mu) for row in y])


def log_step(y):
    """Log density of N(mu, Sigma) at points (n, 2), along the axes of Sigma."""
    log_p = gaussian.log_prob(y @ AXES, MU @ AXES, np.sqrt(VARIANCES))
    return value(log_p).sum(axis=1)


def log_perturbed(y):
    """The same for the perturbed step of the package, for the slope -G of log r."""
    step = gaussian.perturb(MU @ AXES, np.sqrt(VARIANCES), -G @ AXES)
    return value(gaussian.log_prob(y @ AXES, *step)).sum(axis=1)


def agree_up_to_a_constant(left, right):
    """Two lists of values differ by one number."""
    agree(left - left[0], right - right[0])


def log_r(y):
    """A smooth factor in two dimensions, for numbers and for symbols."""
    sin, cos = (pt.sin, pt.cos) if hasattr(y, "owner") else (np.sin, np.cos)
    return sin(y[:, 0]) * cos(0.5 * y[:, 1]) + 0.3 * y[:, 1]


def log_r_derivatives(y):
    """Gradient and Hessian of `log_r` at one point, by hand."""
    (s, c), (u, w) = ((np.sin(a), np.cos(a)) for a in (y[0], y[1] / 2))
    slope = np.array([c * w, -0.5 * s * u + 0.3])
    return slope, np.array([[-s * w, -0.5 * c * u], [-0.5 * c * u, -0.25 * s * w]])


def line_moments(mu, sigma, log_factor):
    """Mean and variance of N(mu, sigma^2) times a factor, by sums on a fine line."""
    y = mu + sigma * np.linspace(-10, 10, 2001)
    weights = exact.normalize(np.exp(-((y - mu) ** 2) / (2 * sigma**2) + log_factor(y)))
    mean = mu + weights @ (y - mu)
    return mean, weights @ (y - mean) ** 2


def still_model(mu_of, sigma):
    """What `sampler.compile_get_mu_sigma` asks of a model of points in the plane."""
    return SimpleNamespace(
        sample_shape=(2,),
        trajectory_length=5,
        dtype="float64",
        kernels=gaussian,
        reverse_step=lambda X, t: (mu_of(X), pt.full_like(X, sigma)),
        first_step=lambda X: (X, pt.full_like(X, 0.1)),
    )


@equation(
    52,
    r"\tilde p(\mathbf y \mid \mathbf x^{(t)}) \propto p(\mathbf y \mid \mathbf x^{(t)}) \, r(\mathbf y)",
    CHAPTER,
    "diffusion.gaussian.product",
    "diffusion.gaussian.log_prob",
    "diffusion.binomial.product",
    "diffusion.binomial.log_prob",
)
def modified_step():
    """Log of the package's product less log p and log r, written by hand: one constant
    for all points of a line, and for all strings of bits."""
    y = np.linspace(-3, 3, 25)
    by_hand = -((y - 0.8) ** 2) / (2 * 0.4**2) - (y - 0.3) ** 2 / (2 * 0.5**2)
    step = gaussian.product(0.8, 0.4, 0.3, 0.5)
    agree_up_to_a_constant(value(gaussian.log_prob(y, *step)), by_hand)
    strings = exact.bit_strings(3)
    c, d = np.array([0.2, 0.5, 0.9]), np.array([0.7, 0.1, 0.6])
    p = np.where(strings == 1, c, 1 - c).prod(axis=1)
    r = np.where(strings == 1, d, 1 - d).prod(axis=1)
    log_product = value(binomial.log_prob(strings, binomial.product(c, d)))
    agree_up_to_a_constant(log_product.sum(axis=1), np.log(p * r))


@equation(
    53,
    r"p(\mathbf y \mid \mathbf x^{(t)}) \, r(\mathbf y) = \mathcal N(\mathbf y; \mu, \Sigma) \, r(\mathbf y)",
    CHAPTER,
    "diffusion.gaussian.log_prob",
    "sampler.compile_get_mu_sigma",
)
def step_is_a_gaussian():
    """Density of the step that the sampler takes, times r, against the formula of a
    normal density with determinant and inverse; with a full covariance too."""
    x, sigma = np.array([[0.6, -1.0]]), 0.3
    step = sampler.compile_get_mu_sigma(still_model(lambda X: X / 2, sigma), 1)
    log_p = value(gaussian.log_prob(POINTS, *step(x, 2))).sum(axis=1)
    misfit = ((POINTS - x / 2) ** 2).sum(axis=1) / sigma**2
    normal = np.exp(-misfit / 2) / (2 * np.pi * sigma**2)
    r = np.exp(log_r(POINTS))
    agree(np.exp(log_p) * r, normal * r)
    full = np.exp(-form(POINTS)) / (2 * np.pi * np.sqrt(np.linalg.det(SIGMA)))
    agree(np.exp(log_step(POINTS)) * r, full * r)


@equation(
    54,
    r"\tilde p(\mathbf y \mid \mathbf x^{(t)}) \propto \exp[-E(\mathbf y)]",
    CHAPTER,
    "diffusion.gaussian.product",
    "diffusion.gaussian.log_prob",
)
def density_from_an_energy():
    """The exponential of minus a sum of two parabolas, normalised on a fine line,
    against the package's product of two Gaussians."""
    y = np.linspace(-4, 4, 1601)
    energy = (y + 0.5) ** 2 / (2 * 0.6**2) + (y - 0.7) ** 2 / (2 * 0.9**2)
    by_hand = exact.normalize(np.exp(-energy)) / (y[1] - y[0])
    step = gaussian.product(-0.5, 0.6, 0.7, 0.9)
    agree(np.exp(value(gaussian.log_prob(y, *step))), by_hand)


@equation(
    55,
    r"E(\mathbf y) = \frac12 (\mathbf y - \mu)^T \Sigma^{-1} (\mathbf y - \mu) + E_r(\mathbf y)",
    CHAPTER,
    "diffusion.gaussian.log_prob",
)
def two_energies():
    """The quadratic form plus E_r against minus the logarithm of step times r, for a
    full covariance, up to a constant."""
    energy = form(POINTS) - log_r(POINTS)
    agree_up_to_a_constant(-log_step(POINTS) - log_r(POINTS), energy)


@equation(
    56,
    r"E_r(\mathbf y) \approx E_r(\mu) + (\mathbf y - \mu)^T \mathbf g",
    CHAPTER,
    "sampler.compile_get_mu_sigma",
    "diffusion.factors.Smooth.slope",
    "diffusion.gaussian.perturb",
)
def first_order_expansion():
    """With the slope that the sampler's step contains, what the expansion leaves out
    is half the Hessian's quadratic form, and a remainder of third order."""
    sigma, x = 0.3, np.array([[0.6, -1.0]])
    model = still_model(lambda X: X / 2, sigma)
    smooth = factors.Smooth(lambda X, t: log_r(X))
    moved, _ = sampler.compile_get_mu_sigma(model, 1, smooth)(x, 2)
    mu = x / 2
    g = -(moved - mu)[0] / sigma**2
    _, hessian = log_r_derivatives(mu[0])
    for h in (1e-1, 1e-2, 1e-3):
        step = h * np.array([[0.8, -0.6]])
        left_out = -log_r(mu + step) + log_r(mu) - step @ g
        second = -0.5 * step[0] @ hessian @ step[0]
        agree(left_out, second, h**3)


@equation(
    57,
    r"E(\mathbf y) \approx \frac12 (\mathbf y - \mu)^T \Sigma^{-1} (\mathbf y - \mu) + (\mathbf y - \mu)^T \mathbf g + \text{constant}",
    CHAPTER,
    "diffusion.gaussian.perturb",
    "diffusion.gaussian.log_prob",
)
def energy_with_a_straight_factor():
    """The form on the right against minus the log density of the perturbed step, up to
    a constant; close to mu it is the true energy, to second order."""
    right = form(POINTS) + np.array([(y - MU) @ G for y in POINTS])
    agree_up_to_a_constant(-log_perturbed(POINTS), right)
    slope, hessian = log_r_derivatives(MU)
    for h in (1e-2, 1e-3):
        y = MU + h * np.array([[0.0, 0.0], [0.6, 0.8]])
        energy = form(y) - log_r(y)
        gap = np.diff(energy - form(y) + (y - MU) @ slope)
        second = -0.5 * (y[1] - MU) @ hessian @ (y[1] - MU)
        agree(gap, second, h**3)


@equation(
    58,
    r"\begin{aligned} E(\mathbf y) \approx{} & \frac12 \mathbf y^T \Sigma^{-1} \mathbf y - \frac12 \mathbf y^T \Sigma^{-1} \mu - \frac12 \mu^T \Sigma^{-1} \mathbf y \cr & + \frac12 \mathbf y^T \Sigma^{-1} \Sigma \mathbf g + \frac12 \mathbf g^T \Sigma \Sigma^{-1} \mathbf y + \text{constant} \end{aligned}",
    CHAPTER,
    "diffusion.gaussian.perturb",
    "diffusion.gaussian.log_prob",
)
def square_multiplied_out():
    """The five terms, with a full covariance, against minus the log density of the
    perturbed step, and against Eq. 57, up to constants."""
    P = np.linalg.inv(SIGMA)
    five = np.array(
        [
            0.5 * (y @ P @ y - y @ P @ MU - MU @ P @ y)
            + 0.5 * (y @ P @ SIGMA @ G + G @ SIGMA @ P @ y)
            for y in POINTS
        ]
    )
    agree_up_to_a_constant(-log_perturbed(POINTS), five)
    agree_up_to_a_constant(form(POINTS) + (POINTS - MU) @ G, five)


@equation(
    59,
    r"E(\mathbf y) \approx \frac12 (\mathbf y - \mu + \Sigma \mathbf g)^T \Sigma^{-1} (\mathbf y - \mu + \Sigma \mathbf g) + \text{constant}",
    CHAPTER,
    "diffusion.gaussian.perturb",
    "diffusion.gaussian.log_prob",
)
def square_completed():
    """The completed square, with a full covariance, against minus the log density of
    the perturbed step; it exceeds Eq. 57 by half of g Sigma g at every point."""
    square = form(POINTS, MU - SIGMA @ G)
    agree_up_to_a_constant(-log_perturbed(POINTS), square)
    added = square - form(POINTS) - np.array([(y - MU) @ G for y in POINTS])
    agree(added, 0.5 * G @ SIGMA @ G)


@equation(
    60,
    r"\tilde p(\mathbf y \mid \mathbf x^{(t)}) \approx \mathcal N(\mathbf y; \mu - \Sigma \mathbf g, \Sigma)",
    CHAPTER,
    "diffusion.gaussian.perturb",
    "diffusion.gaussian.log_prob",
)
def perturbed_gaussian():
    """For a straight log r and a full covariance the perturbed step is exact: its
    density, mean and covariance against sums over a fine grid of the plane."""
    axis = np.linspace(-6, 6, 161)
    y = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    P, off = np.linalg.inv(SIGMA), y - MU
    energy = 0.5 * np.einsum("ni,ij,nj->n", off, P, off) + off @ G
    weights = exact.normalize(np.exp(-energy))
    mean = weights @ y
    covariance = (weights[:, None] * (y - mean)).T @ (y - mean)
    moved, sigma = gaussian.perturb(MU @ AXES, np.sqrt(VARIANCES), -G @ AXES)
    agree(AXES @ moved, mean, 1e-8)
    agree(AXES @ np.diag(sigma**2) @ AXES.T, covariance, 1e-8)
    density = weights[::997] / (axis[1] - axis[0]) ** 2
    agree(np.exp(log_perturbed(y[::997])), density, 1e-8)


@equation(
    61,
    r"\begin{aligned} \tilde p(\mathbf x^{(t-1)} \mid \mathbf x^{(t)}) \approx \mathcal N\Big( & \mathbf x^{(t-1)}; \; \mathbf f_\mu(\mathbf x^{(t)}, t) + {} \cr & \mathbf f_\Sigma(\mathbf x^{(t)}, t) \left. \frac{\partial \log r(\mathbf x^{(t-1)\prime})}{\partial \mathbf x^{(t-1)\prime}} \right|_{\mathbf x^{(t-1)\prime} = \mathbf f_\mu(\mathbf x^{(t)}, t)}, \; \mathbf f_\Sigma(\mathbf x^{(t)}, t) \Big) \end{aligned}",
    CHAPTER,
    "diffusion.gaussian.perturb",
    "diffusion.binomial.perturb",
    "diffusion.binomial.product",
    "sampler.compile_get_mu_sigma",
    "diffusion.factors.Smooth.slope",
)
def perturbed_step():
    """For a smooth r the step errs in mean and variance as the second order predicts;
    the sampler's step is the formula; for bits the rates against sums over strings."""
    mu = 0.4
    one, two, three = 1.6 * np.cos(2 * mu), -3.2 * np.sin(2 * mu), -6.4 * np.cos(2 * mu)
    for v in (2e-2, 2e-3):
        mean, variance = line_moments(mu, v**0.5, lambda y: 0.8 * np.sin(2 * y))
        moved, sigma = gaussian.perturb(mu, v**0.5, one)
        agree((mean - moved) / v**2, one * two + three / 2, 30 * v)
        agree((variance - sigma**2) / v**2, two, 30 * v)
    sampler_takes_this_step()
    c, a = np.array([0.2, 0.5, 0.9]), np.array([1.5, -0.4, 0.8])
    agree(binomial.perturb(c, a), rates_of_product(c, a, np.zeros((3, 3))))
    d = np.exp(a) / (1 + np.exp(a))
    agree(binomial.product(c, d), rates_of_product(c, a, np.zeros((3, 3))))
    coupled_bits(a)


def sampler_takes_this_step():
    """The compiled reverse step with r against f_mu + f_Sigma times the slope."""
    x, sigma = np.array([[0.6, -1.0], [0.1, 0.7]]), 0.3
    model = still_model(lambda X: X / 2, sigma)
    smooth = factors.Smooth(lambda X, t: log_r(X))
    moved, deviation = sampler.compile_get_mu_sigma(model, 2, smooth)(x, 3)
    slopes = np.array([log_r_derivatives(row / 2)[0] for row in x])
    agree(moved, x / 2 + sigma**2 * slopes)
    agree(deviation, sigma)


def rates_of_product(c, a, coupling):
    """Rates of independent bits c times exp(a x + x J x), by sums over all strings."""
    strings = exact.bit_strings(len(c))
    weights = [
        np.prod(np.where(x == 1, c, 1 - c)) * np.exp(a @ x + x @ coupling @ x)
        for x in strings
    ]
    return strings.T @ exact.normalize(np.array(weights))


def coupled_bits(a):
    """Where bits depend on each other in r, the chance of a flip has a relative error
    of the order of the chance itself."""
    x = np.array([1.0, 0.0, 1.0])
    coupling = np.triu(np.array([[0, 0.7, -0.9], [0, 0, 0.5], [0, 0, 0]]))
    for chance in (1e-2, 1e-4):
        c = np.abs(x - chance)
        slope = a + coupling @ c + coupling.T @ c
        flips = np.abs(value(binomial.perturb(c, slope)) - x)
        by_sums = np.abs(rates_of_product(c, a, coupling) - x)
        agree(flips / by_sums, 1.0, 10 * chance)
        holds(np.abs(flips / by_sums - 1).max() > chance / 100)
