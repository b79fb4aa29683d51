"""Recipes: see `dpm.recipes.catalogue` for those there are."""

from dpm.recipes.base import (
    DROPOUT,
    INITIALIZE,
    NOISE,
    PAINT,
    SHUFFLE,
    SYMMETRY,
    TIME,
    UNIFORM,
    BaseRecipe,
)
from dpm.recipes.catalogue import kind, name_of, named, names, recipe_of
from dpm.recipes.heartbeat import HeartbeatRecipe
from dpm.recipes.images import ImageRecipe
from dpm.recipes.swiss_roll import SwissRollRecipe

__all__ = [
    "DROPOUT",
    "INITIALIZE",
    "NOISE",
    "PAINT",
    "SHUFFLE",
    "SYMMETRY",
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
