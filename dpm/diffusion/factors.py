"""Factors r(x) that multiply a reverse walk (Section 2.5).

A factor is an object. `Factor.start` says what it does to pi at x^T, `Factor.apply`
what it does to one reverse step; both take and give what describes a distribution,
(mean, deviation) of Gaussians or (rate,) of bits. A factor that has to enter the
compiled step gives its slope there (Eq. 61). A new factor is one class here, and
`dpm.sampler` takes it as it takes the others.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.backend import numbers, precision
from dpm.blocks.checks import check_broadcast, check_positive
from dpm.diffusion.factor import Factor, One, Product, as_tuple, check_factor
from dpm.diffusion.schedule import beta_cumulative

__all__ = [
    "Bits",
    "Denoising",
    "Exact",
    "Expected",
    "Factor",
    "Fading",
    "Gaussian",
    "Known",
    "KnownWithNoise",
    "One",
    "Product",
    "Smooth",
    "as_tuple",
    "check_factor",
]


class Exact(Factor):
    """A factor of the steps' own family, multiplied in exactly (Eq. 22)."""

    def __init__(self, *values):
        self.values = tuple(np.asarray(value, dtype=float) for value in values)
        for number, value in enumerate(self.values):
            if np.isnan(value).any():
                raise ValueError(f"r[{number}] holds nan: repair or remove it")

    def prepare(self, noise) -> None:
        if len(self.values) != len(self.model.prior):
            wanted = "(mean, deviation)" if len(self.model.prior) == 2 else "(rate,)"
            raise ValueError(
                f"r has {len(self.values)} parts, but this model's factors are {wanted}"
            )
        named = {f"r[{number}]": value for number, value in enumerate(self.values)}
        check_broadcast(samples=noise, **named)
        shape = np.broadcast_shapes(noise.shape, *map(np.shape, self.values))
        if shape != noise.shape:
            raise ValueError(f"r has shape {shape}, but the samples {noise.shape}")

    def apply(self, step, t):
        return as_tuple(self.model.kernels.product(*step, *self.values))

    def raised(self, exponent):
        if exponent == 0:
            return One().on(self.model, None)
        power = Exact()
        power.model = self.model
        power.values = as_tuple(self.model.kernels.power(*self.values, exponent))
        return power


class Gaussian(Exact):
    """r(x) = N(x; mean, deviation^2), the same at all times (Eq. 23).

    Parameters
    ----------
    mean, deviation : array_like
        Broadcast against the samples. A deviation of infinity says nothing about that
        coordinate.
    """

    def __init__(self, mean, deviation):
        super().__init__(mean, deviation)
        if np.isinf(self.values[0]).any():
            raise ValueError("r has an infinite mean: where nothing is known let the "
                             "deviation be infinite")  # fmt: skip
        least = self.values[1].min(initial=np.inf)
        if not least > 0:
            raise ValueError(f"r has a deviation of {least:g}: it must be positive")


class Bits(Exact):
    """r of independent bits, the same at all times (Eq. 23).

    Parameters
    ----------
    rate : array_like
        r(x_i = 1), r normalised over the two values of the bit; broadcasts against the
        samples. 1/2 says nothing about that bit.
    """

    def __init__(self, rate):
        super().__init__(rate)
        (rate,) = self.values
        outside = rate[(rate < 0) | (rate > 1)]
        if outside.size:
            raise ValueError(f"r has a rate outside [0, 1]: {outside[0]:g}")


class Denoising(Exact):
    """A Gaussian around noisy data, at which the walk starts.

    Sampling is then from the posterior of `X_true` given `X_true` plus noise.

    Parameters
    ----------
    X_true : array_like, as many elements as the samples have
    sigma : float
        Standard deviation of the noise. The first draws of the walk are that noise.

    Notes
    -----
    Reference: the option ``denoise_sigma`` in ``sampler.py``.
    """

    turn = 2

    has_own_start = True

    def __init__(self, X_true, sigma: float):
        check_positive(sigma, "sigma")
        super().__init__(_given(X_true, "denoise"))
        self.X_true, self.sigma = np.asarray(X_true), float(sigma)

    def prepare(self, noise) -> None:
        if len(self.model.prior) != 2:
            raise ValueError("Denoising is for Gaussian models; for bits give Bits")
        X_true = _in_shape(self.X_true, noise.shape, self.model.dtype)
        noisy = (X_true + noise * self.sigma).astype(self.model.dtype)
        self.values = noisy, self.sigma

    def start(self, pi):
        return self.values[0], 0.0


class Known(Factor):
    """A delta function at what is known: at all times the clean x^0 stands there.

    Parameters
    ----------
    X_true : array_like, as many elements as the samples have
    mask : array_like of bool, as many elements
        True where `X_true` is known. The rest of it is not looked at.

    Notes
    -----
    Reference: the option ``mask`` in ``sampler.py``.
    """

    turn = 3

    def __init__(self, X_true, mask):
        self.X_true = np.asarray(_given(X_true, "inpaint"))
        self.mask = np.asarray(mask, dtype=bool)

    def prepare(self, noise) -> None:
        shape = noise.shape
        self.X_true = _in_shape(self.X_true, shape, self.model.dtype)
        if self.mask.size != noise.size:
            raise ValueError(f"mask has {self.mask.size} elements, the samples {shape}")
        self.mask = self.mask.reshape(shape)
        known = self.X_true[self.mask]
        if np.isnan(known).any():
            raise ValueError("X_true holds nan where mask says that it is known")
        if len(self.model.prior) == 1 and not ((known == 0) | (known == 1)).all():
            raise ValueError("X_true holds other numbers than 0 and 1: it is of bits")

    def apply(self, step, t):
        pairs = zip(self.at(t), step, strict=True)
        return tuple(np.where(self.mask, known, free) for known, free in pairs)

    def at(self, t: int) -> tuple:
        """Parameters of what stands at time t in the known places."""
        return (self.X_true, 0.0)[: len(self.model.prior)]

    def raised(self, exponent):
        return self


