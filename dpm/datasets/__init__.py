"""Data sets: see `dpm.datasets.catalogue` for those there are."""

from dpm.datasets.catalogue import (
    SOURCES,
    at_hand,
    check_data_args,
    digits_at_hand,
    image_sets,
    load,
)
from dpm.datasets.dataset import Dataset, check_same_data, scaled
from dpm.datasets.toys import heartbeat, roll_curve, roll_log_density, swiss_roll

__all__ = [
    "SOURCES",
    "Dataset",
    "at_hand",
    "check_same_data",
    "check_data_args",
    "digits_at_hand",
    "heartbeat",
    "image_sets",
    "load",
    "roll_curve",
    "roll_log_density",
    "scaled",
    "swiss_roll",
]
