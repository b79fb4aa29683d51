"""Scores of a model: estimates of K, reports, and log p by Eq. 9, at one door."""

from dpm.evaluation.estimates import (
    bound_all_t,
    bound_at_random_t,
    bound_per_draw,
    bound_per_sample,
    compile_bound,
    compile_estimate,
    estimate_bound,
    spread_times,
)
from dpm.evaluation.likelihood import log_likelihood
from dpm.evaluation.report import (
    bits_per_dimension,
    bits_per_pixel_above_null,
    evaluate,
    mean_and_error,
    row,
    score_log_p,
    some_rows,
)

__all__ = [
    "bits_per_dimension",
    "bits_per_pixel_above_null",
    "bound_all_t",
    "bound_at_random_t",
    "bound_per_draw",
    "bound_per_sample",
    "compile_bound",
    "compile_estimate",
    "estimate_bound",
    "evaluate",
    "log_likelihood",
    "mean_and_error",
    "row",
    "score_log_p",
    "some_rows",
    "spread_times",
]
