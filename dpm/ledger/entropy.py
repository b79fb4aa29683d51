"""Checks of Eqs. 24 to 36: the entropy of a reverse step and its bounds."""

import numpy as np

from dpm import exact
from dpm.diffusion import binomial, bound, gaussian
from dpm.ledger.chains import (
    AFTER,
    AS_PI,
    BEFORE,
    BITS_BETA,
    CERTAIN,
    FAIR,
    LINE_BETA,
    RHO,
    START,
    bits,
    flips,
    forgotten_in_one_step,
    given,
    line,
    of_bits,
    of_numbers,
    steps,
    three,
    two_modes,
)
from dpm.ledger.entries import agree, equation, holds, value

CHAPTER = "entropy"


@equation(
    24,
    r"""\begin{aligned}
H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)}) & \cr
{} \le H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) \le H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) &
\end{aligned}""",
    CHAPTER,
    "diffusion.bound.entropy_bounds",
    "diffusion.bound.trajectory_entropy_bounds",
    "diffusion.bound.gaussian_entropies",
    "diffusion.bound.binomial_entropies",
)
def entropy_of_a_step_back_between_two_bounds():
    """Both bounds of the package, for bits and for five numbers, against entropies
    summed over the joint distribution; the entropy of the true step lies strictly
    between them, and above the upper one only for bits more random than pi."""
    for found, entropies, copies, fits in (
        (bits(AS_PI), of_bits(AS_PI), 1, True),
        (bits(FAIR), of_bits(FAIR), 1, False),
        (two_modes(), of_numbers(5), 5, True),
    ):
        lower, upper = map(value, bound.trajectory_entropy_bounds(entropies))
        agree(len(lower), found.world.T - 1)
        for t, H in steps(found):
            step, before, after = (copies * h for h in three(H))
            agree(entropies.step[t - 1], step, 1e-7)
            agree(entropies.given_data[t - 2], before, 1e-7)
            agree(lower[t - 2], step + before - after, 1e-7)
            agree(upper[t - 2], step, 1e-7)
            agree(bound.entropy_bounds(step, before, after), (lower[t - 2], step), 1e-7)
            true = copies * given(H, BEFORE, AFTER)
            holds(lower[t - 2] + 1e-4 < true)
            holds(true < upper[t - 2] - 1e-4 if fits else true > upper[t - 2] + 1e-3)


@equation(
    25,
    r"H_q(\mathbf X^{(t-1)}, \mathbf X^{(t)}) = H_q(\mathbf X^{(t)}, \mathbf X^{(t-1)})",
    CHAPTER,
    "exact.states.entropy",
    "exact.states.reverse_kernel",
)
def entropy_of_a_pair_in_either_order():
    """The pair built by a step forth, summed by hand, against the pair built by the
    package's step back from x^t; entropies by the package."""
    for found in (bits(AS_PI), two_modes()):
        world = found.world
        for t, H in steps(found):
            back = exact.reverse_kernel(world.forward[t - 1], world.q(t - 1))
            pair = (back * world.q(t)).ravel()
            agree(exact.entropy(pair, found.cell**2), H(AFTER, BEFORE), 1e-9)


@equation(
    26,
    r"H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) + H_q(\mathbf X^{(t)}) = H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)})",
    CHAPTER,
    "exact.world.World.H",
    "exact.states.entropy",
)
def entropy_of_a_pair_split_both_ways():
    """Each side of the equation, by the package, against the entropy of the pair by
    sums."""
    for found in (bits(AS_PI), two_modes(), line((1.0, 2.0))):
        world = found.world
        for t, H in steps(found):
            agree(world.H(t - 1, given=t) + world.H(t), H(BEFORE, AFTER), 1e-9)
            agree(world.H(t, given=t - 1) + world.H(t - 1), H(BEFORE, AFTER), 1e-9)


@equation(
    27,
    r"H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) = H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)}) - H_q(\mathbf X^{(t)})",
    CHAPTER,
    "exact.world.World.H",
    "diffusion.gaussian.entropy",
    "diffusion.binomial.entropy",
)
def entropy_of_a_step_back():
    """The step back, from the joint by sums and by the package, against the step forth
    in closed form plus the change of entropy; for numbers and bits."""
    found = two_modes()
    for t, H in steps(found):
        step = value(gaussian.entropy(np.sqrt(LINE_BETA[t - 1])))
        agree(given(H, BEFORE, AFTER), step + H(BEFORE) - H(AFTER), 1e-7)
        agree(found.world.H(t - 1, given=t), step + H(BEFORE) - H(AFTER), 1e-7)
    found, strings = bits(AS_PI), exact.bit_strings(2)
    for t, H in steps(found):
        beta = BITS_BETA[t - 1]
        rates = strings * (1 - beta) + RHO * beta
        step = value(binomial.entropy(rates)).sum(axis=1) @ found.world.q(t - 1)
        agree(given(H, BEFORE, AFTER), step + H(BEFORE) - H(AFTER))
        agree(found.world.H(t - 1, given=t), step + H(BEFORE) - H(AFTER))
    agree(binomial.entropy(np.array([0.0, 0.5, 1.0])), [0.0, np.log(2), 0.0])


