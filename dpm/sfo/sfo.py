"""The Sum of Functions Optimizer, by which the paper trained its models.

It minimises F(theta) = f_1(theta) + ... + f_N(theta), for instance the costs of N
minibatches, by measuring one f_i at a time, as stochastic gradient descent does, but
steps to the minimum of a quadratic model of the whole sum, as Newton's method does. It
knows nothing of diffusion; `dpm.recipes.frozen` hands it a model's costs.
"""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from dpm.blocks.checks import check_choice, check_count
from dpm.sfo.gradient_check import GradientCheck, check_gradient
from dpm.sfo.history import BAD, NEW, NOT_FINITE, History
from dpm.sfo.models import INITIAL_CURVATURES, QuadraticModels
from dpm.sfo.structure import Structure

PROBE = 1e-4  # the very first step, relative to theta: it only measures curvature
SHRINK = 0.25  # what remains of a step that was too long
SURPRISE = 4  # times what was promised of each: how much worse one may turn out
KEPT, BROKEN = 0.1, 1 / 3  # misses, in parts of the promise: steps grow, steps shrink
PATIENCE = 4  # measurements of each active subfunction until one more joins
MOST_RETRIES = 16  # shortenings of one step; half of them towards the last good point


class SFO:
    """Sum of Functions Optimizer (Sohl-Dickstein et al., arXiv:1311.2115).

    Parameters
    ----------
    f_df : callable
        ``f_df(theta, reference, *args, **kwargs)`` returns the value of a subfunction
        and its gradient, built like theta. It must be deterministic: differences of
        its gradients are taken for curvature.
    theta_init : ndarray, or nested dict, list or tuple of arrays
    subfunction_references : sequence
        One thing per subfunction, which tells f_df what to compute: a minibatch.
    args, kwargs : tuple, dict
    seed : int
        In which order subfunctions join.
    n_history : int
        Gradient differences that each subfunction remembers.
    max_subspace : int, optional
        The most dimensions of the shared subspace; left out, 300 or 4 N if more.
    n_active : int
        How many subfunctions are in play at first.
    initial_curvature : {"latest", "smallest"}
        See `dpm.sfo.models.bfgs_hessian`.

    Attributes
    ----------
    theta : like theta_init
        Where the models are best known: the last position measured and not given up.
    history : History
    active : ndarray of bool, shape (N,)

    Notes
    -----
    Memory is bounded by the subspace, not by the number of steps: M K numbers for its
    K directions in R^M, and about 4 n_history K per subfunction.

    Each step measures that active subfunction whose last measurement is farthest
    away in the metric of the Hessian; refits its quadratic by BFGS from its own
    history; and goes to the minimum of the sum. It departs from the paper in what
    bounds a step: a radius that doubles while the models predict well and falls when
    they do not. By default the curvature in unknown directions is that of the latest
    difference, not the smallest one seen, which overshot on the tests here.
    """

    def __init__(
        self,
        f_df: Callable,
        theta_init,
        subfunction_references,
        args: tuple = (),
        kwargs: dict | None = None,
        *,
        seed: int = 0,
        n_history: int = 10,
        max_subspace: int | None = None,
        n_active: int = 2,
        initial_curvature: str = "latest",
    ):
        if not callable(f_df):
            raise ValueError("f_df must be a function that returns (value, gradient)")
        self.f_df, self.args, self.kwargs = f_df, tuple(args), dict(kwargs or {})
        self.references = list(subfunction_references)
        self.n_functions = n = len(self.references)
        if n == 0:
            raise ValueError("no subfunctions: subfunction_references is empty")
        self.structure = Structure(theta_init)
        start = self.structure.flatten(theta_init)
        if not np.isfinite(start).all():
            raise ValueError(
                f"theta holds {start[~np.isfinite(start)][0]} at the start"
            )
        check_count(n_history, "n_history", 1)
        check_choice(initial_curvature, INITIAL_CURVATURES, "initial_curvature")
        most = max(300, 4 * n) if max_subspace is None else max_subspace
        check_count(most, "max_subspace", min(start.size, 2 * n + 3))
        self.models = QuadraticModels(n, start, n_history, most, initial_curvature)
        self.history = History()
        self.active = np.zeros(n, dtype=bool)
        self._order = np.random.default_rng(seed).permutation(n)
        self.active[self._order[: check_count(n_active, "n_active", 1)]] = True
        self._start = start
        self._x = np.zeros(self.models.basis.shape[1])  # last position not given up
        self._proposal = self._x.copy()  # where to measure next
        self._next = None  # which subfunction must be measured next, if one must
        self._replaced: set[int] = set()
        self._may_grow, self._waited = True, 0
        self._radius = np.inf
        self._gains: list[float] = []  # fall of F that each step promised
        self._seen = np.zeros(n, dtype=int)  # steps taken when i was measured last
        self._retries, self._excess, self._radius_before = 0, np.inf, np.inf
        self._astray = False  # whether the last position itself was given up
        self._first_value = None

    @property
    def theta(self):
        return self.structure.restore(self.models.position(self._x))

    def optimize(self, num_passes: float = 10, num_steps: int | None = None):
        """Go on minimising.

        Parameters
        ----------
        num_passes : float
            A pass is N evaluations of a subfunction.
        num_steps : int, optional
            Evaluations, instead of passes.

        Returns
        -------
        theta : like theta_init
        """
        if num_steps is None:
            if not 0 <= num_passes < np.inf:
                raise ValueError(f"num_passes = {num_passes!r}: it must be at least 0")
            num_steps = int(round(num_passes * self.n_functions))
        check_count(num_steps, "num_steps")
        with tqdm(total=num_steps, desc="SFO", unit="evaluation") as bar:
            for _ in range(num_steps):
                self._step()
                bar.set_postfix(F=f"{self.history.objective[-1]:.5g}", refresh=False)
                bar.update()
        return self.theta

    def replace_subfunction(self, index: int, reference, keep_model=True) -> None:
        """Let a subfunction be computed from something else from now on.

        So a stream of data, or fresh noise, may be minimised: minibatches come and go.

        Parameters
        ----------
        index : int
        reference : object
            Takes the place of ``subfunction_references[index]``.
        keep_model : bool
            Whether its quadratic goes on standing for it until it is measured, which
            it is next, and its curvature beyond that. Otherwise it starts anew.
        """
        check_count(index, "index")
        if index >= self.n_functions:
            raise ValueError(f"index = {index}: there are {self.n_functions}")
        self.references[index] = reference
        self._radius = max([self._radius, *self.history.step])  # it may be far now
        if self._next == index:
            self._next, self._retries, self._proposal = None, 0, self._x.copy()
        if not keep_model:
            self.models.forget(index)
        elif self.models.known[index]:
            self._replaced.add(index)

    def check_grad(
        self, theta=None, indices=None, step=1e-5, tolerance=1e-4, raise_error=True
    ) -> GradientCheck:
        """Compare gradients with differences of values, along a random direction each.

        Parameters
        ----------
        theta : like theta_init, optional
            Where to; left out, where the optimiser is.
        indices : iterable of int, optional
            Of subfunctions; left out, all of them.
        step : float
            Of the central difference, relative to 1 + the largest number there.
        tolerance : float
            Largest relative difference of two slopes.
        raise_error : bool
            Whether to raise ValueError that says where they differ.
        """
        point = self.structure.flatten(self.theta if theta is None else theta)
        indices = range(self.n_functions) if indices is None else indices
        found = check_gradient(
            self._evaluate, self.structure, point, indices, step, tolerance
        )
        if raise_error:
            found.raise_if_wrong()
        return found

    def _evaluate(self, i, point) -> tuple[float, np.ndarray]:
        theta = self.structure.restore(point)
        result = self.f_df(theta, self.references[i], *self.args, **self.kwargs)
        try:
            value, gradient = result
            value = float(np.asarray(value).item())
        except (TypeError, ValueError):
            raise ValueError(
                f"f_df of subfunction {i} must return (value, gradient), the value "
                "being one number"
            ) from None
        name = f"the gradient of subfunction {i}"
        return value, self.structure.flatten(gradient, name)

    def _step(self) -> None:
        """Measure one subfunction, learn from it, and propose where to go next."""
        models = self.models
        if models.is_full:
            self._collapse()
        i = self._choose()
        new, replaced = not models.known[i], i in self._replaced
        value, gradient = self._evaluate(i, models.position(self._proposal))
        finite = np.isfinite(value) and np.isfinite(gradient).all()
        if not finite and not len(self.history):
            raise FloatingPointError(
                f"subfunction {i} is {value} at theta_init, or its gradient is not "
                "finite there: start elsewhere, or mend it"
            )
        predicted, unforeseen = self._surprise(i, value) if finite else (0.0, np.inf)
        if self._give_up(i, unforeseen, finite):
            self._note(i, value, BAD if finite else NOT_FINITE)
            return
        if self._first_value is None:
            self._first_value = value
        error = value - predicted
        self._adapt_radius(i, value, error, 0 if new or replaced else self._promised(i))
        row = models.coordinates(gradient)
        models.measure(i, self._proposal, value, row, compare=not replaced)
        self._replaced.discard(i)
        self._seen[i] = len(self._gains)
        self._may_grow = not new
        self._next = None
        self._note(i, value, NEW if new else "")
        self._x = self._proposal
        if len(self.history) % self.n_functions == 0:
            models.sum_hessians()
        self._propose(i)

    def _choose(self) -> int:
        """Whom to measure: the active subfunction whose model is most out of date."""
        if self._next is not None:
            return self._next
        if self._replaced:
            return min(self._replaced)
        new = self._order[(self.active & ~self.models.known)[self._order]]
        if new.size:
            return int(new[0])
        indices = np.flatnonzero(self.active)
        return int(indices[np.argmax(self.models.distances(indices, self._proposal))])

    def _promised(self, i) -> float:
        """By how much each subfunction should have fallen since i was measured."""
        return sum(self._gains[self._seen[i] :]) / max(1, self.models.known.sum())

    def _surprise(self, i, value) -> tuple[float, float]:
        """What the models expected of i, and how much more than allowed it is."""
        known = self.models.known
        if not self._gains or not known.any() or i in self._replaced:
            return value, -np.inf
        values, _ = self.models.predict(self._proposal)
        rounding = 1e-12 * (abs(value) + np.abs(values).max())
        if known[i]:
            predicted = values[known.nonzero()[0] == i][0]
            top = max(predicted, self.models.value[i])
            allowed = self._promised(i) * min(known.sum() - 1, SURPRISE)
        else:  # it may well differ from those that are known
            predicted = values.mean()
            fallen = self._first_value - predicted
            top = max(self._first_value, predicted) + max(4 * values.std(), fallen)
            allowed = self._gains[-1]
        return predicted, value - top - allowed - rounding

    def _give_up(self, i, excess, finite) -> bool:
        """Whether the proposal is too bad; then a shorter step is the new proposal."""
        if excess <= 0:
            self._return_from_astray()
            return False
        new, retries = not self.models.known[i], self._retries
        if not finite and retries >= MOST_RETRIES:  # both ways back were tried
            raise FloatingPointError(
                f"subfunction {i} stays NaN or infinite, though the step to it was "
                f"shortened {retries} times: its domain must hold theta_init"
            )
        no_better = retries > 0 and excess > self._excess / 2
        lost = not finite or self._astray or self._is_lost(excess)
        at_start = new and self._astray and finite
        if at_start or (no_better and not lost) or retries >= 2 * MOST_RETRIES:
            self._radius = self._radius_before  # this step is not to blame
            self._return_from_astray()
            return False
        if retries == 0:
            self._radius_before = self._radius
        half_way = not finite and retries == MOST_RETRIES // 2
        if half_way or (finite and no_better and not self._astray):
            self._x, self._astray = self._known_good(i), True
        shrink = 0.0 if new and self._astray else SHRINK
        self._retries, self._excess, self._next = retries + 1, excess, i
        self._proposal = self._x + shrink * (self._proposal - self._x)
        self._radius = np.linalg.norm(self._proposal - self._x)
        return True

    def _return_from_astray(self) -> None:
        """From so far back, let steps be as long again as any was."""
        if self._astray:
            self._radius = max([self._radius, *self.history.step])
        self._astray = False

    def _is_lost(self, excess) -> bool:
        """Whether one lost more than all have gained: x itself is far astray."""
        mean = self.models.predict(self._x)[0].mean()
        return excess > abs(self._first_value - mean)

    def _known_good(self, i) -> np.ndarray:
        """Where i was finite, or the start if it has not been measured."""
        if self.models.known[i]:
            return self.models.x[i].copy()
        return self.models.coordinates(self._start - self.models.origin)

    def _adapt_radius(self, i, value, error, promised) -> None:
        """Allow longer steps where the promise was kept, shorter ones where not."""
        retried, self._retries = self._retries > 0, 0
        if retried or promised <= 0 or not np.isfinite(self._radius):
            return
        length = np.linalg.norm(self._proposal - self._x)
        if error <= KEPT * promised:
            self._radius = max(self._radius, 2 * length)
        elif error > BROKEN * promised + 1e-12 * abs(value):
            # it has moved since it was measured, maybe long ago: not this step's fault
            moved = np.linalg.norm(self._proposal - self.models.x[i])
            least = max(length / 2, self._radius / 4, moved / 10)
            self._radius = min(self._radius, least)

    def _propose(self, i) -> None:
        """Step to the minimum of the models' sum, not farther than the radius."""
        models = self.models
        _, gradients = models.predict(self._x)
        self._grow(gradients)
        gradient = gradients.sum(axis=0)
        slope = np.linalg.norm(gradient)
        if not models.n_pairs.any():  # no curvature is known yet: probe it
            length = PROBE * max(1.0, np.linalg.norm(models.position(self._x)))
            step = -gradient * (length / slope if slope > 0 else 0.0)
            self._next = i if slope > 0 else None
        else:
            step = models.newton_step(gradient)
            length = np.linalg.norm(step)
            if not self._gains:
                self._radius, self._next = length, i
            step *= min(1.0, self._radius / length) if length > 0 else 1.0
            self._gains.append(-float(step @ (gradient + models.H @ step / 2)))
        self._proposal = self._x.copy()
        self._proposal[: models.size] += step

    def _grow(self, gradients) -> None:
        """Let one more subfunction join when those in play agree too well to go on.

        They do when the mean of their gradients is shorter than its standard error:
        then what lowers their sum need not lower the whole sum. One also joins when
        the others have been measured a few times each. Between two that join, one
        that is known is measured.
        """
        self._waited += 1
        waiting = self._order[~self.active[self._order]]
        if not (self._may_grow and waiting.size):
            return
        n, mean = len(gradients), gradients.mean(axis=0)
        square_error = ((gradients - mean) ** 2).sum() / (n * max(1, n - 1))
        if mean @ mean <= square_error or self._waited >= PATIENCE * n:
            self.active[waiting[0]], self._waited = True, 0

    def _collapse(self) -> None:
        self._proposal = self.models.collapse(self._x, self._proposal)
        self._x = np.zeros_like(self._x)

    def _note(self, i, value, event) -> None:
        known = self.models.known.any()
        mean = self.models.predict(self._x)[0].mean() if known else value
        history, step = self.history, self._proposal - self._x
        if event in (BAD, NOT_FINITE):
            step = step / SHRINK
        history.subfunction.append(i)
        history.value.append(value)
        history.objective.append(self.n_functions * float(mean))
        history.n_active.append(int(self.active.sum()))
        history.subspace.append(self.models.size)
        history.step.append(float(np.linalg.norm(step)))
        history.event.append(event)
