"""The diffusion rates beta_1..beta_T: how much noise each forward step mixes in.

Time is counted from 0 in code, as in the 2015 implementation: index ``t`` of an array
holds the paper's step t+1. So ``beta_arr[0]`` is the paper's beta_1.
"""

import numpy as np
import pytensor.tensor as pt
from scipy.special import expit, logit

from dpm.blocks.backend import as_tensor
from dpm.blocks.bricks import Brick, Constant
from dpm.blocks.checks import check_rate, check_trajectory_length

MIN_BETA = 1e-6  # floor of every step, and
MAX_GAP = 1e-5  # distance of every step from 1, both from the 2015 implementation


def binomial(T: int) -> np.ndarray:
    """Rates that each erase the same fraction 1/T of the original signal.

    .. math:: \\beta_t = 1 / (T - t + 1), \\qquad t = 1 \\ldots T

    so that after t steps (T-t)/T of the signal is left (Section 2.4.1).

    Parameters
    ----------
    T : int
        Number of steps, at least 2.

    Returns
    -------
    ndarray, shape (T,)
        The last rate is exactly 1: nothing of the signal survives.
    """
    T = check_trajectory_length(T)
    return 1.0 / np.arange(T, 0, -1)


def squash(u, min_beta, sigmoid):
    """Map a number in (-inf, inf) to a rate in (min_beta, 1 - MAX_GAP)."""
    return min_beta + sigmoid(u) * (1.0 - min_beta - MAX_GAP)


def unsquash(beta, min_beta):
    """Undo `squash` for NumPy values that lie within its range."""
    return logit((np.asarray(beta) - min_beta) / (1.0 - min_beta - MAX_GAP))


def baseline(T: int, step1_beta: float = 1e-3) -> np.ndarray:
    """The fixed rates of the 2015 implementation.

    Nearly `binomial`, but the last rate is 1/2, every rate is kept above a floor of
    1e-6, and the first has `step1_beta` added to its floor.

    Parameters
    ----------
    T : int
        Number of steps, at least 2.
    step1_beta : float
        Floor of the first rate: the smallest variance the model can represent.

    Returns
    -------
    ndarray, shape (T,)

    Notes
    -----
    Reference: ``model.py``, ``DiffusionModel.generate_beta_arr``.
    """
    offset, min_beta = _baseline_parts(T, step1_beta)
    return squash(offset, min_beta, expit)


def _baseline_parts(T, step1_beta):
    """Logit of the rates 1/T..1/2 that `baseline` starts from, and their floors."""
    T = check_trajectory_length(T)
    check_rate(step1_beta, "step1_beta")
    min_beta = np.full(T, MIN_BETA)
    min_beta[0] += step1_beta
    return logit(1.0 / np.linspace(T, 2.0, T)), min_beta


def log_snr(T: int, step1_beta: float = 1e-4, final_log_snr: float = -5.0):
    """Rates that lower the log signal-to-noise ratio by the same amount each step.

    The ratio after t steps is (1 - b_t) / b_t with b_t = `beta_cumulative`. It starts
    at (1 - step1_beta) / step1_beta. This is where learned schedules start from.

    Parameters
    ----------
    T : int
        Number of steps, at least 2.
    step1_beta : float
        The first rate.
    final_log_snr : float
        Natural logarithm of the ratio after T steps; must lie below the first one.

    Returns
    -------
    ndarray, shape (T,)
    """
    T = check_trajectory_length(T)
    check_rate(step1_beta, "step1_beta")
    first = np.log1p(-step1_beta) - np.log(step1_beta)
    if not final_log_snr < first:
        raise ValueError(
            f"final_log_snr = {final_log_snr:g} is not below the first step's log "
            f"signal-to-noise ratio {first:.3g}: lower it, or lower step1_beta"
        )
    ratio = np.linspace(first, final_log_snr, T)
    log_alpha_cumulative = -np.logaddexp(0.0, -ratio)
    return -np.expm1(np.diff(log_alpha_cumulative, prepend=0.0))


FIXED = {"binomial": binomial, "baseline": baseline, "log_snr": log_snr}


def beta_cumulative(beta_arr):
    """Total fraction of the variance that is noise after each step.

    .. math:: b_t = 1 - \\prod_{s \\le t} (1 - \\beta_s)

    t forward steps are one forward step with the rate b_t, for both diffusions.

    Parameters
    ----------
    beta_arr : array_like or symbolic vector, shape (T,)

    Returns
    -------
    symbolic vector, shape (T,)
        Computed through logarithms, so that small rates keep their digits.

    Notes
    -----
    Reference: ``beta_cumulative`` in ``generate_forward_diffusion_sample``.
    """
    beta_arr = as_tensor(check_rate(beta_arr, closed=True))
    return -pt.expm1(pt.cumsum(pt.log1p(-beta_arr)))


