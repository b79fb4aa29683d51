"""The rival of Table 2: a mixture of conditional Gaussian scale mixtures.

A grey picture is read as a page is. Each pixel y is predicted from the pixels x near it
that were read before (Theis et al., 2012). Components differ in how they predict, and
each has Gaussians of several widths. What the pixels x look like decides how probable
each is. The density of the whole picture is the product over its pixels.

`MCGSM` is the density of one pixel and `fit` finds its parameters. Pictures are read
with it in `dpm.evaluation.picture_model`.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.optimize import minimize
from tqdm import tqdm

from dpm.blocks.backend import precision
from dpm.blocks.bricks import Brick, Constant, IsotropicGaussian, Orthogonal
from dpm.blocks.checks import check_count, check_data
from dpm.diffusion import gaussian

ROWS = 5_000  # pixels scored at once
PART = 2_000  # pixels whose slopes are computed at once


class MCGSM(Brick):
    """p(y | x) of one pixel y, given n_in numbers x.

    .. math:: p(y | x) = \\sum_{c,s} p(c, s | x) \\,
        N(y; m_c + a_c^T x, e^{-\\alpha_{cs}}), \\qquad
        p(c, s | x) \\propto \\exp\\left(\\eta_{cs} - \\tfrac12 e^{\\alpha_{cs}}
        \\sum_k \\beta_{ck}^2 (b_k^T x)^2\\right)

    x and y enter whitened, see `preconditioner`: their densities differ from those of
    the pixels by the last element of it.

    Parameters
    ----------
    n_in : int
    n_components, n_scales : int
        c and s.

    Notes
    -----
    Theis et al., 2012, who have no m_c.
    """

    def __init__(self, n_in: int, n_components: int = 8, n_scales: int = 6):
        super().__init__("mcgsm")
        for name, value in (("n_in", n_in), ("n_components", n_components)):
            check_count(value, name, 1)
        C, S = n_components, check_count(n_scales, "n_scales", 1)
        self.n_in = n_in
        add, small = self.add_parameter, IsotropicGaussian(0.1 / np.sqrt(n_in))
        self.mean = add("mean", (C,), IsotropicGaussian(0.1))
        self.predictor = add("predictor", (n_in, C), small)
        self.log_precision = add("log_precision", (C, S), IsotropicGaussian(0.1))
        self.prior = add("prior", (C, S), Constant(0.0))
        self.feature = self.add_parameter("feature", (n_in, n_in), Orthogonal())
        self.weight = self.add_parameter("weight", (n_in, C), IsotropicGaussian(0.01))

    def spread_scales(self, y) -> None:
        """Start the widths so that they cover the sizes that y (n,) has."""
        n = self.log_precision.type.shape[1]
        size2 = np.quantile(np.square(y), (np.arange(n) + 0.5) / n)
        start = -np.log(np.maximum(size2, 1e-8))
        self.log_precision.set_value(self.log_precision.get_value() + start)

    def _log_choice(self, X):
        """log p(c, s | x), shape (batch, n_components, n_scales)."""
        form = ((X @ self.feature) ** 2) @ (self.weight**2)  # (batch, n_components)
        precision = pt.exp(self.log_precision)
        energy = self.prior - 0.5 * precision * form[:, :, None]
        return energy - pt.logsumexp(energy, axis=(1, 2), keepdims=True)

    def log_prob(self, X, y):
        """log p(y | x) in nats, for X (batch, n_in) and y (batch,)."""
        mu = self.mean + X @ self.predictor
        sigma = pt.exp(-0.5 * self.log_precision)
        each = gaussian.log_prob(y[:, None, None], mu[:, :, None], sigma)
        return pt.logsumexp(self._log_choice(X) + each, axis=(1, 2))

    def compile(self) -> None:
        """Make `score` and `choose`, which work on arrays."""
        X = pt.tensor("X", shape=(None, self.n_in), dtype=self.dtype)
        y = pt.tensor("y", shape=(None,), dtype=self.dtype)
        self.score = pytensor.function([X, y], self.log_prob(X, y))
        mu = self.mean + X @ self.predictor
        self.choose = pytensor.function([X], [pt.exp(self._log_choice(X)), mu])

    def sample(self, X, rng) -> np.ndarray:
        """Draw y (n,) given X (n, n_in), both whitened."""
        p, mu = (np.asarray(part) for part in self.choose(X))
        n, _, n_scales = p.shape
        cumulative = p.reshape(n, -1).cumsum(axis=1)
        drawn = (cumulative < rng.random((n, 1)) * cumulative[:, -1:]).sum(axis=1)
        c, s = np.divmod(drawn, n_scales)
        sigma = np.exp(-0.5 * self.log_precision.get_value()[c, s])
        return mu[np.arange(n), c] + sigma * rng.standard_normal(n)


class Whitened:
    """An `MCGSM` together with the linear change of variables that it works in.

    x is centred and turned so that its covariance is the identity, leaving out
    directions in which it does not vary. y is replaced by what is left of it after
    linear regression on x, divided by its deviation. The family of densities is the
    same with or without; fitting is faster by far.
    """

    ARRAYS = ("shift", "turn", "offset", "slope", "scale")

    def __init__(self, X, y, n_components: int, n_scales: int, rng):
        self.shift = X.mean(axis=0)
        centred = X - self.shift
        values, vectors = np.linalg.eigh(centred.T @ centred / len(X))
        keep = values > 1e-10 * values[-1]
        self.turn = vectors[:, keep] / np.sqrt(values[keep])
        U = centred @ self.turn
        self.offset, self.slope = y.mean(), U.T @ (y - y.mean()) / len(X)
        self.scale = (rest := y - self.offset - U @ self.slope).std()
        if not self.scale > 1e-9 * max(1.0, abs(self.offset)):
            raise ValueError(
                "the pixels are a linear function of those around them, so they have "
                "no density: add noise of one grey level"
            )
        self.mcgsm = MCGSM(U.shape[1], n_components, n_scales)
        self.mcgsm.initialize(rng)
        self.mcgsm.spread_scales(rest / self.scale)
        self.mcgsm.compile()

    @property
    def arrays(self) -> dict:
        """All that it consists of, by name."""
        own = {name: np.asarray(getattr(self, name)) for name in self.ARRAYS}
        return own | self.mcgsm.get_parameter_values()

    @classmethod
    def from_arrays(cls, arrays: dict) -> "Whitened":
        """What `arrays` was taken from."""
        self = cls.__new__(cls)
        for name in cls.ARRAYS:
            setattr(self, name, arrays[name])
        values = {k: v for k, v in arrays.items() if k not in cls.ARRAYS}
        n_in = arrays["turn"].shape[1]
        self.mcgsm = MCGSM(n_in, *values["mcgsm.log_precision"].shape)
        self.mcgsm.set_parameter_values(values)
        self.mcgsm.compile()
        return self

    def whiten(self, X, y):
        """What the mixture sees of pixels."""
        U = (X - self.shift) @ self.turn
        return U, (y - self.offset - U @ self.slope) / self.scale

    def log_prob(self, X, y) -> np.ndarray:
        """log p(y | x) of pixels, in nats, shape (n,)."""
        parts = [
            self.mcgsm.score(*self.whiten(X[i : i + ROWS], y[i : i + ROWS]))
            for i in range(0, len(X), ROWS)
        ]
        return np.concatenate(parts) - np.log(self.scale)

    def sample(self, X, rng) -> np.ndarray:
        """Draw pixels given those around them, shape (n,)."""
        U = (X - self.shift) @ self.turn
        return self.offset + U @ self.slope + self.scale * self.mcgsm.sample(U, rng)


def objective(mcgsm, X, y, dtype=None):
    """Compile-time door to the cost: theta (n,) to minus the mean log p and its slope.

    What is computed of a part of the pixels stays in the processor's cache, and takes
    a third of the time that all of them at once take.

    Parameters
    ----------
    mcgsm : MCGSM
        Keeps its parameters: only their values are taken, as the start.
    X, y : ndarray, shapes (n, n_in) and (n,)
    dtype : str, optional
        That all but the sum over parts is computed in; the mixture's own if left out.

    Returns
    -------
    value_and_slope : callable
    theta : ndarray
        The parameters as they are now, in one vector.
    """
    dtype = dtype or mcgsm.dtype
    with precision(dtype):
        twin = MCGSM(mcgsm.n_in, *mcgsm.log_precision.type.shape)
        variables = list(twin.parameters.values())
        inputs = [pt.tensor(shape=(None, *a.shape[1:]), dtype=dtype) for a in (X, y)]
        cost = -twin.log_prob(*inputs).sum()
        compute = pytensor.function(inputs, [cost, *pt.grad(cost, variables)])
    n_parts = -(-len(X) // PART)
    parts = [np.array_split(a.astype(dtype), n_parts) for a in (X, y)]

    def value_and_slope(theta):
        twin.set_parameter_values(as_values(mcgsm, theta))
        sums = [np.zeros(()), *(np.zeros(v.type.shape) for v in variables)]
        for part in zip(*parts, strict=True):
            for total, found in zip(sums, compute(*part), strict=True):
                total += np.asarray(found)
        value, *slopes = (total / len(X) for total in sums)
        return float(value), np.concatenate([np.ravel(s) for s in slopes])

    values = mcgsm.get_parameter_values().values()
    return value_and_slope, np.concatenate([value.ravel() for value in values])


def as_values(brick, theta) -> dict:
    """One vector cut into arrays of the brick's parameters, by path."""
    shapes = {path: v.type.shape for path, v in brick.parameters.items()}
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes.values()])
    parts = zip(shapes.items(), np.split(theta, ends[:-1]), strict=True)
    return {path: part.reshape(shape) for (path, shape), part in parts}


