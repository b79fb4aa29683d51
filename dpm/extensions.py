"""Extensions that draw samples, plot what training does, and score the test set.

Each writes into the run's folder, with the number of the step in the file's name.
Reference: ``extensions.py``; its pictures were PDF, ours are PNG.
"""

import math
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm import sampler, viz
from dpm.blocks.extensions import Extension
from dpm.evaluation import estimates, report


class _Plot(Extension):
    """An extension that writes files into `path`."""

    def __init__(self, path, every_n_steps, before_training=False):
        super().__init__(every_n_steps, before_training)
        self.path = Path(path)

    def file(self, main_loop, name: str, ending: str = ".png") -> Path:
        safe = name.replace("/", "-").replace(" ", "_")
        return self.path / f"{safe}_batch{main_loop.iterations_done:06d}{ending}"


class PlotSamples(_Plot):
    """Samples of three kinds, as pictures and as ``.npz``, at times of the walk.

    From the model; from the posterior of test images given their right halves
    (inpainting); and from the posterior given the images plus noise of unit variance
    (denoising). The draws are the same each time, so that pictures can be compared.
    Where an average of the parameters is kept, they are drawn with that.

    Parameters
    ----------
    X : ndarray, shape (n, n_dim)
        Test images; as many samples are drawn.
    path : path-like

    Notes
    -----
    Reference: ``PlotSamples`` in ``extensions.py``, and its names of files.
    """

    def __init__(self, X, path, every_n_steps, before_training=False, seed=12345):
        super().__init__(path, every_n_steps, before_training)
        self.X, self.seed, self.get_mu_sigma = X, seed, None

    def do(self, main_loop):
        model, n = main_loop.model, len(self.X)
        if self.get_mu_sigma is None:
            self.get_mu_sigma = sampler.compile_get_mu_sigma(model, n)
        kinds = (
            {},
            {"inpaint": True, "X_true": self.X},
            {"denoise_sigma": 1.0, "X_true": self.X},
        )
        with main_loop.algorithm.averaged():
            for options in kinds:
                sampler.generate_samples(
                    model,
                    self.get_mu_sigma,
                    n_samples=n,
                    base_fname_part1=str(self.path / "samples-"),
                    base_fname_part2=f"_batch{main_loop.iterations_done:06d}",
                    seed=self.seed,
                    **options,
                )


class PlotParameters(_Plot):
    """Every parameter, as a matrix and as receptive fields."""

    def do(self, main_loop):
        for path, variable in main_loop.model.parameters.items():
            fig = viz.plot_parameter(variable.get_value(), short_name(path))
            viz.save_figure(fig, self.file(main_loop, f"params-{short_name(path)}"))


class PlotGradients(_Plot):
    """The gradient of the cost by every parameter, on one batch."""

    def __init__(self, path, every_n_steps, before_training=False):
        super().__init__(path, every_n_steps, before_training)
        self.grad_f = None

    def do(self, main_loop):
        algorithm = main_loop.algorithm
        if self.grad_f is None:
            outputs = list(algorithm.gradients.values())
            self.grad_f = pytensor.function(algorithm.inputs, outputs)
        data = main_loop.data_stream.get_data(main_loop.iterations_done)
        values = self.grad_f(*data)
        for path, value in zip(algorithm.gradients, values, strict=True):
            fig = viz.plot_parameter(np.asarray(value), f"grad {short_name(path)}")
            viz.save_figure(fig, self.file(main_loop, f"grads-{short_name(path)}"))


class PlotInternalState(_Plot):
    """What the model makes of a batch: means, deviations, and how far they are off.

    Parameters
    ----------
    X : ndarray, shape (n, n_dim)
    path : path-like
    seed : int
        Of noise and time step, which differ from step to step.
    """

    def __init__(
        self, X, path, every_n_steps, before_training=False, n_images=16, seed=12345
    ):
        super().__init__(path, every_n_steps, before_training)
        self.X, self.internal_state_f, self.names = X[:n_images], None, None
        self.seed = seed

    def do(self, main_loop):
        model = main_loop.model
        shape = (len(self.X), *model.sample_shape)
        if self.internal_state_f is None:
            X = pt.tensor("X", shape=self.X.shape, dtype=model.dtype)
            noise = pt.tensor("noise", shape=shape, dtype=model.dtype)
            uniform = pt.tensor("uniform", shape=shape, dtype=model.dtype)
            t = pt.tensor("t", shape=(1, 1), dtype=model.dtype)
            state = model.internal_state(X, noise, t, uniform)
            self.names = list(state)
            self.internal_state_f = pytensor.function(
                [X, noise, t, uniform], list(state.values())
            )
        rng = np.random.default_rng([self.seed, main_loop.iterations_done])
        noise, uniform = rng.standard_normal(shape), rng.random(shape)
        t = rng.integers(1, model.trajectory_length, size=(1, 1))
        values = self.internal_state_f(
            *(a.astype(model.dtype) for a in (self.X, noise, t, uniform))
        )
        for name, value in zip(self.names, values, strict=True):
            value = np.asarray(value)
            same = value.shape != shape  # one number for all pixels
            fig = viz.plot_images(np.broadcast_to(value, shape) if same else value)
            fig.suptitle(
                f"{name}, t = {t[0, 0]}: {value.min():.3g} to {value.max():.3g}"
            )
            viz.save_figure(fig, self.file(main_loop, f"state-{name}"))


