"""Each setting of every data set, recipe and model refuses what it may not be."""

import math
import types
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytensor.tensor as pt
import pytest
from annotated_types import Interval

from dpm import train
from dpm.blocks import settings
from dpm.datasets.catalogue import SOURCES, settings_of
from dpm.model import DiffusionModel, argument_types
from dpm.recipes import HeartbeatRecipe, ImageRecipe, SwissRollRecipe

WRONG = (  # of every type; each setting allows a few of them
    None, True, "", "x", "1", b"x", 0, 1, -1, 2.5, -0.5, math.nan, math.inf, -math.inf,
    [], [1], (), {}, {"a": 1}, {1}, 1j, object(), np.zeros((2, 2)), Path("x"),
)  # fmt: skip


def is_allowed(value, annotation) -> bool:
    try:
        settings.check_setting(value, "it", annotation)
    except ValueError:
        return False
    return True


def wrong_for(annotation, *more):
    return [v for v in (*WRONG, *more) if not is_allowed(v, annotation)]


@pytest.mark.parametrize(
    "annotation, allowed",
    [
        (settings.Natural, [0, 1]),
        (settings.Count, [1]),
        (settings.Several, []),
        (settings.Number, [0, 1, -1, 2.5, -0.5]),
        (settings.Positive, [1, 2.5]),
        (settings.NotNegative, [0, 1, 2.5]),
        (settings.Between, []),
        (settings.Fraction, [0, 1]),
        (settings.BelowOne, [0]),
        (settings.Place, [None, "", "x", "1", Path("x")]),
        (settings.Count | None, [None, 1]),
        (Literal["x", "y"], ["x"]),
        (bool, [True]),
        (str, ["", "x", "1"]),
        (dict, [{}, {"a": 1}]),
    ],
)
def test_types_are_taken_by_the_letter(annotation, allowed):
    found = [repr(value) for value in WRONG if is_allowed(value, annotation)]
    assert found == [repr(value) for value in allowed]


def test_what_else_is_taken():
    """NumPy's numbers, paths, variables that have no value yet; and large numbers."""
    settings.check_setting(np.int32(3), "n", settings.Several)
    settings.check_setting(np.float32(3), "x", settings.Positive)
    settings.check_setting(pt.scalar(), "x", settings.Positive)
    settings.check_setting(Path("here"), "path", settings.Place)
    settings.check_setting(10**40, "n", settings.Natural)
    with pytest.raises(ValueError, match=r"n = 2.0: it must be a whole number$"):
        settings.check_setting(np.float64(2.0), "n", settings.Several)


