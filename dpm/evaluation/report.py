"""How good a model is: K against L_null and, where it is known, the exact L.

The standard error is that over samples; only of data that are all there, like the
heartbeat, is it that over draws. Averages are taken here, and units given: bits a
sample, of images bits a pixel.
"""

import functools

import numpy as np

from dpm.blocks.checks import check_count
from dpm.diffusion.bound import null_log_likelihood, to_bits
from dpm.evaluation.estimates import (
    bound_all_t,
    bound_at_random_t,
    bound_per_draw,
    bound_per_sample,
)
from dpm.evaluation.likelihood import log_likelihood


def bits_per_dimension(K, n_dim: int, grey_level: float):
    """What K promises of whole grey levels: at most so many bits a pixel and colour.

    Data that were whole numbers, 0 to 255, before uniform noise filled the gaps between
    them, have a density whose cells of one grey level hold their probabilities. By
    Jensen the mean of its logarithm is below that of the probability, so

    .. math:: -\\frac1D \\log_2 P(\\text{levels}) \\le
        -\\frac{K}{D \\log 2} - \\log_2 \\Delta

    where Delta is the width of one grey level in the units of the data that K is of,
    1 / (255 scale): the last term is what the change of units adds.

    Parameters
    ----------
    K : array_like
        Nats an image, of data with uniform noise of width `grey_level` on them.
    n_dim : int
        D, pixels times colours.
    grey_level : float
        Delta.
    """
    return -to_bits(np.asarray(K)) / n_dim - np.log2(grey_level)


def bits_per_pixel_above_null(model, K):
    """K - L_null in bits per pixel, all colours summed, from K in nats per image."""
    L_null = null_log_likelihood(model.n_dim)
    return to_bits(K - L_null) / model.spatial_width**2


