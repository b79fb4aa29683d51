"""Recipes by name."""

import dataclasses

import pytest

from dpm import datasets
from dpm.recipes import ImageRecipe, name_of, named, names
from dpm.recipes.catalogue import PICTURES, SIZES
from dpm.variants import CHOICES


def test_every_set_of_images_has_the_papers_recipe_and_a_quick_one():
    steps = {"MNIST": 1000, "CIFAR10": 1000, "DEAD_LEAVES": 1000, "TEXTURE": 500}
    for dataset in datasets.image_sets():
        more = ["pictures"] * (dataset in PICTURES)
        assert names(dataset) == ["reference", "paper", "ours", "quick", *more]
        assert named("reference", dataset) == ImageRecipe(dataset)
        paper = named("paper", dataset)
        assert paper.model_args["variant"] == "paper"
        choices = paper.model_args.keys() & CHOICES.keys()
        assert choices <= {"sum_over_t"}  # the paper's in all else
        assert paper.model_args.keys() - choices <= {"variant", *SIZES}
    for dataset, T in steps.items():
        paper, ours = named("paper", dataset), named("ours", dataset)
        assert paper.model_args["trajectory_length"] == T
        assert ours.model_args["trajectory_length"] == T
        assert 0 < named("quick", dataset).decay_steps < ours.decay_steps
    assert named("paper", "MNIST").model_args["n_hidden_conv"] == 0  # dense alone
    for dataset in ("DEAD_LEAVES", "TEXTURE", "BARK", "BARK4"):
        for name in ("paper", "ours"):
            model = named(name, dataset).model_args
            assert model["n_hidden_dense_lower"] == 0 and model["n_scales"] > 1
    assert named("paper", "CIFAR10").rule == "RMSProp"
    with pytest.raises(ValueError, match="unknown recipe of MNIST 'wide'"):
        named("wide", "MNIST")


@pytest.mark.parametrize("dataset", PICTURES)
def test_recipes_for_pictures_can_be_built_and_nothing_else_has_changed(dataset):
    recipe = named("pictures", dataset)
    assert recipe.dataset == dataset and recipe.rule == "Adam"
    assert recipe.t_per_image and recipe.stratified_t and recipe.ema >= 0.999
    shape = {"spatial_width": {"MNIST": 28, "BARK4": 64}.get(dataset, 32)}
    shape["n_colors"] = 3 if dataset == "CIFAR10" else 1
    args = {**recipe.model_args, **shape}
    model = dataclasses.replace(recipe, model_args=args).build_model()
    assert model.trajectory_length == (500 if dataset == "BARK4" else 1000)
    assert model.mlp.dtype == "float32"
    convolutions = model.mlp.mlp_conv is not None
    assert convolutions == (dataset != "MNIST")
    assert (model.weighting == "between") != convolutions
    assert recipe.fresh == (dataset in ("DEAD_LEAVES", "BARK4"))
    for name in ("reference", "paper", "ours", "quick"):  # all off, as they were
        older = named(name, dataset)
        assert (older.ema, older.stratified_t, older.fresh) == (0, False, False)
        assert older.symmetries == "none"
        assert older.model_args.get("weighting") not in ("apart", "between")
        assert older.model_args.get("guess_tails") is None
        assert older.model_args.get("upsampling", "repeat") == "repeat"


def test_no_other_set_of_images_has_them():
    with pytest.raises(ValueError, match="unknown recipe of DIGITS 'pictures'"):
        named("pictures", "DIGITS")


def test_a_weighted_cost_is_not_shown_as_the_bound():
    by_bound, by_picture = named("reference", "MNIST"), named("ours", "MNIST")
    assert by_picture.model_args["weighting"] == "picture"
    assert by_bound.cost_name == "K - L_null"
    assert by_picture.cost_name == "weighted K - L_null"
    between = named("pictures", "MNIST")
    assert between.cost_name == "weighted K - L_null"
    apart = {**between.model_args, "weighting": "apart"}
    apart = dataclasses.replace(between, model_args=apart)
    assert apart.cost_name == "K - L_null"  # which its cost is


def test_a_recipe_says_which_it_is():
    ours = named("ours", "MNIST")
    assert name_of(ours) == ("ours", [])
    assert name_of(dataclasses.replace(ours, seed=3)) == ("ours", ["seed"])
    model_args = {**ours.model_args, "guess_limit": 0.1, "spatial_width": 28}
    assert name_of(dataclasses.replace(ours, model_args=model_args)) == ("ours", [])
    assert name_of(ImageRecipe("CIFAR10")) == ("reference", [])
    assert name_of(named("pictures", "MNIST")) == ("pictures", [])
    assert name_of(named("wide", "SWISS_ROLL"))[0] == "wide"
    assert name_of(named("quick", "HEARTBEAT")) == ("quick", [])