@equation(
    28,
    r"H_q(\mathbf X^{(t)}) \ge H_q(\mathbf X^{(t-1)})",
    CHAPTER,
    "exact.world.World.H",
    "diffusion.bound.gaussian_entropies",
    "diffusion.bound.binomial_entropies",
)
def entropy_rises_towards_that_of_pi():
    """Entropies by the package rise from step to step and stay below its entropy of pi;
    for data of a greater variance, and for bits more random than pi, they fall."""
    fits = ((bits(AS_PI), of_bits(AS_PI)), (two_modes(), of_numbers()))
    fails = ((bits(FAIR), of_bits(FAIR)), (line((0, 2.0)), of_numbers()))
    for cases, sign in ((fits, 1), (fails, -1)):
        for found, entropies in cases:
            world = found.world
            rise = np.diff([world.H(t) for t in range(world.T + 1)])
            holds(sign * rise > 1e-4)
            holds(sign * (entropies.prior - world.H(world.T)) > 0)
            p = world.pi[world.pi > 0]
            agree(entropies.prior, np.log(world.cell) - np.sum(p * np.log(p)), 1e-7)
    agree(of_numbers(3).prior, 3 * of_numbers().prior)


@equation(
    29,
    r"H_q(\mathbf X^{(t-1)}) - H_q(\mathbf X^{(t)}) \le 0",
    CHAPTER,
    "exact.world.World.H",
    "exact.states.kl",
)
def change_of_entropy_is_a_change_of_divergence():
    """The change of entropy by the package against the change of divergence from pi plus
    that of the cross entropy to pi, by sums; the latter vanishes where the condition
    holds, and is what makes the change positive where it fails."""
    for found, fits in (
        (bits(AS_PI), True),
        (two_modes(), True),
        (bits(FAIR), False),
        (line((0, 2.0)), False),
    ):
        world = found.world
        log_pi = np.log(world.pi)
        for t, H in steps(found):
            q = [found.joints[t].sum(axis=(0, 2)), found.joints[t].sum(axis=(0, 1))]
            cross = -(q[0] - q[1]) @ log_pi
            divergence = float(exact.kl(q[0], world.pi) - exact.kl(q[1], world.pi))
            change = world.H(t - 1) - world.H(t)
            agree(change, H(BEFORE) - H(AFTER), 1e-9)
            agree(change, cross - divergence, 1e-9)
            holds(divergence > 1e-5)
            holds(change < 0 if fits else change > 1e-3)
            holds(abs(cross) < 1e-4 if fits else cross > 1e-2)


@equation(
    30,
    r"H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) \le H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)})",
    CHAPTER,
    "diffusion.bound.entropy_bounds",
)
def upper_bound():
    """The package's upper bound is above the true entropy, by sums, where the condition
    holds; equal to it for data that are pi; below it where the condition fails."""
    pi = (49, 21, 21, 9)
    for found, least, most in (
        (bits(AS_PI), 1e-4, 1.0),
        (two_modes(), 1e-4, 1.0),
        (bits(pi), -1e-12, 1e-12),
        (line((0, 1.0)), -1e-9, 1e-9),
        (bits(FAIR), -1.0, -1e-3),
        (line((0, 2.0)), -1.0, -1e-3),
    ):
        for _, H in steps(found):
            _, upper = bound.entropy_bounds(*three(H))
            room = upper - given(H, BEFORE, AFTER)
            holds(least < room and room < most)


@equation(
    31,
    r"H_q(\mathbf X^{(0)} \mid \mathbf X^{(t)}) \ge H_q(\mathbf X^{(0)} \mid \mathbf X^{(t-1)})",
    CHAPTER,
    "exact.world.World.H",
)
def the_start_is_forgotten():
    """How uncertain x^0 is given x^t, by the package: it grows in every step, for any
    data, by what x^(t-1) knows of x^0 beyond x^t, a sum over the joint."""
    for found in (bits(AS_PI), bits(FAIR), two_modes(), line((1.0, 2.0))):
        for t, H in steps(found):
            more = found.world.H(0, given=t) - found.world.H(0, given=t - 1)
            holds(more > 1e-4)
            agree(more, forgotten_in_one_step(H), 1e-9)


@equation(
    32,
    r"""\begin{aligned}
H_q(\mathbf X^{(t-1)}) - H_q(\mathbf X^{(t)}) &\ge H_q(\mathbf X^{(0)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)}) \cr
&\quad {} - H_q(\mathbf X^{(0)} \mid \mathbf X^{(t)}) - H_q(\mathbf X^{(t)})
\end{aligned}""",
    CHAPTER,
    "exact.world.World.H",
)
def entropies_added_on_both_sides():
    """The right side by the package is below the left side, by sums, and by as much as
    one step forgets."""
    for found in (bits(AS_PI), bits(FAIR), two_modes(), line((1.0, 2.0))):
        world = found.world
        for t, H in steps(found):
            right = world.H(0, given=t - 1) + world.H(t - 1)
            right -= world.H(0, given=t) + world.H(t)
            left = H(BEFORE) - H(AFTER)
            holds(left >= right)
            agree(left - right, forgotten_in_one_step(H), 1e-9)


