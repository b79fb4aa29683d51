"""All recipes by data set and name.

Every set of images has the same four: "reference", the 2015 code's default model and
training; "paper", the model as the paper prints it; "ours", bettered by what has been
learned since; and "quick", ours with fewer steps. Some have a fifth, "pictures":
larger, and trained for hours, by the bound and for the look of samples at once. A set
of images that is not named here has the four, with the same layers as textures. Which
pathways a network has and how many steps is said in Section 3.2 and Appendix D.2;
widths, step rule and lengths of training are not, and fit two processor cores here.
"""

import dataclasses

from dpm.blocks.checks import check_choice
from dpm.blocks.settings import defaults_of, listed
from dpm.datasets.catalogue import SOURCES, settings_of
from dpm.model import argument_types, model_arguments
from dpm.recipes.heartbeat import NAMED as HEARTBEAT
from dpm.recipes.heartbeat import HeartbeatRecipe
from dpm.recipes.images import ImageRecipe
from dpm.recipes.swiss_roll import NAMED as SWISS_ROLL
from dpm.recipes.swiss_roll import SwissRollRecipe
from dpm.variants import VARIANTS

TOYS = {  # the kind of recipe, and those with a name: the first where none is given
    "SWISS_ROLL": (SwissRollRecipe, SWISS_ROLL),
    "HEARTBEAT": (HeartbeatRecipe, HEARTBEAT),
}
CAREFUL = {  # how our recipes train, where nothing else is said
    "rule": "Adam",
    "t_per_image": True,
}
DENSE = {  # the dense pathway alone
    "variant": "paper",
    "sum_over_t": "random",
    "n_hidden_conv": 0,
    "n_layers_conv": 0,
    "n_hidden_dense_lower": 1200,
    "n_layers_dense_lower": 3,
    "n_hidden_dense_lower_output": 2,
    "dense_start": "pixels",
    "mean": "guess",
    "weighting": "picture",
    "learn_beta": False,
    "beta_start": "log_snr",
    "step1_beta": 3e-4,
    "final_log_snr": -7.0,
}
# Multi-scale convolutions. Of dead leaves leaky ReLU, as in the 2015 code, had a K
# higher by 1.6 bits a pixel than the paper's softplus after 75 s on one core.
CONVOLUTIONS = {
    "variant": "paper",
    "sum_over_t": "random",
    "n_scales": 3,
    "n_hidden_conv": 20,
    "n_layers_conv": 4,
    "n_hidden_dense_lower": 0,
    "n_layers_dense_lower": 0,
    "conv_nonlinearity": "leaky_relu",
    "conv_start": "pixels",
    "mean": "forward",
    "beta_start": "log_snr",
}
TEXTURE = ImageRecipe(
    "TEXTURE",
    batch_size=8,
    learning_rate=2e-3,
    decay_steps=10_000,
    model_args={**CONVOLUTIONS, "trajectory_length": 500, "n_scales": 4},
    data_args={"width": 64},
    **CAREFUL,
)
OURS = {
    "MNIST": ImageRecipe(
        "MNIST",
        batch_size=128,
        learning_rate=1e-3,
        decay_steps=70_000,
        model_args={**DENSE, "trajectory_length": 1000},
        **CAREFUL,
    ),
    "CIFAR10": ImageRecipe(
        "CIFAR10",
        batch_size=32,
        decay_steps=8_000,
        rule="RMSProp",
        t_per_image=True,
        model_args={
            **CONVOLUTIONS,
            "trajectory_length": 1000,
            "n_hidden_dense_lower": 300,
            "n_layers_dense_lower": 2,
        },
    ),
    "DEAD_LEAVES": ImageRecipe(
        "DEAD_LEAVES",
        batch_size=16,
        learning_rate=2e-3,
        decay_steps=56_000,
        model_args={
            **CONVOLUTIONS,
            "trajectory_length": 1000,
            "step1_beta": 3e-4,
            "n_scales": 4,
            "n_hidden_conv": 32,
            "n_layers_conv": 6,
            "n_hidden_dense_upper": 40,
        },
        data_args={"noise": 4.0},
        **CAREFUL,
    ),
    "TEXTURE": TEXTURE,
    "BARK": dataclasses.replace(TEXTURE, dataset="BARK"),
    "BARK4": dataclasses.replace(TEXTURE, dataset="BARK4"),
}
DIGITS = ImageRecipe(
    "DIGITS",
    batch_size=128,
    learning_rate=2e-3,
    decay_steps=3_000,
    t_per_image=True,
    model_args={
        "trajectory_length": 100,
        "n_hidden_dense_lower": 200,
        "n_layers_conv": 3,
        "n_layers_dense_lower": 3,
    },
)
OURS["DIGITS"] = DIGITS
FINE = {  # from noise that is fainter to less of a picture at the end, no blocks
    "trajectory_length": 1000,
    "learn_beta": False,
    "step1_beta": 1e-4,
    "final_log_snr": -9.0,
    "upsampling": "linear",
}
LONG = {**CAREFUL, "stratified_t": True, "ema": 0.999}
PICTURES = {
    # After 4000 steps of 1200 units, one run each, K - L_null in bits a pixel and the
    # squared error of the picture at a log SNR of 1: weighting "picture" 4.0 and 0.052,
    # with tails 5.7 and 0.055; with tails by the bound 6.0 and 0.050, "between" 6.0 and
    # 0.042, and with leaky ReLU in place of tanh 5.6 and 0.035.
    "MNIST": ImageRecipe(
        "MNIST",
        batch_size=128,
        learning_rate=1e-3,
        decay_steps=60_000,
        model_args={
            **DENSE,
            "weighting": "between",
            "guess_tails": 4.0,
            "dense_nonlinearity": "leaky_relu",
            "trajectory_length": 1000,
            "n_hidden_dense_lower": 1600,
            "n_hidden_dense_lower_output": 4,
            "step1_beta": 1e-5,
            "final_log_snr": -9.0,
        },
        **LONG,
    ),
    # By the bound, both: after 1000 steps of smaller nets, one run each, K - L_null of
    # CIFAR-10 was 11.1 bits a pixel, 8.6 with mean "guess" and 5.0 with "apart" too; of
    # dead leaves, 2400 steps, 2.50 with "guess", 2.37 without and 1.78 with "apart".
    "CIFAR10": ImageRecipe(
        "CIFAR10",
        batch_size=32,
        learning_rate=1e-3,
        decay_steps=60_000,
        symmetries="mirror",
        model_args={
            **CONVOLUTIONS,
            **FINE,
            "n_scales": 4,
            "n_hidden_conv": 48,
            "n_layers_conv": 5,
            "n_hidden_dense_lower": 600,
            "n_layers_dense_lower": 2,
            "n_hidden_dense_lower_output": 4,
            "n_layers_dense_upper": 3,
            "n_hidden_dense_upper": 64,
        },
        **LONG,
    ),
    "DEAD_LEAVES": ImageRecipe(
        "DEAD_LEAVES",
        batch_size=16,
        learning_rate=1e-3,
        decay_steps=75_000,
        symmetries="eight",
        fresh=True,
        model_args={
            **CONVOLUTIONS,
            **FINE,
            "step1_beta": 3e-5,  # costs 0.006 bits a pixel, 1e-4 has 0.020
            "mean": "guess",
            "n_scales": 4,
            "n_hidden_conv": 64,
            "n_layers_conv": 8,
            "n_hidden_dense_upper": 100,
        },
        data_args={"noise": 4.0},
        **LONG,
    ),
    # The coarsest of five scales works on squares of 16 pixels, so that four layers see
    # 124 pixels and more: the middle of a hole of 100 is 50 from its rim. Four patches
    # a step of 128 x 128, or eight of 96 x 96, cost the same; K - L_null of 300 steps
    # on held-out squares of 256 was lower: 1.75 and 1.88 bits a pixel, for 1.95. With
    # mean "guess" it was 1.83 (one run each). The steps of grey from a pixel to its
    # right neighbour are as skewed as to its left (below 0.12), so that a mirror makes
    # more bark; those from above are not the same as from below (oak: -0.35).
    "BARK4": ImageRecipe(
        "BARK4",
        batch_size=16,
        learning_rate=1e-3,
        decay_steps=60_000,
        symmetries="mirror",
        fresh=True,
        model_args={
            **CONVOLUTIONS,
            **FINE,
            "trajectory_length": 500,
            "n_scales": 5,
            "n_hidden_conv": 48,
        },
        data_args={"width": 64, "n_train": 10_000, "n_test": 1_000},
        **LONG,
    ),
}
QUICK_STEPS = {"MNIST": 6_000, "DEAD_LEAVES": 6_000}  # of others 3,000
SIZES = (  # what "paper" takes over from "ours": how large a model is, not what it is
    "trajectory_length",
    "n_scales",
    "n_hidden_conv",
    "n_layers_conv",
    "n_hidden_dense_lower",
    "n_layers_dense_lower",
    "n_hidden_dense_lower_output",
    "n_hidden_dense_upper",
    "n_layers_dense_upper",
)
DECIDED = {"spatial_width", "n_colors", "uniform_noise"}  # by the data
IMAGE_RECIPES = ("reference", "paper", "ours", "quick")