def fit(
    X,
    y,
    n_components=8,
    n_scales=6,
    *,
    max_iter=500,
    n_first=0,
    start=None,
    seed=0,
    progress=True,
    name="fit",
) -> Whitened:
    """Fit p(y | x) by maximum likelihood, with L-BFGS on all of the data.

    Parameters
    ----------
    X : ndarray, shape (n, n_in)
    y : ndarray, shape (n,)
    n_components, n_scales, max_iter : int
    n_first : int
        If not 0, `max_iter` steps on so many of the rows come first. They are as many
        times cheaper as they are fewer, and leave little to do for those on all.
    start : Whitened, optional
        What an earlier fit returned, to go on from; it changes.
    seed : int
        Of the start, where none is given.

    Returns
    -------
    Whitened

    Raises
    ------
    ValueError
        For data without a density, and for a start of another size.
    """
    X = check_data(X, np.shape(X)[-1]).astype(float)
    y = check_data(np.reshape(y, (-1, 1)), 1, "y")[:, 0].astype(float)
    if len(X) != len(y):
        raise ValueError(f"{len(X)} rows of X, but {len(y)} numbers y")
    if start is None:
        rng = np.random.default_rng(seed)
        start = Whitened(X, y, n_components, n_scales, rng)
    model, wanted = start, (X.shape[1], n_components, n_scales)
    found = len(model.shift), *model.mcgsm.log_precision.type.shape
    if found != wanted:
        raise ValueError(
            f"the start was fitted to {found[0]} numbers, with {found[1]} components "
            f"and {found[2]} scales; {wanted[0]}, {wanted[1]} and {wanted[2]} are "
            "asked for"
        )
    X, y = model.whiten(X, y)
    for n in ([n_first] if 0 < n_first < len(X) else []) + [len(X)]:
        cost, theta = objective(model.mcgsm, X[:n], y[:n], "float32")
        theta = climb(cost, theta, max_iter, f"{name}, {n} pixels", progress)
        model.mcgsm.set_parameter_values(as_values(model.mcgsm, theta))
    return model


def climb(cost, theta, max_iter, name, progress) -> np.ndarray:
    """The vector at which L-BFGS from `theta` ends, minimising `cost`."""
    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": 20}
    with tqdm(
        desc=name, total=max_iter, leave=False, disable=not progress or None
    ) as bar:

        def callback(intermediate_result):
            bar.set_postfix_str(f"{-intermediate_result.fun:.4f} nats")
            bar.update()

        found = minimize(
            cost,
            theta,
            jac=True,
            method="L-BFGS-B",
            callback=callback,
            options=options,
        )
    return found.x
