"""Pictures read pixel by pixel, each pixel with an `MCGSM` given those before it."""

import numpy as np
from tqdm import tqdm

from dpm.blocks.checks import as_rng, check_count
from dpm.evaluation.mcgsm import ROWS, Whitened, fit


def neighbourhood(radius: int) -> np.ndarray:
    """Offsets (row, column) of the pixels read before, up to `radius` away."""
    check_count(radius, "radius", 1)
    above = [(i, j) for i in range(-radius, 0) for j in range(-radius, radius + 1)]
    return np.array(above + [(0, j) for j in range(-radius, 0)])


class PictureModel:
    """The density of grey pictures, pixel by pixel.

    Pixels all of whose neighbourhood lies in the picture share one MCGSM. Those near
    its left, upper and right edge share a second, which is told with each pixel of the
    neighbourhood whether it is there, and sees 0 where it is not. So the density of a
    whole picture integrates to one, as that of a diffusion model does.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        To learn from, with continuous grey.
    radius : int
        Of the neighbourhood: 2 radius (radius + 1) pixels.
    n_pixels : int
        So many of all, drawn at random, for each of the two.
    n_components, n_scales, epochs, seed :
        Of `fit`.
    """

    def __init__(
        self,
        images,
        radius: int = 3,
        n_pixels: int = 100_000,
        n_components: int = 8,
        n_scales: int = 6,
        *,
        epochs: int = 60,
        seed: int = 0,
        progress: bool = True,
    ):
        images = check_images(images)
        self._look(images.shape[1:], radius)
        rng = np.random.default_rng(seed)
        for part, where in (("inside", self.is_inside), ("edge", ~self.is_inside)):
            pixels = np.argwhere(where)
            n = min(n_pixels, len(images) * len(pixels))
            chosen = rng.choice(len(images) * len(pixels), n, replace=False)
            which, place = np.divmod(chosen, len(pixels))
            r, c = pixels[place].T
            X = self.context(images, which, r, c, part)
            self.parts[part] = fit(
                X,
                images[which, r, c],
                n_components,
                n_scales,
                epochs=epochs,
                seed=seed,
                progress=progress,
                name=f"MCGSM, {part}",
            )

    def _look(self, shape: tuple, radius: int) -> None:
        """Decide which pixels have a full neighbourhood."""
        self.offsets, self.radius = neighbourhood(radius), radius
        self.shape = tuple(int(n) for n in shape)
        if self.shape[0] <= radius or self.shape[1] <= 2 * radius:
            raise ValueError(
                f"pictures of {self.shape[0]} x {self.shape[1]} pixels have no pixel "
                f"with a full neighbourhood of radius {radius}"
            )
        rows, columns = np.indices(self.shape)
        self.is_inside = (rows >= radius) & (columns >= radius)
        self.is_inside &= columns < self.shape[1] - radius
        self.parts: dict[str, Whitened] = {}

    @property
    def arrays(self) -> dict:
        """All that it consists of, by name; for `dpm.blocks.checkpoint.save`."""
        found = {"shape": np.array(self.shape), "radius": np.array(self.radius)}
        for part, model in self.parts.items():
            found |= {f"{part}/{name}": a for name, a in model.arrays.items()}
        return found

    @classmethod
    def from_arrays(cls, arrays: dict) -> "PictureModel":
        """The model that `arrays` was taken from, or ValueError."""
        self = cls.__new__(cls)
        try:
            self._look(arrays["shape"], int(arrays["radius"]))
            for part in ("inside", "edge"):
                prefix = f"{part}/"
                self.parts[part] = Whitened.from_arrays(
                    {
                        k.removeprefix(prefix): v
                        for k, v in arrays.items()
                        if k.startswith(prefix)
                    }
                )
        except KeyError as error:
            raise ValueError(
                f"these are no arrays of a PictureModel ({error} is missing): give a "
                "file that 'python -m dpm.fit_mcgsm --export' wrote"
            ) from None
        return self

    def context(self, images, which, row, column, part: str) -> np.ndarray:
        """What the model is told about n pixels, from index arrays: (n, n_in)."""
        r, c = (
            at[:, None] + offset
            for at, offset in zip((row, column), self.offsets.T, strict=True)
        )
        if part == "inside":
            return images[which[:, None], r, c]
        there = (r >= 0) & (c >= 0) & (c < self.shape[1])
        X = images[which[:, None], np.where(there, r, 0), np.where(there, c, 0)]
        return np.concatenate([np.where(there, X, 0.0), there], axis=1)

    def log_prob(self, images) -> np.ndarray:
        """log p of each pixel given those read before, in nats, shape of `images`.

        The sum over a picture is the log density of the picture.
        """
        images = check_images(images)
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"pictures of {images.shape[1:]} pixels, learned from {self.shape}"
            )
        out = np.empty(images.shape)
        for part, where in (("inside", self.is_inside), ("edge", ~self.is_inside)):
            which, row, column = np.nonzero(np.broadcast_to(where, images.shape))
            for i in range(0, len(which), ROWS):
                at = tuple(index[i : i + ROWS] for index in (which, row, column))
                X = self.context(images, *at, part)
                out[at] = self.parts[part].log_prob(X, images[at])
        return out

    def inside(self, log_prob) -> np.ndarray:
        """Mean over the pixels with a full neighbourhood, for each picture."""
        return log_prob[:, self.is_inside].mean(axis=1)

    def sample(self, n: int, rng, progress: bool = True) -> np.ndarray:
        """Draw pictures pixel by pixel, (n, height, width), as for Figure 4."""
        rng = as_rng(rng)
        images, which = np.zeros((n, *self.shape)), np.arange(n)
        pixels = list(np.ndindex(*self.shape))
        for r, c in tqdm(pixels, "MCGSM", leave=False, disable=not progress or None):
            part = "inside" if self.is_inside[r, c] else "edge"
            X = self.context(images, which, np.full(n, r), np.full(n, c), part)
            images[:, r, c] = self.parts[part].sample(X, rng)
        return images


def check_images(images) -> np.ndarray:
    """`images` as (n, height, width) in double precision, or ValueError."""
    images = np.asarray(images, dtype=float)
    if images.ndim != 3 or images.size == 0 or not np.isfinite(images).all():
        raise ValueError(
            f"images of shape {images.shape}: give finite numbers of shape "
            "(n, height, width), of one colour"
        )
    return images