@equation(
    33,
    r"H_q(\mathbf X^{(t-1)}) - H_q(\mathbf X^{(t)}) \ge H_q(\mathbf X^{(0)}, \mathbf X^{(t-1)}) - H_q(\mathbf X^{(0)}, \mathbf X^{(t)})",
    CHAPTER,
    "exact.world.World.jump",
    "exact.states.entropy",
)
def entropies_of_pairs_with_the_start():
    """Entropies of x^0 with x^(t-1) and with x^t, from the package's jumps, against the
    left side by sums: below it by as much as one step forgets."""
    for found in (bits(AS_PI), bits(FAIR), two_modes(), line((1.0, 2.0))):
        world = found.world
        for t, H in steps(found):
            pairs = [(world.jump(s) * world.q0).ravel() for s in (t - 1, t)]
            before, after = (exact.entropy(p, found.cell**2) for p in pairs)
            agree(before, H(START, BEFORE), 1e-9)
            left, right = H(BEFORE) - H(AFTER), before - after
            holds(left >= right)
            agree(left - right, forgotten_in_one_step(H), 1e-9)


@equation(
    34,
    r"H_q(\mathbf X^{(t-1)}) - H_q(\mathbf X^{(t)}) \ge H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)})",
    CHAPTER,
    "diffusion.bound.gaussian_entropies",
    "diffusion.bound.binomial_entropies",
)
def change_of_entropy_given_the_start():
    """The right side from the package's closed forms, the left side by sums: never
    below it, and equal to it for data that are a single point."""
    for found, entropies, forgets in (
        (bits(AS_PI), of_bits(AS_PI), True),
        (bits(FAIR), of_bits(FAIR), True),
        (two_modes(), of_numbers(), True),
        (bits(CERTAIN), of_bits(CERTAIN), False),
    ):
        given_data = entropies.given_data
        for t, H in steps(found):
            room = H(BEFORE) - H(AFTER) - (given_data[t - 2] - given_data[t - 1])
            agree(room, forgotten_in_one_step(H), 1e-7)
            holds(room > 1e-4 if forgets else abs(room) < 1e-12)


@equation(
    35,
    r"H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) \ge H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)})",
    CHAPTER,
    "diffusion.bound.entropy_bounds",
)
def lower_bound():
    """The package's lower bound, below the true entropy for any data and equal to it
    for a single point, is the entropy of x^(t-1) given both x^t and x^0, by sums."""
    for found, certain in (
        (bits(AS_PI), False),
        (bits(FAIR), False),
        (two_modes(), False),
        (line((1.0, 2.0)), False),
        (bits(CERTAIN), True),
    ):
        for _, H in steps(found):
            lower, _ = bound.entropy_bounds(*three(H))
            agree(lower, H(START, BEFORE, AFTER) - H(START, AFTER), 1e-9)
            room = given(H, BEFORE, AFTER) - lower
            holds(abs(room) < 1e-12 if certain else room > 1e-4)


@equation(
    36,
    r"""\begin{aligned}
H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) &\ge H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(t)}) \cr
&\ge H_q(\mathbf X^{(t)} \mid \mathbf X^{(t-1)}) + H_q(\mathbf X^{(t-1)} \mid \mathbf X^{(0)}) - H_q(\mathbf X^{(t)} \mid \mathbf X^{(0)})
\end{aligned}""",
    CHAPTER,
    "diffusion.bound.entropy_bounds",
    "diffusion.bound.trajectory_entropy_bounds",
    "exact.world.World.H",
)
def bounds_on_the_whole_way_back():
    """Sums of the package's bounds around the entropy of x^1..x^(T-1) given x^T, summed
    over every trajectory of bits; and each step by the package's exact entropies."""
    found, entropies = bits(AS_PI), of_bits(AS_PI)
    lower, upper = map(value, bound.trajectory_entropy_bounds(entropies))
    paths = exact.normalize(np.array(AS_PI, dtype=float))
    for beta in BITS_BETA:
        paths = paths[..., None] * flips(beta).T
    way, end = paths.sum(axis=0), paths.sum(axis=(0, 1, 2))
    true = -np.sum(way * np.log(way)) + np.sum(end * np.log(end))
    world = found.world
    agree(true, sum(world.H(t - 1, given=t) for t in range(2, world.T + 1)))
    holds(upper.sum() - 1e-3 > true and true > lower.sum() + 1e-3)
    for t in range(2, world.T + 1):
        room = upper[t - 2] - world.H(t - 1, given=t)
        agree(room, world.H(t) - world.H(t - 1))
        room = world.H(t - 1, given=t) - lower[t - 2]
        agree(room, world.H(0, given=t) - world.H(0, given=t - 1))
