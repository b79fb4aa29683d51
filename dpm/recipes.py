"""Recipes: see `dpm.recipes_catalogue` for those there are."""

from dpm.recipes_base import (
    DROPOUT,
    INITIALIZE,
    NOISE,
    SHUFFLE,
    TIME,
    UNIFORM,
    BaseRecipe,
)
from dpm.recipes_catalogue import kind, name_of, named, names, recipe_of
from dpm.recipes_heartbeat import HeartbeatRecipe
from dpm.recipes_images import ImageRecipe
from dpm.recipes_swiss_roll import SwissRollRecipe

__all__ = [
    "DROPOUT",
    "INITIALIZE",
    "NOISE",
    "SHUFFLE",
    "TIME",
    "UNIFORM",
    "BaseRecipe",
    "HeartbeatRecipe",
    "ImageRecipe",
    "SwissRollRecipe",
    "kind",
    "name_of",
    "named",
    "names",
    "recipe_of",
]
