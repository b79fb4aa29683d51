"""Extensions that draw samples, plot what training does, and score the test set.

Each writes into the run's folder, with the number of the step in the file's name.
Reference: ``extensions.py``; its pictures were PDF, ours are PNG.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytensor
import pytensor.tensor as pt
from tqdm import tqdm

from dpm import estimates, report, sampler, viz
from dpm.extensions import Extension
from dpm.files import write_whole
from dpm.recipes import NOISE, TIME, UNIFORM


def save_figure(fig, path) -> None:
    """Write a figure as PNG, whole or not at all, and close it."""
    write_whole(path, lambda file: fig.savefig(file, format="png"))
    plt.close(fig)


class _Plot(Extension):
    """An extension that writes files into `path`."""

    def __init__(self, path, every_n_steps, before_training=False):
        super().__init__(every_n_steps, before_training)
        self.path = Path(path)

    def file(self, main_loop, name: str, ending: str = ".png") -> Path:
        safe = name.replace("/", "-").replace(" ", "_")
        return self.path / f"{safe}_batch{main_loop.iterations_done:06d}{ending}"


class PlotSamples(_Plot):
    """Samples of three kinds, as pictures and as ``.npz``.

    From the model; from the posterior of test images given their right halves
    (inpainting); and from the posterior given the images plus noise of unit variance
    (denoising). The draws are the same each time, so that pictures can be compared.

    Parameters
    ----------
    X : ndarray, shape (n, n_dim)
        Test images; as many samples are drawn.
    path : path-like
    """

    def __init__(self, X, path, every_n_steps, before_training=False, seed=12345):
        super().__init__(path, every_n_steps, before_training)
        self.X, self.seed, self.get_mu_sigma = X, seed, None

    def do(self, main_loop):
        model, n = main_loop.model, len(self.X)
        if self.get_mu_sigma is None:
            self.get_mu_sigma = sampler.compile_get_mu_sigma(model, n)
        mask = sampler.generate_inpaint_mask(n, model.n_colors, model.spatial_width)
        for name, options in {
            "samples": {},
            "samples-inpaint": {"mask": mask, "X_true": self.X},
            "samples-denoise": {"denoise_sigma": 1.0, "X_true": self.X},
        }.items():
            rng = np.random.default_rng(self.seed)
            X = sampler.sample(model, n, rng, get_mu_sigma=self.get_mu_sigma, **options)
            arrays_to = self.file(main_loop, name, ".npz")
            write_whole(arrays_to, lambda file, X=X: np.savez_compressed(file, X=X))
            save_figure(viz.plot_images(X), self.file(main_loop, name))


class PlotParameters(_Plot):
    """Every parameter, as a matrix and as receptive fields."""

    def do(self, main_loop):
        for path, variable in main_loop.model.parameters.items():
            fig = viz.plot_parameter(variable.get_value(), short_name(path))
            save_figure(fig, self.file(main_loop, f"params-{short_name(path)}"))


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
        X = main_loop.batch(main_loop.iterations_done).astype(main_loop.model.dtype)
        values = self.grad_f(X, *main_loop.draws(main_loop.iterations_done))
        for path, value in zip(algorithm.gradients, values, strict=True):
            fig = viz.plot_parameter(np.asarray(value), f"grad {short_name(path)}")
            save_figure(fig, self.file(main_loop, f"grads-{short_name(path)}"))


class PlotInternalState(_Plot):
    """What the model makes of a batch: means, deviations, and how far they are off.

    Parameters
    ----------
    X : ndarray, shape (n, n_dim)
    path : path-like
    """

    def __init__(self, X, path, every_n_steps, before_training=False, n_images=16):
        super().__init__(path, every_n_steps, before_training)
        self.X, self.internal_state_f, self.names = X[:n_images], None, None

    def do(self, main_loop):
        model, recipe = main_loop.model, main_loop.recipe
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
        step = main_loop.iterations_done
        noise = recipe.rng(NOISE, step).standard_normal(shape)
        uniform = recipe.rng(UNIFORM, step).random(shape)
        t = recipe.rng(TIME, step).integers(1, model.trajectory_length, size=(1, 1))
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
            save_figure(fig, self.file(main_loop, f"state-{name}"))


class PlotMonitors(_Plot):
    """The cost, all records, and the norms of parameters, against the step."""

    def do(self, main_loop):
        for path, norm in get_norms(main_loop.model).items():
            main_loop.record(f"norm {short_name(path)}", norm)
        costs = main_loop.recipe.cost_in_bits(np.array(main_loop.costs))
        recipe = main_loop.recipe
        label = f"{recipe.cost_name} ({recipe.cost_unit}), training batches"
        fig = viz.plot_monitors(costs, main_loop.records, label)
        save_figure(fig, self.file(main_loop, "monitors"))


class LogLikelihood(Extension):
    """K - L_null on the test set, with its standard error.

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


def get_norms(model) -> dict:
    """Euclidean norm of each parameter over its number of elements, by path.

    Notes
    -----
    Reference: ``get_norms`` in ``util.py``.
    """
    values = model.get_parameter_values()
    return {path: np.linalg.norm(v) / v.size for path, v in values.items()}