class KnownWithNoise(Known):
    """What is known, put back with the noise of its time.

    At time t the known places of x^t hold a draw of q(x^t | x^0), as they would in a
    forward trajectory, and the clean x^0 at t = 0. So the network sees there what it
    was trained on. The draws of different times are independent.

    Parameters
    ----------
    X_true, mask : as in `Known`
    """

    def prepare(self, noise) -> None:
        super().prepare(noise)
        model = self.model
        rho = model.prior if len(model.prior) == 1 else ()
        clean = np.where(self.mask, self.X_true, 0.0)
        with precision("float64"):
            beta = numbers(model.beta_arr).astype(float)
            self.total = numbers(beta_cumulative(beta))
            b = pt.dscalar("b")
            marginal = as_tuple(model.kernels.marginal(clean, b, *rho))
            self.marginal = pytensor.function([b], list(marginal))

    def at(self, t):
        if t == 0:
            return super().at(t)
        return tuple(np.asarray(part) for part in self.marginal(self.total[t - 1]))


class Smooth(Factor):
    """Any smooth factor, to first order (Eq. 61; of bits, Table App.1).

    Parameters
    ----------
    log_r : callable
        ``log_r(X, t)`` gives log r(x^t) of each sample, symbolic of shape (n_samples,),
        for symbolic X of the samples' shape and the symbolic time t of that state. A
        log r that does not use t is constant in t (Eq. 23). Its slope at the mean of
        the step shifts that mean, or the rates of bits.
    """

    turn = 1

    def __init__(self, log_r):
        if not callable(log_r):
            raise ValueError(f"log_r of type {type(log_r).__name__} is no function")
        self.log_r = log_r
        self.smooth = ((self, False),)
        self._starts = {}  # compiled, by model and shape; walks share them

    def slope(self, model, X, t):
        shape = X.type.shape
        value = self.log_r(X, t)
        known = getattr(getattr(value, "type", None), "shape", None)
        if known is None or len(known) != 1 or known[0] not in (None, shape[0]):
            found = type(value).__name__ if known is None else f"shape {known}"
            raise ValueError(
                f"log_r gave {found} for X of shape {shape}, but it must give one "
                f"number a sample, a symbolic vector of shape ({shape[0]},): sum over "
                "the other axes"
            )
        slope = pt.grad(
            value.sum(), X, disconnected_inputs="ignore", return_disconnected="none"
        )
        if slope is None:
            raise ValueError("log_r does not depend on X: it cannot change any step")
        return slope

    def start(self, pi):
        model, shape = self.model, np.shape(pi[0])
        compiled = self._starts.get(shape)
        if compiled is None or compiled[0] is not model:
            X, t = pt.tensor("X", shape=shape, dtype=model.dtype), pt.lscalar("t")
            slope = pytensor.function(
                [X, t], self.slope(model, X, t), on_unused_input="ignore"
            )
            compiled = self._starts[shape] = model, slope
        slope = compiled[1](pi[0].astype(model.dtype), model.trajectory_length)
        parts = as_tuple(model.kernels.perturb(*pi, np.asarray(slope)))
        return tuple(numbers(part) for part in parts)

    def raised(self, exponent):
        return One().on(self.model, None) if exponent == 0 else self


class Expected(Smooth):
    """The r that makes the walk exact: at time t, E[r(x^0) | x^t].

    Parameters
    ----------
    model : KnownMixture or KnownStrings, or another with their ``log_expected``
    *r : array_like
        Of r(x^0): mean and deviation of a Gaussian, or the rate of bits.
    """

    def __init__(self, model, *r):
        super().__init__(model.log_expected(*r))


class Fading(Factor):
    """Another factor to the power (T-t)/T, so that it says nothing at t = T.

    What is `Known` stays known.

    Parameters
    ----------
    factor : Factor
    """

    def __init__(self, factor):
        factor = check_factor(factor)
        if isinstance(factor, Fading):
            raise ValueError("Fading of Fading: the factor fades already")
        self.factor, self.turn = factor, factor.turn
        self.smooth = tuple((smooth, True) for smooth, _ in factor.smooth)

    def prepare(self, noise) -> None:
        self.factor = self.factor.on(self.model, noise)

    def start(self, pi):
        return self.factor.raised(0.0).start(pi)

    def apply(self, step, t):
        exponent = 1.0 - t / self.model.trajectory_length
        return self.factor.raised(exponent).apply(step, t)

    def slope(self, model, X, t):
        slope = self.factor.slope(model, X, t)
        if slope is None:
            return None
        return slope * (1.0 - t / float(model.trajectory_length))

    def parts(self):
        if not isinstance(self.factor, Product):
            return [self]
        return [Fading(part) for part in self.factor.parts()]


def _given(X_true, purpose: str):
    if X_true is None:
        raise ValueError(f"give X_true: what to {purpose}")
    return X_true


def _in_shape(X_true, shape: tuple, dtype: str) -> np.ndarray:
    """`X_true` in the shape of the samples, or ValueError."""
    X_true = X_true.astype(dtype)
    if X_true.size != np.prod(shape):
        raise ValueError(f"X_true has shape {X_true.shape}, but needs {shape}")
    return X_true.reshape(shape)
