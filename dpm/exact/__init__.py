"""Small worlds where every integral is a sum."""

from dpm.exact.states import (
    binomial_kernel,
    bit_strings,
    compiled_density,
    compiled_flip_density,
    entropy,
    gaussian_kernel,
    independent_bits,
    kl,
    line,
    moment_matched_gaussian,
    normalize,
    reverse_kernel,
    two_modes,
)
from dpm.exact.world import World, bits_world, line_world

__all__ = [
    "World",
    "binomial_kernel",
    "bit_strings",
    "bits_world",
    "compiled_density",
    "compiled_flip_density",
    "entropy",
    "gaussian_kernel",
    "independent_bits",
    "kl",
    "line",
    "line_world",
    "moment_matched_gaussian",
    "normalize",
    "reverse_kernel",
    "two_modes",
]