def names(dataset: str) -> list[str]:
    """Names of the recipes of a data set, the one that is used if none is named first.

    Raises
    ------
    ValueError
        If there is no such data set; the message lists those there are.
    """
    check_choice(dataset, sorted(SOURCES), "dataset")
    if dataset in TOYS:
        return list(TOYS[dataset][1])
    return [*IMAGE_RECIPES, *["pictures"] * (dataset in PICTURES)]


def all_names() -> list[str]:
    """Names of recipes, of whatever data set."""
    return sorted({name for dataset in SOURCES for name in names(dataset)})


def named(name: str, dataset: str):
    """The recipe of a name for a data set.

    Parameters
    ----------
    name : str
        Of `names`: "reference", "paper", "ours", "quick" or "pictures" for images.
    dataset : str
        Of `dpm.datasets.catalogue.SOURCES`.
    """
    check_choice(name, names(dataset), f"recipe of {dataset}")
    if dataset in TOYS:
        return TOYS[dataset][1][name]
    if name == "reference":
        return ImageRecipe(dataset)
    if name == "pictures":
        return PICTURES[dataset]
    ours = OURS.get(dataset) or dataclasses.replace(
        TEXTURE, dataset=dataset, data_args={}
    )
    if name == "ours":
        return ours
    if name == "quick":
        return dataclasses.replace(ours, decay_steps=QUICK_STEPS.get(dataset, 3_000))
    sizes = {k: v for k, v in ours.model_args.items() if k in SIZES}
    as_printed = {"variant": "paper", "sum_over_t": "random", **sizes}
    return dataclasses.replace(ours, model_args=as_printed)


