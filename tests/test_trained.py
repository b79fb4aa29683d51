"""The door for Python: pictures in, pictures out, and one clear error for the rest."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

import dpm
from dpm import datasets, trained
from dpm.blocks.backend import numbers
from dpm.recipes import ImageRecipe, named
from dpm.runs import load_run
from dpm.sampler import compile_get_mu_sigma

ROOT = Path(__file__).parents[1]
SMALL = dict(
    trajectory_length=6,
    n_temporal_basis=3,
    n_hidden_conv=2,
    n_layers_conv=1,
    n_hidden_dense_lower=4,
    n_hidden_dense_upper=4,
)


@pytest.fixture(scope="module")
def digits():
    """A model of scikit-learn's digits, trained for two steps."""
    recipe = ImageRecipe("DIGITS", batch_size=8, model_args=SMALL)
    return dpm.fit(recipe, n_steps=2, progress=False)


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A model of coloured pictures in a folder, by the name of the data set."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    data_args = {"path": str(folder), "width": 8, "grey": False, "how": "resize"}
    return dpm.fit(
        "IMAGES", data_args=data_args, model_args=SMALL, batch_size=4, n_steps=2,
        progress=False,
    )  # fmt: skip


def test_what_comes_out_are_pictures(digits, colours):
    X = digits.sample(3, seed=0, progress=False)
    assert X.shape == (3, 8, 8) and X.min() >= 0 and X.max() <= 1
    np.testing.assert_allclose(X * 16, np.rint(X * 16))  # of 17 grey levels
    np.testing.assert_array_equal(X, digits.sample(3, seed=0, progress=False))
    assert not np.array_equal(X, digits.sample(3, seed=1, progress=False))
    assert colours.sample(2, progress=False).shape == (2, 8, 8, 3)


def test_units_go_in_and_come_out_the_same(digits, colours):
    rng = np.random.default_rng(1)
    for model in (digits, colours):
        images = rng.random((4, *model.shape))
        np.testing.assert_allclose(model.noised(images, 0), images, atol=1e-12)
        eight = np.rint(images * 255).astype(np.uint8)
        np.testing.assert_allclose(model.noised(eight, 0), eight / 255, atol=1e-12)
    data = datasets.load("DIGITS")
    pixels = (data.X_test[:5] * data.scale + data.shift).reshape(5, 8, 8).clip(0, 1)
    inside = digits._in(pixels).reshape(5, -1)
    np.testing.assert_allclose(inside, data.X_test[:5], atol=1e-6)


def test_noise_of_time_t_is_that_of_the_forward_process(digits):
    images, T = np.full((400, 8, 8), 0.5), digits.T
    b = 1 - np.cumprod(1 - np.asarray(numbers(digits.model.beta_arr), dtype=float))
    data = datasets.load("DIGITS")
    for t in (1, 3, T):
        X = (digits.noised(images, t, seed=t) - data.shift) / data.scale
        x0 = (0.5 - data.shift) / data.scale
        assert X.mean() == pytest.approx(x0 * np.sqrt(1 - b[t - 1]), abs=0.03)
        assert X.var() == pytest.approx(b[t - 1], rel=0.05)


def test_what_is_known_stays_and_noise_that_is_small_leaves_the_picture(digits):
    images = digits.sample(4, seed=2, progress=False)
    known = np.zeros((8, 8), bool)
    known[:, 3:] = True
    filled = digits.fill_in(images, known, seed=0, progress=False)
    np.testing.assert_allclose(filled[:, known], images[:, known], atol=1e-6)
    assert not np.allclose(filled[:, ~known], images[:, ~known], atol=0.05)
    each = np.broadcast_to(known, (4, 8, 8))
    again = digits.fill_in(images, each, seed=0, progress=False)
    np.testing.assert_array_equal(filled, again)
    for more in ({"known_noise": True}, {"repeats": 2}):  # other draws, what is known
        other = digits.fill_in(images, known, seed=0, progress=False, **more)
        np.testing.assert_allclose(other[:, known], images[:, known], atol=1e-6)
        assert not np.allclose(other[:, ~known], filled[:, ~known], atol=0.05)
    near = digits.denoise(images, 1e-4, progress=False)
    np.testing.assert_allclose(near, images, atol=2e-3)