class PlotMonitors(_Plot):
    """The cost, all records, and the norms of parameters and gradients.

    Parameters
    ----------
    recipe : BaseRecipe
        Says what the cost is, and in which units it is shown.
    path : path-like
    """

    def __init__(self, recipe, path, every_n_steps, before_training=False):
        super().__init__(path, every_n_steps, before_training)
        self.recipe, self.norms_f, self.names = recipe, None, None

    def do(self, main_loop):
        algorithm, recipe = main_loop.algorithm, self.recipe
        if self.norms_f is None:
            norms = sum(get_norms(main_loop.model, algorithm.gradients), [])
            self.names = [norm.name for norm in norms]
            self.norms_f = pytensor.function(algorithm.inputs, norms)
        data = main_loop.data_stream.get_data(main_loop.iterations_done)
        for name, norm in zip(self.names, self.norms_f(*data), strict=True):
            main_loop.record(name, norm)
        costs = recipe.cost_in_bits(np.array(main_loop.costs))
        label = f"{recipe.cost_name} ({recipe.cost_unit}), training batches"
        fig = viz.plot_monitors(costs, main_loop.records, label)
        viz.save_figure(fig, self.file(main_loop, "monitors"))


class LogLikelihood(Extension):
    """K - L_null on the test set, with its standard error.

    Of the average of the parameters, where one is kept.

    Parameters
    ----------
    X_test : ndarray, shape (n, n_dim)
    rescale : float
        What the data were divided by, printed beside the result.
    n_draws : int
        Random time steps for each test image.

    Notes
    -----
    Reference: ``LogLikelihood`` in ``extensions.py``. It draws one t for each batch and
    counts T terms; here each image has its own t, and there are T - 1.
    """

    def __init__(
        self, X_test, rescale, every_n_steps, before_training=False, n_draws=3
    ):
        super().__init__(every_n_steps, before_training)
        self.X_test, self.rescale, self.n_draws = X_test, rescale, n_draws
        self.compute = None  # compiled when first needed

    def do(self, main_loop):
        model = main_loop.model
        if self.compute is None:
            self.compute = estimates.compile_estimate(model, len(self.X_test))
        with main_loop.algorithm.averaged():
            K, _, _ = estimates.estimate_bound(
                model, self.X_test, self.n_draws, compute=self.compute
            )
        gap, error = report.mean_and_error(report.bits_per_pixel_above_null(model, K))
        main_loop.record("test K - L_null", gap)
        main_loop.record("test standard error", error)
        tqdm.write(
            f"test set: K - L_null = {gap:.4g} bits/pixel, standard error {error:.2g}, "
            f"Z-score rescale {self.rescale:.4g}"
        )


def short_name(path: str) -> str:
    """The end of a parameter's path, where it differs from all others."""
    return "-".join(path.split("/")[-2:])


def get_norms(model, gradients: dict) -> tuple[list, list]:
    """Euclidean norms of parameters and of their gradients.

    Parameters
    ----------
    model : Brick
    gradients : dict
        Symbolic, by the parameters' paths: `GradientDescent.gradients`.

    Returns
    -------
    norms, grad_norms : list of symbolic scalars
        Each divided by the number of elements, and named after its parameter.

    Notes
    -----
    Reference: ``get_norms`` in ``util.py``.
    """
    norms, grad_norms = [], []
    for path, parameter in model.parameters.items():
        norms.append(_norm(parameter, f"norm {short_name(path)}"))
        grad_norms.append(_norm(gradients[path], f"grad norm {short_name(path)}"))
    return norms, grad_norms


def _norm(x, name: str):
    norm = pt.sqrt(pt.sum(x**2)) / x.size.astype(x.dtype)
    norm.name = name
    return norm


def decay_learning_rate(iteration: int, old_value: float, start=math.inf) -> float:
    """A tenth in 1000 calls, but never below 1e-4, nor above the rate at the start.

    Notes
    -----
    Reference: ``decay_learning_rate`` in ``extensions.py``, called every 500 batches.
    Its command line promises 1e-5. A start below 1e-4 was raised to that there.
    """
    return min(max(old_value * math.exp(math.log(0.1) / 1000.0), 1e-4), start)