def kind(dataset: str) -> type:
    """The kind of recipe that a data set has, or ValueError for an unknown one."""
    check_choice(dataset, sorted(SOURCES), "dataset")
    return TOYS[dataset][0] if dataset in TOYS else ImageRecipe


def name_of(recipe) -> tuple[str, list[str]]:
    """The named recipe that another one is nearest to, and the settings that differ.

    What the data decide, such as the width of images, does not count, nor does
    `guess_limit`, which is set when a model is scored.
    """
    found = []
    for name in names(recipe.dataset):
        one, other = (_flat(r) for r in (named(name, recipe.dataset), recipe))
        keys = sorted((one.keys() | other.keys()) - DECIDED - {"guess_limit"})
        found.append((name, [k for k in keys if one.get(k) != other.get(k)]))
    return min(found, key=lambda pair: len(pair[1]))


def _flat(recipe) -> dict:
    """All settings of a recipe by name, those of its model and data among them."""
    settings = dataclasses.asdict(recipe)
    more = settings.pop("model_args", {}), settings.pop("data_args", {})
    return {**settings, **more[0], **more[1]}


def settings_in_words(recipe: ImageRecipe) -> str:
    """What --data-args and --model-args may name, with the defaults of a recipe."""
    name, chosen = recipe.dataset, recipe.model_args
    data = defaults_of(SOURCES[name].load) | recipe.data_args
    variant = VARIANTS[chosen.get("variant", "reference")]
    model = {k: v for k, v in argument_types().items() if k not in DECIDED}
    return (
        f"\n--data-args of {name}:\n"
        + (listed(settings_of(name), data) or "  none\n")
        + "\n--model-args, of DiffusionModel:\n"
        + listed(model, model_arguments() | variant | chosen)
    )


def recipe_of(meta: dict):
    """The recipe that a checkpoint's description holds, or raise ValueError."""
    try:
        saved = meta["recipe"]
        return kind(saved["dataset"])(**saved)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"the checkpoint is of another kind of model ({error})"
        ) from None