def mean_and_error(values) -> tuple[float, float]:
    """Mean of independent values, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def some_rows(X, n: int | None, seed: int = 0) -> np.ndarray:
    """`n` rows of X drawn without replacement, in their order; all of them for None.

    Not the first n: those of MNIST's test images come from other writers than the rest.
    """
    if n is None or check_count(n, "n", 1) >= len(X):
        return X
    rng = np.random.default_rng(seed)
    return X[np.sort(rng.choice(len(X), n, replace=False))]


def evaluate(
    model,
    dataset,
    n_draws: int | None = None,
    seed: int = 0,
    *,
    all_t: bool = False,
    n_images: int | None = None,
    on_train: bool = False,
) -> dict:
    """Score a model on held-out data, as in the paper's Table 1.

    Parameters
    ----------
    model : GaussianDiffusion, BinomialDiffusion or DiffusionModel
    dataset : Dataset
    n_draws : int, optional
        Noises for each sample; of images, time steps for each, which `all_t` leaves
        no room for. 2 where left out, and 400 of data that are exhaustive, where the
        standard error comes from the draws alone.
    seed : int
    all_t : bool
        Whether K of images is summed over every t; that of toys always is.
    n_images : int, optional
        Use so many of the held-out samples, drawn at random. Exhaustive data are always
        used whole.
    on_train : bool
        Whether to score as many samples of the training data too: the difference is
        what the model learned by heart. Exhaustive data have no others.

    Returns
    -------
    dict
        ``K``, ``L_null``, ``K - L_null`` and, where the data's density is known,
        ``L`` and ``L - K``, each a dict of ``value``, ``standard_error`` and
        ``unit``; and ``kl_per_step``, the terms t = 2..T of Eq. 14, in bits (of images:
        as estimated, None where no draw fell). Of images with grey levels also
        ``grey levels``, see `bits_per_dimension`. ``samples`` says how
        many there were, and the draws where they were asked for. ``train``, where asked
        for, is the same of training data.
    """
    if dataset.image_shape not in (None, model.sample_shape):
        raise ValueError(
            f"the model takes images of shape {model.sample_shape} (colours, "
            f"height, width), but {dataset.name} has {dataset.image_shape}"
        )
    if dataset.exhaustive and (on_train or n_images is not None):
        raise ValueError(
            f"the {len(dataset.X_test)} samples of {dataset.name} are all that there "
            "are: they are scored whole, and nothing is held out that training data "
            "could be compared with"
        )
    estimate = estimator_of(dataset, n_draws, seed, all_t)
    held_out = some_rows(dataset.X_test, n_images, seed)
    report = score(model, dataset, held_out, estimate)
    report["samples"] = {"n": len(held_out), "all_t": all_t or not is_images(dataset)}
    if n_draws is not None:
        report["samples"]["n_draws"] = n_draws
    if on_train:
        train = some_rows(dataset.X_train, len(held_out), seed)
        report["train"] = score(model, dataset, train, estimate)
        report["train"]["samples"] = report["samples"] | {"n": len(train)}
    return report


def is_images(dataset) -> bool:
    """Whether scores are counted per pixel."""
    return dataset.image_shape is not None


def estimator_of(dataset, n_draws: int | None, seed: int, all_t: bool):
    """The estimator of K that fits a data set.

    Returns
    -------
    callable
        Of a model and samples; gives K, by samples or by draws, and the mean divergence
        of each step (T-1,), in nats.
    """
    if is_images(dataset) and all_t:
        if n_draws is not None:
            raise ValueError(
                f"n_draws = {n_draws} and all_t: over every t each step has one draw; "
                "leave one of the two out"
            )
        return functools.partial(bound_all_t, seed=seed)
    function, n = bound_per_sample, 2
    if dataset.exhaustive:
        function, n = bound_per_draw, 400
    elif is_images(dataset):
        function = bound_at_random_t
    n = n if n_draws is None else n_draws
    return functools.partial(function, n_draws=n, seed=seed)


def score(model, dataset, X, estimate) -> dict:
    """`evaluate` of samples X, with K by an estimator of `estimator_of`."""
    K, kl = estimate(model, X)
    per = pixels_of(dataset)

    def bits(nats):
        """A number for each of K, where those are of draws the mean over the data."""
        values = to_bits(nats) / per
        return np.full(len(K), values.mean()) if dataset.exhaustive else values

    rows = {"K": to_bits(K) / per, "L_null": bits(model.null_log_likelihood(X))}
    rows["K - L_null"] = rows["K"] - rows["L_null"]
    if dataset.log_density is not None:
        rows["L"] = bits(dataset.log_density(X))
        rows["L - K"] = rows["L"] - rows["K"]
    unit = f"bits/{dataset.per}"
    report = {name: row(values, unit) for name, values in rows.items()}
    level = dataset.grey_level
    if is_images(dataset) and level and np.isclose(model.uniform_noise, level):
        levels = bits_per_dimension(K, dataset.n_dim, level)
        report["grey levels"] = row(levels, "bits/dimension, at most")
    kl = to_bits(kl / per).tolist()
    report["kl_per_step"] = [None if np.isnan(step) else step for step in kl]
    return report


def pixels_of(dataset) -> int:
    """Pixels of an image, whatever its colours; 1 of other data."""
    return int(np.prod(dataset.image_shape[-2:])) if is_images(dataset) else 1


def row(values, unit: str) -> dict:
    """Mean and standard error as a report has them."""
    value, error = mean_and_error(values)
    return {"value": value, "standard_error": error, "unit": unit}


def score_log_p(model, dataset, n: int, n_trajectories: int = 10, seed: int = 0):
    """`log_likelihood` of some held-out samples, for a report.

    Returns
    -------
    dict
        ``log p``, and ``effective_sample_size``, the mean over the samples. Of all of
        exhaustive data the standard error is that of the trajectories.
    """
    X = some_rows(dataset.X_test, n, seed)
    found = log_likelihood(model, X, n_trajectories, seed)
    log_p = row(to_bits(found.log_p) / pixels_of(dataset), f"bits/{dataset.per}")
    if dataset.exhaustive and len(X) == len(dataset.X_test):
        error = to_bits(np.hypot.reduce(found.standard_error)) / len(X)
        log_p["standard_error"] = float(error)
    return {
        "log p": log_p,
        "effective_sample_size": float(found.effective_sample_size.mean()),
        "n_trajectories": n_trajectories,
        "n": len(X),
    }


class Scores(dict):
    """What a report holds, by name; printed one number a line."""

    def __str__(self):
        rows = {k: v for k, v in self.items() if isinstance(v, dict) and "unit" in v}
        width = max(map(len, rows))
        return "\n".join(
            f"{name:>{width}} {row['value']:8.3f} +- {row['standard_error']:.3f} "
            f"{row['unit']}"
            for name, row in rows.items()
        )