@pytest.mark.parametrize(
    "value, annotation, words",
    [
        (1.5, settings.Natural, "it = 1.5: it must be a whole number"),
        (-1, settings.Natural, "it = -1: it must be at least 0"),
        ("x", settings.Positive | None, "it = 'x': it must be a number or None"),
        (-1, settings.Positive, "it = -1: it must be positive and finite"),
        (-1, settings.NotNegative, "it = -1: it must be at least 0 and finite"),
        (math.inf, settings.Number, "it = inf: it must be finite"),
        (0, settings.Between, r"it = 0: it must lie in \(0, 1\)"),
        (2, settings.Fraction, r"it = 2: it must lie in \[0, 1\]"),
        (1, settings.BelowOne, r"it = 1: it must lie in \[0, 1\)"),
        (7, settings.Place, "it = 7: it must be a text or a path or None"),
        ("z", Literal["x", "y"], "unknown it 'z': there are x, y"),
        ([0] * 99, bool, r"it = \[0, .* \.\.\.: it must be True or False"),
    ],
)
def test_messages_name_setting_value_and_remedy(value, annotation, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        settings.check_setting(value, "it", annotation)


OF_DATA = [(name, setting) for name in SOURCES for setting in settings_of(name)]
OF_RECIPES = [
    (kind, setting)
    for kind in (SwissRollRecipe, HeartbeatRecipe, ImageRecipe)
    for setting in settings.declared(kind)
]


@pytest.mark.parametrize("name, setting", OF_DATA)
def test_every_setting_of_data_is_checked_by_name(name, setting):
    """Also where the function is called that makes them."""
    wrong = wrong_for(settings_of(name)[setting])
    assert len(wrong) > 12
    for value in wrong:
        with pytest.raises(ValueError, match=rf"\b{setting}\b") as error:
            SOURCES[name].load(**{setting: value})
        assert len(str(error.value).splitlines()) == 1
        if SOURCES[name].images:
            with pytest.raises(ValueError, match=rf"\b{setting}\b"):
                ImageRecipe(name, data_args={setting: value})


@pytest.mark.parametrize("kind, setting", OF_RECIPES)
def test_every_setting_of_recipes_is_checked_by_name(kind, setting):
    for value in wrong_for(settings.declared(kind)[setting]):
        with pytest.raises(ValueError, match=rf"\b{setting}\b") as error:
            kind(**{setting: value})
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("setting", argument_types())
def test_every_argument_of_the_model_is_checked_by_name(setting):
    wrong = wrong_for(argument_types()[setting])
    assert len(wrong) > 12
    for value in wrong:
        with pytest.raises(ValueError, match=rf"\b{setting}\b") as error:
            DiffusionModel(**{"spatial_width": 4, "n_colors": 1, setting: value})
        assert len(str(error.value).splitlines()) == 1
        with pytest.raises(ValueError, match=rf"\b{setting}\b"):
            ImageRecipe("DIGITS", model_args={setting: value})


@pytest.mark.parametrize(
    "match, words",
    [
        ("noise = 'x'", ["DEAD_LEAVES", "--data-args", "noise='x'"]),
        ("smallest = None", ["DEAD_LEAVES", "--data-args", "smallest=None"]),
        ("bump_width = 'x'", ["DIGITS", "--model-args", "bump_width='x'"]),
        ("step1_beta = 'x'", ["DIGITS", "--model-args", "step1_beta='x'"]),
        ("uniform_noise = None", ["DIGITS", "--model-args", "uniform_noise=None"]),
        ("uniform_noise = -1.0", ["DIGITS", "--model-args", "uniform_noise=-1.0"]),
        ("n_t_per_minibatch = -1", ["SWISS_ROLL", "--n-t-per-minibatch", "-1"]),
        ("GiB of memory", ["DEAD_LEAVES", "--data-args", f"n_train={10**12}"]),
        ("GiB of memory", ["BARK4", "--data-args", f"n_train={10**12}"]),
        ("GiB of memory", ["HEARTBEAT", "--length", f"{10**12}"]),
    ],
)
def test_the_command_line_refuses_before_a_file_is_made(match, words, refuse, tmp_path):
    words = ["--output-dir", tmp_path, "--dataset", *words]
    refuse(match, *words, folder=tmp_path)


def test_help_says_what_each_setting_may_be(capsys):
    def said(*words):
        with pytest.raises(SystemExit):
            train.parse_args([*words, "--help"])
        return " ".join(capsys.readouterr().out.split())

    images = said("--dataset", "DEAD_LEAVES")
    assert "noise: a number in [0, 40) (0.0)" in images
    assert "mean: 'forward', 'equilibrium', 'guess' or None ('forward')" in images
    assert "spatial_width" not in images
    assert "--data-args of MNIST: path: " in said()
    toy = said("--dataset", "HEARTBEAT")
    assert "--rho X a number in (0, 1) (0.2)" in toy and "of DiffusionModel" not in toy


def test_a_function_without_annotations_is_no_place_for_settings():
    def loose(width, seed: settings.Natural = 0):
        return width

    with pytest.raises(TypeError, match="loose does not declare width"):
        settings.typed(loose)


def test_arguments_are_checked_by_place_and_by_name():
    @settings.typed
    def area(width: settings.Count, height: settings.Count = 2, **more) -> int:
        return width * height

    assert area(3) == 6 and area(3, 3) == 9 and area(width=4, height=1, other=None) == 4
    for args, given in (((0,), {}), ((1, 0), {}), ((1,), {"height": 0})):
        with pytest.raises(ValueError, match="= 0: it must be at least 1"):
            area(*args, **given)
    assert settings.defaults_of(area) == {"width": None, "height": 2}


def test_parsers_are_told_the_plain_type():
    kinds = {
        settings.Count: int, settings.Positive | None: float, bool: bool,
        Literal["a", "b"]: str, Annotated[float, Interval(ge=0, lt=40)]: float,
    }  # fmt: skip
    for annotation, kind in kinds.items():
        assert settings.plain_type(annotation) is kind
    assert types.NoneType not in map(settings.plain_type, argument_types().values())