class FixedSchedule(Brick):
    """Rates that stay as they are given.

    Parameters
    ----------
    beta : array_like, shape (T,)
        Rates inside (0, 1), T at least 2.
    closed : bool
        Whether a rate of 1 is allowed too, as `binomial` has it at the end: bits can
        be drawn anew altogether.

    Attributes
    ----------
    beta_arr : symbolic vector, shape (T,)
    trajectory_length : int
    """

    def __init__(self, beta, name: str = "schedule", closed: bool = False):
        super().__init__(name)
        beta = np.asarray(check_rate(beta, closed=closed), dtype=float)
        self.trajectory_length = check_trajectory_length(beta.size)
        self.beta_arr = pt.as_tensor(beta.astype(self.dtype))


class LearnedSchedule(Brick):
    """beta_2..beta_T as parameters, beta_1 a constant (Section 2.4.1).

    beta_1 must not be learned: it is the variance of the finest structure the model
    can hold, and ascent on the bound would shrink it onto single training points.

    Parameters
    ----------
    beta : array_like, shape (T,)
        Where learning starts: rates inside (0, 1). ``beta[0]`` is kept for ever.

    Attributes
    ----------
    logit_beta : shared vector, shape (T-1,)
        The parameter: beta_2..T before they are squashed into their range.
    beta_arr : symbolic vector, shape (T,)
    trajectory_length : int
    """

    def __init__(self, beta, name: str = "schedule"):
        super().__init__(name)
        beta = np.asarray(check_rate(beta), dtype=float)
        self.trajectory_length = check_trajectory_length(beta.size)
        start = unsquash(np.clip(beta[1:], 2 * MIN_BETA, 1 - 2 * MAX_GAP), MIN_BETA)
        self.logit_beta = self.add_parameter("logit_beta", start.shape, Constant(start))
        self.beta_arr = pt.concatenate(
            [
                pt.as_tensor(beta[:1].astype(self.dtype)),
                squash(self.logit_beta, MIN_BETA, pt.sigmoid),
            ]
        )


class PerturbedSchedule(Brick):
    """The 2015 implementation's rates with the perturbation it left for later.

    .. math:: \\beta_t = m_t + \\mathrm{sigmoid}(\\mathrm{logit} \\frac{1}{T - t + 1}
        + \\sum_j c_j g_j(t)) (1 - m_t - 10^{-5})

    with the bump functions g_j of Eq. 63. With all c_j zero these are the rates of
    `baseline` (whose last denominator is 2, not 1), or, to start from others, those of
    `log_snr`. beta_1 is not perturbed: see `LearnedSchedule`.

    Parameters
    ----------
    temporal_basis : ndarray, shape (n_basis, T)
        g_j(t).
    step1_beta : float
    start : {"baseline", "log_snr"} or callable
        A function of T and step1_beta that gives the rates.

    Attributes
    ----------
    beta_perturb_coefficients : shared vector, shape (n_basis,)
        c_j, the parameter.
    beta_arr : symbolic vector, shape (T,)
    trajectory_length : int

    Notes
    -----
    Reference: ``generate_beta_arr``, where the coefficients exist but are never
    trained.
    """

    def __init__(
        self,
        temporal_basis,
        step1_beta: float,
        start="baseline",
        name: str = "schedule",
    ):
        super().__init__(name)
        n_basis, self.trajectory_length = temporal_basis.shape
        offset, min_beta = _baseline_parts(self.trajectory_length, step1_beta)
        rates = FIXED.get(start, start)
        if rates is not baseline:
            beta = rates(self.trajectory_length, step1_beta)
            beta[0] = min_beta[0]
            above = np.clip(beta, min_beta + MIN_BETA, 1 - 2 * MAX_GAP)
            offset = unsquash(above, min_beta)
        self.beta_perturb_coefficients = self.add_parameter(
            "beta_perturb_coefficients", (n_basis,), Constant(0.0)
        )
        learned = np.arange(self.trajectory_length) > 0
        basis = (temporal_basis * learned).astype(self.dtype)
        perturbation = self.beta_perturb_coefficients @ basis
        self.beta_arr = squash(
            perturbation + offset.astype(self.dtype),
            min_beta.astype(self.dtype),
            pt.sigmoid,
        )
