"""A trained model for those who want pictures and numbers rather than graphs.

What goes in and comes out are the images people have, grey levels from 0 to 1, or of
the toys their points and bits. How the model's own data were scaled is its business.
"""

import dataclasses
from html import escape
from pathlib import Path

import numpy as np

from dpm import sampler
from dpm.blocks.backend import numbers
from dpm.blocks.checks import check_bits, check_count, check_data, check_positive
from dpm.datasets.dataset import Dataset
from dpm.diffusion import factors
from dpm.diffusion.schedule import beta_cumulative
from dpm.evaluation import report
from dpm.recipes.catalogue import TOYS, name_of, named, names
from dpm.recipes.images import ImageRecipe
from dpm.runs import Run, command_of, load_run, train

KEPT = Path(__file__).parents[1] / "book" / "checkpoints"


def load(path, parameters: str | None = None) -> "Trained":
    """A trained model from a run's folder, a file, or the name of a kept model.

    Parameters
    ----------
    path : path-like
        Of the models that the book keeps the name is enough, such as ``"mnist_dense"``.
    parameters : {"average", "last"}, optional
        As of `dpm.runs.load_run`.

    Raises
    ------
    ValueError
        If there is no such run, file or model, it is damaged, or it lacks those
        parameters.
    """
    kept = KEPT / f"{path}.npz"
    if not Path(path).exists() and kept.is_file():
        path = kept
    return Trained(*load_run(path, parameters))


def fit(
    recipe,
    name: str | None = None,
    *,
    output_dir=None,
    n_steps: int | None = None,
    progress: bool = True,
    **settings,
) -> "Trained":
    """Train a model, and return it.

    Parameters
    ----------
    recipe : BaseRecipe or str
        A recipe, or a data set such as "MNIST", "SWISS_ROLL" or "IMAGES".
    name : str, optional
        With a data set: which of its recipes, such as "ours". The one that the command
        line takes where left out.
    output_dir : path-like, optional
        A folder of the run's own to keep it in.
    n_steps : int, optional
        How many steps to take.
    progress : bool
    **settings
        Of the recipe, in place of what it says; `model_args` and `data_args` add to
        what it says.

    Returns
    -------
    Trained
    """
    if isinstance(recipe, str):
        recipe = named(name or names(recipe)[0], recipe)
    elif name is not None:
        raise ValueError(f"name = {name!r} is for the name of a data set: leave it out")
    known = {field.name for field in dataclasses.fields(recipe)}
    for setting, value in settings.items():
        if setting not in known:
            raise ValueError(
                f"{setting!r} is not a setting of {type(recipe).__name__}: there are "
                f"{', '.join(sorted(known))}"
            )
        if isinstance(value, dict):
            settings[setting] = {**getattr(recipe, setting), **value}
    if recipe.dataset in TOYS and n_steps is not None:
        settings, n_steps = {**settings, "n_steps": n_steps}, None
    recipe = dataclasses.replace(recipe, **settings)
    if output_dir is not None:
        train(recipe, output_dir, progress=progress, n_steps=n_steps)
        return load(output_dir)
    run = Run(recipe, n_steps=n_steps)
    loop = run.train(progress=progress)
    meta = {
        **run.description,
        "iterations_done": loop.iterations_done,
        "seconds": loop.seconds,
    }
    del meta["command"]  # nothing was typed that would make it again
    if loop.algorithm.average is not None:
        loop.model.set_parameter_values(loop.algorithm.average.values())
        meta["parameters"] = "average"
    return Trained(loop.model, run.recipe, meta)