def test_a_network_of_convolutions_takes_pictures_of_any_width(digits):
    """A model of another width has the same parameters, and sees as it did inside."""
    args = {**SMALL, "variant": "paper", "n_hidden_dense_lower": 0}
    recipe = ImageRecipe("DIGITS", batch_size=8, model_args=args)
    small = dpm.fit(recipe, n_steps=2, progress=False)
    wide = small.of_width(12)
    assert wide.shape == (12, 12) and wide.sample(1, progress=False).shape == (
        1,
        12,
        12,
    )
    np.testing.assert_equal(
        wide.model.get_parameter_values(), small.model.get_parameter_values()
    )
    X = np.random.default_rng(0).standard_normal((1, 1, 12, 12)).astype("float32")
    far, near = (
        compile_get_mu_sigma(m.model, 1)(x, 3)[0]
        for m, x in ((wide, X), (small, X[..., 2:10, 2:10]))
    )
    np.testing.assert_allclose(far[..., 3:9, 3:9], near[..., 1:7, 1:7], atol=1e-5)
    images = np.random.default_rng(0).random((3, 12, 12))
    assert np.isfinite(wide.score(images)["K"]["value"])
    with pytest.raises(ValueError, match=r"are \(n, 8, 8\)"):
        small.score(images)
    with pytest.raises(ValueError, match="width = 12: .* is of the places in pictures"):
        digits.of_width(12)
    with pytest.raises(ValueError, match="SWISS_ROLL has no pictures to widen"):
        dpm.load("swiss_roll_baseline_T5").of_width(12)


def test_a_straight_log_r_moves_the_samples(digits):
    def brighter(X):
        return 60.0 * X.mean(axis=(1, 2))

    plain = digits.sample(60, seed=3, progress=False)
    moved = digits.posterior(brighter, 60, seed=3, progress=False)
    assert moved.mean() > plain.mean() + 0.02


def test_scores_are_those_of_the_command(digits):
    data = datasets.load("DIGITS")
    pixels = (data.X_test * data.scale + data.shift).reshape(-1, 8, 8).clip(0, 1)
    scores = digits.score(pixels, all_t=True)
    from dpm.evaluation import evaluate

    expected = evaluate(digits.model, data, all_t=True)
    for name in ("K", "L_null", "K - L_null", "grey levels"):
        assert scores[name]["value"] == pytest.approx(expected[name]["value"], abs=1e-4)
        assert name in str(scores)
    assert "+-" in str(scores) and "bits/pixel" in str(scores)


def test_a_walk_begins_in_noise_and_ends_in_the_sample(digits):
    walk = dict(digits.walk(2, seed=0))
    assert list(walk) == list(range(6, -1, -1)) and walk[6].shape == (2, 8, 8)
    end = digits.sample(2, seed=0, progress=False)
    np.testing.assert_allclose(walk[0].clip(0, 1), end, atol=0.5 / 16 + 1e-6)


def test_kept_models_have_names_and_say_what_they_are():
    model = dpm.load("swiss_roll_learned_T5")
    text = repr(model)
    for words in (
        "SWISS_ROLL",
        "trajectory_length",
        "T = 5",
        "bits/point",
        "--schedule",
    ):
        assert words in text, text
    assert "<table>" in model._repr_html_()
    points = model.sample(5, progress=False)
    assert points.shape == (5, 2) and np.abs(points).max() > 3  # in the roll's units
    data = datasets.swiss_roll()
    there = data.X_test[:300] * data.scale + data.shift
    assert model.score(there)["L"]["value"] > model.score(there)["K"]["value"]
    dense = dpm.load(ROOT / "book" / "checkpoints" / "mnist_dense.npz")
    assert "recipe: ours" in repr(dense) and "--recipe ours" in repr(dense)


def test_bits_go_in_and_come_out():
    kept = "heartbeat"
    model = dpm.load(kept)
    beats = datasets.heartbeat().X_test
    assert set(np.unique(model.noised(beats, 1000))) <= {0, 1}
    with pytest.raises(ValueError, match="bits are 0 or 1"):
        model.noised(beats + 0.5, 3)


def test_the_readmes_lines_run_as_they_stand(monkeypatch):
    """With the kept model's 1000 steps cut to the last ones: they take a minute."""
    for page in ("README.md", "book/welcome.md"):
        text = (ROOT / page).read_text(encoding="utf8")
        code = re.search(r"```python\n(import dpm\n.*?)```", text, re.S)[1]
        scope: dict = {}
        load = dpm.load

        def shorter(name, load=load):
            model = load(name)
            model.sample = lambda n, seed: np.linspace(0, 1, n * 784).reshape(n, 28, 28)
            model._sample = lambda n, *_, **more: np.zeros((n, 1, 28, 28))
            return model

        monkeypatch.setattr(dpm, "load", shorter, raising=False)
        exec(code, scope)
        monkeypatch.undo()
        assert scope["filled"].shape == scope["digits"].shape == (16, 28, 28)


