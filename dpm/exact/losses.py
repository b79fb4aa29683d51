"""Where the bits go that lie between the entropy of known data and the bound K."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from dpm.blocks.backend import numbers
from dpm.blocks.checks import as_rng, check_count


class Losses(NamedTuple):
    """From -H_q(X^0) down to K, term by term, in nats per sample.

    .. math:: K = -H_q(X^{(0)}) - \\sum_{t=1}^T E\\left[D_{KL}(q(x^{(t-1)}|x^{(t)}) ||
        p(x^{(t-1)}|x^{(t)}))\\right] - D_{KL}(q(x^{(T)}) || \\pi(x^{(T)}))

    Attributes
    ----------
    data : float
        -H_q(X^0), the best log likelihood there is.
    edge : float
        The term of t = 1: the step back that Appendix B.2 imposes.
    form : ndarray, shape (T-1,)
        The terms of t = 2..T, with the best steps back that the family has.
    training : float
        What the steps of a network lose besides.
    mismatch : float
        The last term: what is left of the data where the reverse chain starts.
    """

    data: float
    edge: float
    form: np.ndarray
    training: float
    mismatch: float

    @property
    def K(self) -> float:
        """What is left of `data`."""
        return float(self.data - sum(map(np.sum, self[1:])))

    def trained(self, K) -> "Losses":
        """The same with a network in place of the best steps, which reaches `K`."""
        return self._replace(training=self.training + self.K - float(K))


def compile_losses(model, n: int, mode=None) -> Callable[..., Losses]:
    """A function that samples the losses of a model whose steps are the best.

    Parameters
    ----------
    model : KnownMixture or KnownStrings
        Of data with the mean and variance of pi, as Eq. 14 asks for.
    n : int
        Samples for each step.
    mode : optional
        How to compile; `dpm.blocks.backend.INTERPRETED` for short chains of strings.

    Returns
    -------
    callable
        Of a `numpy.random.Generator` or a seed. It follows `KnownMixture.set_rates`.

    Notes
    -----
    A divergence of Eq. 14 is larger than that of the true step back, by what the state
    forgets of the data in the step forward: I(X^(t-1); X^0) - I(X^t; X^0).
    """
    family, shape = model.kernels, (check_count(n, "n", 1), *model.sample_shape)
    x0, noise = (pt.tensor(dtype=model.dtype, shape=shape) for _ in range(2))
    t = pt.lscalar("t")
    # a sum casts bits at once, and `astype`, interpreted, one after another
    X = family.sample(*model.jump(x0, t), noise) + np.zeros((), model.dtype)
    log_q = model.log_density(X, t)
    log_pi = family.log_prob(X, *model.prior).sum(axis=-1)
    terms = [
        log_q,
        log_q - log_pi,
        model.log_given_data(x0, X, t) - log_q,
        model.expected_divergence(X, t - 1),
    ]
    means = [term.mean() for term in terms]
    step = pytensor.function([x0, noise, t], means, mode=mode)

    def losses(rng) -> Losses:
        rng = as_rng(rng)
        data, times = model.sample(n, rng), range(model.trajectory_length + 1)
        at = [step(data, family.noise(rng, shape), t) for t in times]
        log_q, log_ratio, information, kl = np.array(at).T
        H = numbers(*model.entropies(data))[1:]
        mismatch = log_ratio[-1]
        information[-1] = H[1] - H[0][-1] - mismatch
        edge = log_q[0] + information[1] + H[0][0]
        form = kl[2:] + np.diff(information[1:])
        return Losses(float(log_q[0]), float(edge), form, 0.0, float(mismatch))

    return losses