class Trained:
    """A trained model, and what it was trained on.

    Attributes
    ----------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
        Symbolic: for those who want the graph.
    recipe : BaseRecipe
    meta : dict
        How it was trained.
    """

    def __init__(self, model, recipe, meta: dict):
        self.model, self.recipe, self.meta = model, recipe, meta
        self._data = None

    # -- what it is -----

    @property
    def is_of_images(self) -> bool:
        return isinstance(self.recipe, ImageRecipe)

    @property
    def T(self) -> int:
        """How many steps a trajectory has."""
        return self.model.trajectory_length

    @property
    def shape(self) -> tuple:
        """Shape of one sample, as it goes in and comes out."""
        if not self.is_of_images:
            return self.model.sample_shape
        colors, height, width = self.model.sample_shape
        return (height, width) if colors == 1 else (height, width, colors)

    def __repr__(self):
        return "\n".join(f"{name:>11}: {value}" for name, value in self._facts())

    def _repr_html_(self):
        rows = (
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
            for name, value in self._facts()
        )
        return f"<table>{''.join(rows)}</table>"

    def _facts(self):
        """Name and text of each line that shows the model."""
        name, changed = name_of(self.recipe)
        yield "data", self.recipe.dataset
        yield "recipe", name + (f", but for {', '.join(changed)}" if changed else "")
        yield "sample", f"{self.shape}, T = {self.T}"
        values = self.model.get_parameter_values().values()
        averaged = ", averaged" * (self.meta.get("parameters") == "average")
        yield "parameters", f"{sum(v.size for v in values):,}{averaged}"
        K = self.meta.get("report", {}).get("K")
        if K is not None:
            error = f"{K['value']:.3f} +- {K['standard_error']:.3f}"
            yield "K", f"{error} {K['unit']}, held out"
        if "command" in self.meta:
            yield "made by", command_of(self.meta)

    # -- units -----

    def _dataset(self) -> Dataset:
        """The scaling of the data, with the data only where a description lacks."""
        if self._data is None:
            saved = self.meta.get("data")
            if saved is None or not self.is_of_images:
                self._data = self.recipe.load_data()
            else:
                nothing = np.zeros((1, self.model.n_dim), np.float32)
                self._data = Dataset(
                    saved["name"], nothing, nothing, np.array(saved["shift"]),
                    saved["scale"], "pixel", settings=saved["settings"],
                    image_shape=tuple(saved["image_shape"]),
                    grey_level=saved["grey_level"],
                )  # fmt: skip
        return self._data

    def _in(self, X, name="images", noisy=False) -> np.ndarray:
        """What a user has, as the model has it: (n, *model.sample_shape)."""
        data, X = self._dataset(), np.asarray(X)
        if not self.is_of_images:
            X = check_data(X, self.model.n_dim, name)
            if data.exhaustive:
                return check_bits(X, name).astype(float)
            return (X - data.shift) / data.scale
        if X.dtype.kind not in "uif" or X.dtype.kind != "f" and X.dtype != np.uint8:
            raise ValueError(
                f"{name} of type {X.dtype}: give uint8 from 0 to 255, or floats from 0 "
                "to 1"
            )
        if X.ndim == 4 and X.shape[3] == 1:
            X = X[..., 0]
        if X.ndim != 1 + len(self.shape) or X.shape[1:] != self.shape or len(X) == 0:
            raise ValueError(
                f"{name} of shape {X.shape}: this model's are (n, "
                f"{', '.join(map(str, self.shape))}); resize them, or choose another "
                "model"
            )
        X = X / 255 if X.dtype == np.uint8 else X.astype(float)
        if not np.isfinite(X).all():
            raise ValueError(f"{name} hold NaN or infinity: remove or repair them")
        if not noisy and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                f"{name} lie between {X.min():.3g} and {X.max():.3g}: floats must lie "
                "between 0 and 1; divide 8-bit values by 255"
            )
        X = (X - data.shift) / data.scale
        n, h, w = X.shape[:3]
        return X.reshape(n, h, w, -1).transpose(0, 3, 1, 2)

    def _out(self, X, raw=False):
        """What the model has, as a user has it; rounded to grey levels unless raw."""
        data = self._dataset()
        if not self.is_of_images:
            return X if data.exhaustive else X * data.scale + data.shift
        X = X * data.scale + float(data.shift)
        X = X.transpose(0, 2, 3, 1)
        X = X[..., 0] if self.model.n_colors == 1 else X
        if raw:
            return X
        top = round(1 / (data.grey_level * data.scale))
        return np.rint(np.clip(X, 0, 1) * top) / top

    # -- what it does -----

    def of_width(self, width: int) -> "Trained":
        """The same network, with the same parameters, for pictures of another width.

        Raises ValueError where a parameter belongs to a pixel, as in dense layers.
        """
        if not self.is_of_images:
            raise ValueError(f"{self.recipe.dataset} has no pictures to widen")
        recipe, model = self.recipe.of_width(self.model, width)
        meta = {**self.meta, "data": dict(self._dataset().description)}
        meta["data"]["image_shape"] = list(model.sample_shape)
        return Trained(model, recipe, meta)

    def sample(self, n: int = 1, seed: int = 0, progress: bool = True) -> np.ndarray:
        """Draw from the model.

        Returns
        -------
        ndarray, shape (n, height, width), (n, height, width, 3), or (n, n_dim)
            Grey levels from 0 to 1; of the toys points and bits.
        """
        return self._out(self._sample(n, seed, None, progress))

    def _sample(self, n, seed, factor, progress, **more):
        check_count(n, "n", 1)
        return sampler.sample(self.model, n, seed, factor, progress=progress, **more)

    def walk(self, n: int = 1, seed: int = 0):
        """The way of samples from noise: t = T..0 and the states, not rounded."""
        check_count(n, "n", 1)
        for t, X in sampler.reverse_trajectory(self.model, n, seed):
            yield t, self._out(X, raw=True)

    def noised(self, images, t: int, seed: int = 0) -> np.ndarray:
        """Images after t forward steps, in their own units, not rounded."""
        X, t = self._in(images), check_count(t, "t")
        if t > self.T:
            raise ValueError(f"t = {t}: a trajectory of this model has {self.T} steps")
        if t == 0:
            return self._out(X, raw=True)
        b = numbers(beta_cumulative(numbers(self.model.beta_arr)))[t - 1]
        kernels = self.model.kernels
        rho = self.model.prior if len(self.model.prior) == 1 else ()
        step = factors.as_tuple(kernels.marginal(X, b, *rho))
        noise = kernels.noise(np.random.default_rng(seed), X.shape)
        drawn = kernels.sample(*(numbers(part) for part in step), noise)
        return self._out(numbers(drawn), raw=True)

    def fill_in(
        self, images, known, seed=0, progress=True, *, known_noise=False, repeats=1
    ) -> np.ndarray:
        """Draw what is not known of images, given what is (Section 2.5).

        Parameters
        ----------
        images : as `sample` gives them, or uint8
            What they hold where they are not known has no effect.
        known : ndarray of bool
            True where a pixel is known: the shape of one image, or of all.
        known_noise : bool
            Whether known pixels have the noise of each time, as in training, and not
            the paper's: clean at all times.
        repeats : int
            How often each step is taken, see `dpm.sampler.reverse_trajectory`.
        """
        X, known = self._in(images), np.asarray(known)
        kind = factors.KnownWithNoise if known_noise else factors.Known
        factor = kind(X, self._mask(known, len(X)))
        return self._out(self._sample(len(X), seed, factor, progress, repeats=repeats))

    def _mask(self, known, n) -> np.ndarray:
        """`known` in the shape of the model's samples, or ValueError."""
        if known.dtype != bool:
            raise ValueError(f"known of type {known.dtype}: give True and False")
        shapes = {self.shape, (n, *self.shape)}
        if len(self.shape) == 3:  # one value for all colours
            shapes |= {self.shape[:2], (n, *self.shape[:2])}
        if known.shape not in shapes:
            listed = " or ".join(map(str, sorted(shapes, key=len)))
            raise ValueError(f"known has shape {known.shape}: give {listed}")
        if known.all() or not known.any():
            what = "everything" if known.all() else "nothing"
            raise ValueError(
                f"{what} is known: mark with True what is known, and leave something "
                "to fill in"
            )
        if not self.is_of_images:
            return np.broadcast_to(known, (n, *self.shape))
        pixels = known if known.ndim in (3, 4) and known.shape[0] == n else known[None]
        if pixels.shape[1:] not in (self.shape, self.shape[:2]):
            pixels = known[None]
        colors, height, width = self.model.sample_shape
        pixels = pixels.reshape(len(pixels), height, width, -1).transpose(0, 3, 1, 2)
        return np.broadcast_to(pixels, (n, colors, height, width))

    def denoise(
        self, images, sigma: float, seed: int = 0, progress: bool = True
    ) -> np.ndarray:
        """Draw from the posterior of images given them with noise on them.

        Parameters
        ----------
        images : ndarray
            With normal noise of deviation `sigma` in every pixel; floats may lie
            outside 0..1.
        sigma : float
            In the images' own units.
        """
        if not isinstance(sigma, int | float):
            raise ValueError(f"sigma = {sigma!r}: give a number")
        check_positive(sigma, "sigma")
        X = self._in(images, noisy=True)
        factor = factors.Gaussian(X, sigma / self._dataset().scale)
        return self._out(self._sample(len(X), seed, factor, progress))

    def posterior(
        self, log_r, n: int = 1, seed: int = 0, progress: bool = True
    ) -> np.ndarray:
        """Draw from p(x) r(x), up to a constant, to first order (Eq. 61).

        Parameters
        ----------
        log_r : callable
            ``log_r(X)`` gives log r of each sample, symbolic of shape (n,), for
            symbolic X as `sample` gives them.
        """
        factor = factors.Smooth(lambda X, t: log_r(self._out(X, raw=True)))
        return self._out(self._sample(n, seed, factor, progress))

    def score(
        self, images, n_draws: int = 2, seed: int = 0, all_t=False
    ) -> report.Scores:
        """K, L_null and their difference on images, each with its standard error.

        Parameters
        ----------
        images : as `sample` gives them, or uint8
        n_draws : int
            Time steps for each image; of the toys, noises.
        seed : int
        all_t : bool
            Whether to visit every time step instead: K without that noise.

        Returns
        -------
        Scores
            A dict of ``value``, ``standard_error`` and ``unit`` by name: see
            `dpm.evaluation.evaluate`. Of images ``grey levels`` is bits per dimension.
        """
        X = self._in(images)
        dtype = self.model.dtype
        data = dataclasses.replace(
            self._dataset(), X_test=X.reshape(len(X), -1).astype(dtype)
        )
        options = {"all_t": True} if all_t else {"n_draws": n_draws}
        return report.Scores(report.evaluate(self.model, data, seed=seed, **options))