REFUSED = [
    (lambda m: m.score(np.zeros((2, 7, 8))), "this model's are (n, 8, 8)"),
    (lambda m: m.score(np.zeros((2, 8, 8, 3))), "this model's are (n, 8, 8)"),
    (lambda m: m.score(np.zeros((0, 8, 8))), "shape (0, 8, 8)"),
    (lambda m: m.score(np.full((2, 8, 8), 1.5)), "between 1.5 and 1.5"),
    (lambda m: m.score(np.full((2, 8, 8), -0.1)), "divide 8-bit values by 255"),
    (lambda m: m.score(np.full((2, 8, 8), np.nan)), "hold NaN"),
    (lambda m: m.score(np.zeros((2, 8, 8), int)), "of type int64"),
    (lambda m: m.score([["a"]]), "give uint8 from 0 to 255"),
    (lambda m: m.fill_in(np.zeros((2, 8, 8)), np.ones((8, 8), bool)), "everything is"),
    (lambda m: m.fill_in(np.zeros((2, 8, 8)), np.zeros((8, 8), bool)), "nothing is"),
    (lambda m: m.fill_in(np.zeros((2, 8, 8)), np.ones((8, 7), bool)), "shape (8, 7)"),
    (lambda m: m.fill_in(np.zeros((2, 8, 8)), np.eye(8) > 0, repeats=0), "repeats = 0"),
    (lambda m: m.fill_in(np.zeros((2, 8, 8)), np.ones((8, 8))), "give True and False"),
    (lambda m: m.denoise(np.zeros((2, 8, 8)), 0), "sigma = 0: it must be positive"),
    (lambda m: m.denoise(np.zeros((2, 8, 8)), -1.0), "sigma = -1.0"),
    (lambda m: m.denoise(np.zeros((2, 8, 8)), "x"), "sigma = 'x': give a number"),
    (lambda m: m.sample(0), "n = 0: it must be at least 1"),
    (lambda m: m.sample(1.5), "n = 1.5: it must be a whole number"),
    (lambda m: m.noised(np.zeros((2, 8, 8)), 7), "has 6 steps"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_bad_input_is_refused_in_one_line(number, digits):
    ask, match = REFUSED[number]
    with pytest.raises(ValueError, match=re.escape(match)) as error:
        ask(digits)
    assert len(str(error.value).splitlines()) == 1


def test_bad_names_and_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint at no_such_model"):
        dpm.load("no_such_model")
    with pytest.raises(ValueError, match="unknown dataset 'CATS'"):
        dpm.fit("CATS")
    with pytest.raises(ValueError, match="unknown recipe of MNIST 'best'"):
        dpm.fit("MNIST", "best")
    with pytest.raises(ValueError, match="'n_hiden' is not a setting of SwissRoll"):
        dpm.fit("SWISS_ROLL", n_hiden=3)
    with pytest.raises(ValueError, match="is for the name of a data set"):
        dpm.fit(named("paper", "SWISS_ROLL"), "wide")
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        dpm.lod  # noqa: B018


def test_a_toy_is_fitted_kept_and_read_again(tmp_path):
    settings = {"trajectory_length": 4, "n_hidden": 3, "batch_size": 8}
    first = dpm.fit(
        "SWISS_ROLL", n_steps=3, output_dir=tmp_path, progress=False, **settings
    )
    assert first.recipe.n_steps == 3 and first.recipe.trajectory_length == 4
    again, _, _ = load_run(tmp_path)
    for path, value in again.get_parameter_values().items():
        np.testing.assert_array_equal(value, first.model.get_parameter_values()[path])


def test_the_command_of_2015s_readme_builds_its_model():
    """Its CIFAR-10 line, as it stands there."""
    from dpm import train

    line = (
        "n_hidden_dense_lower=1000,n_hidden_dense_lower_output=5,n_hidden_conv=100,"
        "n_layers_conv=6,n_layers_dense_lower=6,n_layers_dense_upper=4,"
        "n_hidden_dense_upper=100"
    )
    words = ["--batch-size", "200", "--dataset", "CIFAR10", "--model-args", line]
    recipe = train.recipe_from_args(train.parse_args(words))
    assert recipe.batch_size == 200 and recipe.rule == "RMSProp"
    assert recipe.decay_steps == 0 and not recipe.t_per_image
    from dpm.regression import MLP_conv_dense

    args = recipe.model_args
    network = MLP_conv_dense(
        args["n_layers_conv"], args["n_layers_dense_lower"],
        args["n_layers_dense_upper"], args["n_hidden_conv"],
        args["n_hidden_dense_lower"], args["n_hidden_dense_lower_output"],
        args["n_hidden_dense_upper"], 32, 3, 1, 10,
    )  # fmt: skip
    shapes = {k: v.get_value().shape for k, v in network.parameters.items()}
    filters = [s for k, s in shapes.items() if k.endswith("convolutional.W")]
    assert filters == [(100, 3, 3, 3), *[(100, 100, 3, 3)] * 5]
    lower = [s for k, s in shapes.items() if "dense lower" in k and k.endswith("W")]
    assert lower == [(3072, 1000), *[(1000, 1000)] * 4, (1000, 5120)]
    upper = [s for k, s in shapes.items() if "dense upper" in k and k.endswith("W")]
    assert upper == [(105, 100), (100, 100), (100, 100), (100, 60)]


def test_pictures_on_screen(digits):
    """What matplotlib shows is what came out."""
    import matplotlib.pyplot as plt

    assert matplotlib.get_backend().lower() == "agg"
    shown = plt.imshow(digits.sample(1, progress=False)[0], cmap="gray")
    assert shown.get_array().shape == (8, 8)
    plt.close("all")
    assert trained.KEPT.is_dir()
