"""Where learning starts, and what else may be chosen of a model of images."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats
from small_images import GUESSED

from dpm import evaluation, variants
from dpm.blocks.backend import numbers, precision
from dpm.diffusion import schedule
from dpm.model import DiffusionModel
from dpm.variants import CHOICES, VARIANTS


def images(n, model, rng):
    return rng.standard_normal((n, *model.sample_shape))


def constant(array):
    return pt.as_tensor(np.asarray(array))


def small(**more):
    """A small model, with two colours where nothing else is said."""
    sizes = dict(n_temporal_basis=3, n_hidden_dense_lower=5, n_hidden_dense_upper=4)
    sizes |= dict(n_hidden_conv=3, n_layers_conv=2, n_layers_dense_lower=2, n_scales=2)
    return DiffusionModel(4, **{"n_colors": 2, "trajectory_length": 6, **sizes, **more})


def test_choices_of_both_variants_are_known():
    for choices in VARIANTS.values():
        numbers = {"bump_width", "final_log_snr", "guess_limit", "guess_tails"}
        assert choices.keys() - numbers == CHOICES.keys()
    paper = small(variant="paper", mean="forward")
    assert (paper.mean, paper.sum_over_t) == ("forward", "exact")


@pytest.mark.parametrize("name", ["guess_limit", "guess_tails"])
def test_a_limit_and_tails_are_for_a_guess_and_positive(name):
    with pytest.raises(ValueError, match=f"{name} = 0.1 is for mean = 'guess'"):
        small(mean="forward", **{name: 0.1})
    with pytest.raises(ValueError, match=f"{name} = 0: it must be positive"):
        small(mean="guess", **{name: 0})
    assert getattr(small(mean="guess", **{name: 0.1}), name) == 0.1


@pytest.mark.parametrize("freedom", [1.0, 4.0])
def test_a_guess_with_tails_is_as_wide_as_its_variance_once_x_is_seen(freedom):
    """Against the mean of w over its posterior, where x has next to no noise."""
    z, deviation, noise = 0.3, 0.2, 1e-6
    for x in (0.3, 0.5, 3.0):
        widened = variants.widened(z, deviation, x, noise, freedom).eval()

        def weight(w, power):
            seen = stats.norm.pdf(x, z, deviation / np.sqrt(w))  # noqa: B023
            prior = stats.gamma.pdf(w, freedom / 2, scale=2 / freedom)
            return w**power * seen * prior

        moments = [
            integrate.quad(weight, 0, np.inf, power, epsabs=0, limit=200)[0]
            for power in (0, 1)
        ]
        mean = moments[1] / moments[0]
        assert widened**2 == pytest.approx(deviation**2 / mean, rel=1e-6)


def test_the_dense_pathway_can_start_with_each_pixel_as_its_own_feature():
    for n_colors, n_features in ((1, 3), (2, 2)):
        model = small(
            n_colors=n_colors,
            n_hidden_conv=0,
            n_hidden_dense_lower=70,
            n_hidden_dense_lower_output=n_features,
            n_layers_dense_lower=3,
            dense_nonlinearity="tanh",
            dense_start="pixels",
        )
        model.initialize(np.random.default_rng(1))
        X = 1e-3 * images(2, model, np.random.default_rng(0))  # where tanh is linear
        features = numbers(model.mlp._lower(constant(X), lambda X: X))
        for c in range(n_colors):
            np.testing.assert_allclose(
                features[..., c], 0.5 * X[:, c], rtol=1e-4, atol=1e-9
            )
        if n_features > n_colors:  # the others are random
            assert not np.allclose(features[..., 1], 0.5 * X[:, 0], rtol=0.5)


@pytest.mark.parametrize("nonlinearity", ["leaky_relu", "softplus", "tanh"])
def test_convolutions_can_start_by_passing_pixels_on(nonlinearity):
    def slope(start):
        """How much of one pixel's own noise the features keep."""
        model = small(
            n_hidden_conv=20, n_hidden_dense_lower=0, n_layers_conv=3, n_scales=2,
            conv_start=start, conv_nonlinearity=nonlinearity, variant="paper",
        )  # fmt: skip
        model.initialize(np.random.default_rng(1))
        X = images(1, model, np.random.default_rng(0))
        bumped = X.copy()
        bumped[0, 0, 2, 2] += 1e-3
        both = np.concatenate([X, bumped])
        before, after = numbers(model.mlp._lower(constant(both), lambda X: X))
        return np.linalg.norm((after - before)[2, 2]) / 1e-3

    assert slope("isotropic") < 0.1 < 0.4 < slope("pixels") < 3


def test_rates_can_start_from_either_schedule():
    from dpm.diffusion import schedule

    T, first = 50, 3e-4
    for start, rates in (
        ("baseline", schedule.baseline),
        ("log_snr", schedule.log_snr),
    ):
        for learn in (False, True):
            model = DiffusionModel(
                4, 1, T, n_hidden_conv=2, n_hidden_dense_lower=0, step1_beta=first,
                beta_start=start, learn_beta=learn,
            )  # fmt: skip
            model.initialize(np.random.default_rng(0))
            found, expected = numbers(model.beta_arr), rates(T, first)
            np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-3)
            assert found[0] == pytest.approx(expected[0], rel=0.01)


def test_the_rates_of_equal_steps_end_where_they_are_told():
    from dpm.diffusion import schedule

    for learn in (False, True):
        model = small(beta_start="log_snr", final_log_snr=-8.0, learn_beta=learn)
        model.initialize(np.random.default_rng(0))
        expected = schedule.log_snr(6, 1e-3, -8.0)
        np.testing.assert_allclose(
            numbers(model.beta_arr)[1:], np.minimum(expected, 1 - 2e-5)[1:], rtol=1e-3
        )
    with pytest.raises(ValueError, match="final_log_snr = -8 is for beta_start"):
        small(beta_start="baseline", final_log_snr=-8.0)
    with pytest.raises(ValueError, match="final_log_snr = 20 is not below"):
        small(beta_start="log_snr", final_log_snr=20.0)


def test_a_tiny_first_rate_and_a_faint_end_keep_their_digits_in_single_precision():
    """What `pictures` of MNIST asks for: steps of 2e-7, b_T 1e-4 from 1."""
    KL, rates = [], schedule.log_snr(1000, 1e-5, -9.0)
    assert rates[0] == pytest.approx(1e-5) and 2.0e-7 < rates[1] < 2.1e-7
    remains = np.log(np.prod(1 - rates) / -np.expm1(np.log1p(-rates).sum()))
    assert remains == pytest.approx(-9, abs=1e-6)
    rng = np.random.default_rng(0)
    X, noise = rng.standard_normal((4, 32)), rng.standard_normal((6, 4, 2, 4, 4))
    times = np.array([[1], [2], [30], [500], [998], [999]])
    for dtype in ("float64", "float32"):
        with precision(dtype):
            model = small(
                **{**GUESSED, "trajectory_length": 1000},
                step1_beta=1e-5,
                final_log_snr=-9.0,
            )
        model.initialize(np.random.default_rng(1))
        found = numbers(model.beta_arr)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, rates, rtol=2e-7)
        compute = evaluation.compile_bound(model, 4, (6, 1))
        found = compute(X.astype(dtype), noise.astype(dtype), times)
        KL.append(np.asarray(found[1]))
    assert KL[1].dtype == np.float32
    np.testing.assert_allclose(KL[1], KL[0], rtol=5e-3, atol=1e-5)
