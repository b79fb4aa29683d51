"""What a factor r(x) is (Section 2.5), and the product of several.

`dpm.diffusion.factors` has the kinds.
"""

from copy import copy


def as_tuple(parts) -> tuple:
    """What describes a step, as a tuple: bits have the rate alone."""
    return tuple(parts) if isinstance(parts, tuple | list) else (parts,)


class Factor:
    """What all factors share.

    Attributes
    ----------
    turn : int
        Of several factors, the one with the lower number goes first.
    smooth : tuple
        What of it enters the compiled step, and tells one such step from another; a
        factor that has a `slope` puts itself here.
    has_own_start : bool
        Whether it says where the walk starts, whatever pi is.
    """

    turn = 0
    smooth = ()
    has_own_start = False

    def on(self, model, noise):
        """This factor on one walk, checked against what it has to fit.

        Parameters
        ----------
        model : as in `dpm.sampler.reverse_trajectory`
        noise : ndarray, shape (n_samples, *model.sample_shape)
            The first draws of the walk, from which x^T is made.

        Returns
        -------
        Factor
            A copy, which has `start` and `apply`.
        """
        bound = copy(self)
        bound.model = model
        bound.prepare(noise)
        return bound

    def prepare(self, noise) -> None:
        """Check what was given, or raise ValueError; called once a walk."""

    def start(self, pi: tuple) -> tuple:
        """Parameters of p(x^T) r(x^T)."""
        return self.apply(pi, self.model.trajectory_length)

    def apply(self, step: tuple, t: int) -> tuple:
        """Parameters of a step times r, for the step that leads to x^t."""
        return step

    def slope(self, model, X, t):
        """Derivative of log r at symbolic X of known shape; None where there is none.

        The step that leads to x^t is compiled with it.
        """
        return None

    def raised(self, exponent: float):
        """The factor to a power in [0, 1], on the same walk."""
        raise ValueError(f"{type(self).__name__} has no powers: it cannot fade")

    def parts(self) -> list:
        """The factors that this one is the product of."""
        return [self]

    def __mul__(self, other):
        return Product(self, other)


class One(Factor):
    """r(x) = 1, which changes nothing."""

    def raised(self, exponent):
        return self


class Product(Factor):
    """Several factors at once; ``a * b`` makes one too.

    What is known for certain is put in last, whatever the order given.

    Parameters
    ----------
    *factors : Factor
    """

    def __init__(self, *factors):
        given = [part for factor in factors for part in check_factor(factor).parts()]
        self.factors = sorted(given, key=lambda factor: factor.turn)
        self.smooth = sum((factor.smooth for factor in self.factors), ())
        starts = [f for f in given if getattr(f, "factor", f).has_own_start]
        if len(starts) > 1:
            raise ValueError(
                "two Denoising factors: a walk has one start; give the second as a "
                "Gaussian around its noisy picture"
            )

    def prepare(self, noise) -> None:
        self.factors = [factor.on(self.model, noise) for factor in self.factors]

    def start(self, pi):
        for factor in self.factors:
            pi = factor.start(pi)
        return pi

    def apply(self, step, t):
        for factor in self.factors:
            step = factor.apply(step, t)
        return step

    def slope(self, model, X, t):
        slopes = [factor.slope(model, X, t) for factor in self.factors if factor.smooth]
        return sum(slopes[1:], slopes[0]) if slopes else None

    def raised(self, exponent):
        power = copy(self)
        power.factors = [factor.raised(exponent) for factor in self.factors]
        return power

    def parts(self):
        return self.factors


def check_factor(factor) -> Factor:
    """Return `factor`, or raise ValueError; None stands for r = 1."""
    if factor is None:
        return One()
    if not isinstance(factor, Factor):
        raise ValueError(
            f"a factor of type {type(factor).__name__}: give one of "
            "dpm.diffusion.factors, such as Gaussian(mean, deviation) or "
            "Known(X_true, mask)"
        )
    return factor
