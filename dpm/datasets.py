"""Data sets: see `dpm.data_catalogue` for those there are."""

from dpm.data_catalogue import (
    SOURCES,
    at_hand,
    check_settings,
    digits_at_hand,
    image_sets,
    load,
)
from dpm.dataset import Dataset, check_same_data, scaled
from dpm.toys import heartbeat, roll_curve, roll_log_density, swiss_roll

__all__ = [
    "SOURCES",
    "Dataset",
    "at_hand",
    "check_same_data",
    "check_settings",
    "digits_at_hand",
    "heartbeat",
    "image_sets",
    "load",
    "roll_curve",
    "roll_log_density",
    "scaled",
    "swiss_roll",
]
