"""The model of images against loops that spell out its equations."""

import json

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from dpm import datasets, evaluation, sampler
from dpm.blocks.backend import numbers, precision
from dpm.diffusion import factors, gaussian
from dpm.evaluation import estimates
from dpm.model import DiffusionModel
from dpm.variants import CHOICES

SMALL = dict(
    spatial_width=4,
    n_colors=2,
    trajectory_length=6,
    n_temporal_basis=3,
    n_hidden_dense_lower=5,
    n_hidden_dense_upper=4,
    n_hidden_conv=3,
    n_layers_conv=2,
    n_layers_dense_lower=2,
    n_scales=2,
)


def small(rng=None, **more):
    """A small model with parameters that are not what they start from."""
    model = DiffusionModel(**{**SMALL, **more})
    rng = rng or np.random.default_rng(0)
    for variable in model.parameters.values():
        shape = variable.get_value().shape
        variable.set_value(0.3 * rng.standard_normal(shape).astype(model.dtype))
    return model


def images(n, model, rng):
    return rng.standard_normal((n, *model.sample_shape))


def constant(array):
    return pt.as_tensor(np.asarray(array))


# -- Eqs. 62 to 65 -----


@pytest.mark.parametrize("bump_width", [0.5, 1.0])
def test_bumps_are_eq_63(bump_width):
    T, J = 30, 4
    g = small(trajectory_length=T, n_temporal_basis=J, bump_width=bump_width)
    centers = [j * (T - 1) / (J - 1) for j in range(J)]
    w = bump_width * (T - 1) / (J - 1)
    for t in range(T):
        bumps = [np.exp(-((t - tau) ** 2) / (2 * w**2)) for tau in centers]
        expected = np.array(bumps) / sum(bumps)
        np.testing.assert_allclose(g.temporal_basis[:, t], expected, rtol=1e-10)


def test_one_bump_is_constant():
    assert (small(n_temporal_basis=1).temporal_basis == 1).all()


def test_readout_is_eq_62():
    model, rng = small(), np.random.default_rng(1)
    w, c, J = 4, 2, 3
    Z = rng.standard_normal((2, w, w, c * 2 * J))
    for times in ([[2.0]], [[1.0], [4.0]]):
        mu, beta = (numbers(a) for a in model.temporal_readout(
            constant(Z), constant(times)))  # fmt: skip
        for n, y, x, color in np.ndindex(2, w, w, c):
            g = model.temporal_basis[:, int(times[n if len(times) > 1 else 0][0])]
            coefficients = Z[n, y, x].reshape(c, 2, J)
            assert mu[n, color, y, x] == pytest.approx(coefficients[color, 0] @ g)
            assert beta[n, color, y, x] == pytest.approx(coefficients[color, 1] @ g)


@pytest.mark.parametrize("times", [[[3.0]], [[1.0], [3.0], [5.0]], [[2.5]]])
@pytest.mark.parametrize("upper", [1, 2, 3])
def test_folding_the_readout_into_the_last_layer_changes_nothing(times, upper):
    model = small(n_layers_dense_upper=upper)
    X = constant(images(3, model, np.random.default_rng(2)))
    t = constant(times)
    slow = model.temporal_readout(model.mlp.apply(X), t)
    for a, b in zip(model.get_coefficients(X, t), slow, strict=True):
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("mean", CHOICES["mean"])
@pytest.mark.parametrize("scaled", [True, False])
def test_mean_and_variance_are_eqs_64_and_65_or_the_references_or_a_guess(mean, scaled):
    model = small(mean=mean, scale_beta_coeff=scaled)
    X = images(3, model, np.random.default_rng(3))
    t = 4
    z_mu, z_Sigma = (
        numbers(a) for a in model.get_coefficients(constant(X), constant([[float(t)]]))
    )
    beta = float(numbers(model.beta_arr)[t])
    if scaled:
        z_Sigma = z_Sigma / np.sqrt(model.trajectory_length)
    Sigma = 1 / (1 + np.exp(-z_Sigma) * (1 - beta) / beta)
    c = float(numbers(model.beta_cumulative)[t - 1])
    precisions = 1 / c, (1 - beta) / beta  # of x^(t-1), given the picture and given x^t
    b = float(numbers(model.beta_cumulative)[t])
    guess, says = np.exp(-3 * z_Sigma), (1 - b) / b  # precisions of x^0
    x0 = (guess * z_mu + says * X / np.sqrt(1 - b)) / (guess + says)
    points = np.sqrt(1 - c) * x0, X / np.sqrt(1 - beta)
    if mean == "guess":
        slope = np.sqrt(1 - c) * precisions[0] / sum(precisions)
        Sigma = 1 / sum(precisions) + slope**2 / (guess + says)
    expected = {
        "guess": sum(map(np.multiply, precisions, points)) / sum(precisions),
        "equilibrium": (X - z_mu) * (1 - Sigma) + z_mu,
        "forward": X * np.sqrt(1 - beta) + z_mu * np.sqrt(beta),
    }
    mu, sigma = model.get_mu_sigma(constant(X), constant([[float(t)]]))
    np.testing.assert_allclose(numbers(sigma) ** 2, Sigma, rtol=1e-10)
    np.testing.assert_allclose(numbers(mu), expected[mean], rtol=1e-10, atol=1e-12)


def test_a_guess_with_tails_stands_back_where_it_is_wrong():
    """As without tails for the same z, but its variance grows with the surprise."""
    plain, tailed = (
        small(mean="guess", scale_beta_coeff=False, guess_tails=nu)
        for nu in (None, 3.0)
    )
    b = float(numbers(plain.beta_cumulative)[4])
    t, z, e = constant([[4.0]]), np.array([[[[0.0]]]]), np.array([[[[0.01]]]])
    for away in (0.0, 20.0):
        seen = np.sqrt(0.01 + b / (1 - b)) * away  # so many deviations
        X = constant(np.sqrt(1 - b) * (z + seen))
        e_seen = e * (3.0 + away**2) / 4.0
        found = tailed.take_coefficients(X, t, constant(z), constant(np.log(e) / 3))
        same = plain.take_coefficients(X, t, constant(z), constant(np.log(e_seen) / 3))
        for a, b_ in zip(found, same, strict=True):
            np.testing.assert_allclose(numbers(a), numbers(b_), rtol=1e-9)


def test_a_limited_guess_is_at_least_so_precise():
    model = small(mean="guess", scale_beta_coeff=False)
    X = images(3, model, np.random.default_rng(3))
    at = constant(X), constant([[4.0]])
    free_mu, free_sigma = (numbers(a) for a in model.get_mu_sigma(*at))
    z, z_Sigma = (numbers(a) for a in model.get_coefficients(*at))
    variance = np.exp(3 * z_Sigma)
    limit = float(np.median(variance)) * 0.999
    within = variance < limit
    assert 0.3 < within.mean() < 0.7
    model.limit_guess(limit)
    mu, sigma = (numbers(a) for a in model.get_mu_sigma(*at))
    np.testing.assert_array_equal(mu[within], free_mu[within])
    np.testing.assert_array_equal(sigma[within], free_sigma[within])
    beta, b, c = (
        float(numbers(v)[k])
        for v, k in (
            (model.beta_arr, 4),
            (model.beta_cumulative, 4),
            (model.beta_cumulative, 3),
        )
    )
    v = b / (1 - b)
    x0 = (v * z + limit * X / np.sqrt(1 - b)) / (v + limit)
    slope = np.sqrt(1 - c) * beta / b
    expected = slope * x0 + np.sqrt(1 - beta) * c / b * X
    np.testing.assert_allclose(mu[~within], expected[~within], rtol=1e-9, atol=1e-12)
    variance = beta * c / b + slope**2 * limit * v / (limit + v)
    np.testing.assert_allclose(sigma[~within] ** 2, variance, rtol=1e-9)


def test_a_shared_limit_is_read_anew_by_what_was_compiled():
    model = small(mean="guess", scale_beta_coeff=False)
    X = images(3, model, np.random.default_rng(3))
    limit = pytensor.shared(20.0)
    model.limit_guess(limit)
    step = sampler.compile_get_mu_sigma(model, 3)
    for value in (20.0, 1e-3):
        limit.set_value(value)
        found = step(X, 4)
        model.limit_guess(value)
        expected = model.get_mu_sigma(constant(X), constant([[4.0]]))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b.eval(), rtol=1e-9)


def test_between_whole_steps_the_schedule_is_interpolated():
    model = small()
    beta = numbers(model.beta_arr)
    at = numbers(model.get_beta_forward(constant([[2.25], [5.0]]))).ravel()
    np.testing.assert_allclose(at, [0.75 * beta[2] + 0.25 * beta[3], beta[5]])


# -- the network -----


def test_tied_biases_carry_a_model_from_patches_to_a_larger_picture():
    """Away from the frame a patch gets what the picture around it gets."""
    options = dict(n_hidden_dense_lower=0, tied_biases=True, n_scales=1)
    patch, picture = small(**options), small(**options, spatial_width=12)
    values = patch.get_parameter_values()
    picture.set_parameter_values(values)
    X = images(1, picture, np.random.default_rng(5))
    t = constant([[2.0]])
    whole = [numbers(a) for a in picture.get_mu_sigma(constant(X), t)]
    part = [numbers(a) for a in patch.get_mu_sigma(constant(X[:, :, 4:8, 4:8]), t)]
    for a, b in zip(whole, part, strict=True):  # two layers reach two pixels far
        np.testing.assert_allclose(a[:, :, 6, 6], b[:, :, 2, 2] * 1.0, rtol=0.2)
    wide = small(**options, spatial_width=8)
    wide.set_parameter_values(values)
    middle = [numbers(a) for a in wide.get_mu_sigma(constant(X[:, :, 2:10, 2:10]), t)]
    for a, b in zip(whole, middle, strict=True):
        np.testing.assert_allclose(a[:, :, 4:8, 4:8], b[:, :, 2:6, 2:6], rtol=1e-10)


def test_untied_biases_do_not_fit_another_width():
    with pytest.raises(ValueError, match="convolutional.b has shape"):
        small(spatial_width=8, n_hidden_dense_lower=0).set_parameter_values(
            small(n_hidden_dense_lower=0).get_parameter_values()
        )


@pytest.mark.parametrize(
    "off", [{"n_hidden_conv": 0}, {"n_layers_conv": 0}, {"n_hidden_dense_lower": 0}]
)
def test_either_pathway_works_alone(off):
    model = small(**off)
    paths = " ".join(model.parameters)
    assert ("multiscale" in paths) == ("n_hidden_dense_lower" in off)
    assert ("MLP dense lower" in paths) != ("n_hidden_dense_lower" in off)
    mu, sigma = model.get_mu_sigma(
        constant(images(2, model, np.random.default_rng(0))), constant([[1.0]])
    )
    assert np.isfinite(numbers(mu)).all() and (numbers(sigma) > 0).all()


# -- the bound -----


def draws(model, X, t, rng):
    shape = (len(X), *model.sample_shape)
    if t is None:
        shape = (model.trajectory_length - 1, *shape)
    noise = constant(rng.standard_normal(shape))
    return noise, None if t is None else constant(np.reshape(t, (-1, 1)) * 1.0)


def test_one_random_t_averages_to_the_exact_sum():
    model, rng = small(sum_over_t="exact"), np.random.default_rng(6)
    T, X = model.trajectory_length, rng.standard_normal((3, 32))
    noise = rng.standard_normal((T - 1, 3, *model.sample_shape))
    exact = float(numbers(model.cost(constant(X), [(constant(noise), None, None)])))
    for kind, factor in (("random", 1.0), ("reference", T / (T - 1))):
        one = small(sum_over_t=kind)
        some, t = pt.dtensor4(shape=(3, *model.sample_shape)), pt.dmatrix(shape=(1, 1))
        cost = one.cost(constant(X), [(some, t, None)])
        compute = pytensor.function(
            [some, t], [cost, one.get_KL(constant(X), some, t).mean()]
        )
        found = [compute(noise[k], [[k + 1.0]]) for k in range(T - 1)]
        costs, KLs = np.array(found, dtype=float).T
        extra = (factor - 1) * KLs.sum() / np.log(2) / 16  # a T'th of the sum too much
        assert np.mean(costs) == pytest.approx(exact + extra, rel=1e-10)


@pytest.mark.parametrize("times", [[2, 5, 1], [[3]], [[1], [4]], [[1, 5, 2]] * 2])
def test_stacked_draws_and_times_of_images_are_each_done_alone(times):
    """One t a sample, one for the batch, in each of two draws, or both."""
    model, rng = small(), np.random.default_rng(6)
    X, times = rng.standard_normal((3, 32)), np.array(times)
    draws = times.shape[:-1]
    noise = rng.standard_normal((*draws, 3, *model.sample_shape))
    each = np.broadcast_to(times, noise.shape[:-3])
    asked = constant(X.reshape(3, 2, 4, 4)), constant(noise), constant(times)
    KL, K = (numbers(f(*asked)) for f in (model.get_KL, model.get_bound))
    assert KL.shape == noise.shape[:-3] and K.shape == (3,)
    for place in np.ndindex(KL.shape):
        row = X[place[-1] :][:1]
        t = constant([[float(each[place])]])
        alone = model.cost_single_t(constant(row), constant(noise[place][None]), t)
        one = numbers(model.get_KL(constant(row), constant(noise[place][None]), t))
        assert KL[place] == pytest.approx(np.ravel(one)[0], rel=1e-10)
        n_terms = model.trajectory_length
        bits = n_terms * KL[place] / np.log(2) / 16
        mean_K = K[place[-1]] + 5 * KL.reshape(-1, 3).mean(axis=0)[place[-1]]
        ends = (-0.5 * 32 * np.log(2 * np.pi * np.e) - mean_K) / np.log(2) / 16
        assert float(numbers(alone)) == pytest.approx(ends + bits, rel=1e-9)


def test_cost_is_the_mean_over_several_draws():
    model, rng = small(), np.random.default_rng(7)
    X = rng.standard_normal((2, 32))
    some = [(*draws(model, X, t, rng), None) for t in (1, 4)]
    both = float(numbers(model.cost(constant(X), some)))
    each = [numbers(model.cost(constant(X), [d])) for d in some]
    assert both == pytest.approx(np.mean(each), rel=1e-12)


def test_dropout_reaches_the_network_in_either_sum():
    rng = np.random.default_rng(7)
    X = constant(rng.standard_normal((2, 32)))
    for kind, t in (("random", 3), ("exact", None)):
        model, met = small(sum_over_t=kind), []
        draw = (*draws(model, np.zeros((2, 32)), t, rng), None)
        model.cost(X, [draw], drop=lambda X, met=met: met.append(X) or X)
        assert len(met) == 6, kind  # two convolutions, two dense layers, two above


def test_an_isotropic_gaussian_model_of_gaussian_data_gains_nothing():
    """With z = 0 the reverse kernel is exact for data that are pi, up to the ends."""
    model = DiffusionModel(**{**SMALL, "trajectory_length": 200, "n_colors": 1})
    model.initialize(np.random.default_rng(0))
    for variable in model.parameters.values():
        variable.set_value(0 * variable.get_value())
    X = np.random.default_rng(1).standard_normal((4000, 16))
    K, _, _ = evaluation.estimate_bound(model, X, n_draws=100)
    gap, error = evaluation.mean_and_error(
        evaluation.bits_per_pixel_above_null(model, K)
    )
    assert gap == pytest.approx(0, abs=4 * error + 1e-3) and error < 0.02


def test_estimate_is_unbiased():
    model, rng = small(), np.random.default_rng(8)
    X = np.repeat(rng.standard_normal((1, 32)), 4000, axis=0)
    K, times, KL = evaluation.estimate_bound(model, X, n_draws=4, seed=1)
    assert times.min() == 1 and times.max() == 5 and KL.shape == (4, 4000)
    noise, _ = draws(model, X[:400], None, rng)
    exact = numbers(model.get_bound(constant(X[:400]), noise))
    spread = np.hypot(K.std() / 4000**0.5, exact.std() / 400**0.5)
    assert K.mean() == pytest.approx(exact.mean(), abs=4 * spread)


def test_a_last_batch_that_is_not_full_counts_once(monkeypatch):
    model = small()
    X = np.random.default_rng(8).standard_normal((70, 32))
    monkeypatch.setattr(estimates, "IMAGE_BATCH", 32)
    K, _, KL = evaluation.estimate_bound(model, X, n_draws=2)
    assert K.shape == (70,) and (KL > 0).all()  # every image was visited
    ends = K - np.mean(-(model.trajectory_length - 1) * KL, axis=0)
    np.testing.assert_allclose(ends, ends[0])  # its own divergences, and two entropies


def test_divergences_are_reported_at_their_own_steps():
    model = small()
    X = np.repeat(np.random.default_rng(8).standard_normal((1, 32)), 2000, axis=0)
    data = datasets.Dataset(
        "", X, X, np.zeros(1), 1.0, "pixel", image_shape=model.sample_shape
    )
    report = evaluation.evaluate(model, data)
    data.X_test = X[:1]  # two draws of five steps: some steps are not met
    few = evaluation.evaluate(model, data)["kl_per_step"]
    assert 3 <= few.count(None) <= 4 and json.dumps(few, allow_nan=False)
    rng = np.random.default_rng(9)
    for k in range(1, model.trajectory_length):
        KL = numbers(model.get_KL(constant(X[:500]), *draws(model, X[:500], k, rng)))
        expected = float(KL.mean()) / np.log(2) / 16
        assert report["kl_per_step"][k - 1] == pytest.approx(expected, rel=0.1)


def test_uniform_noise_hides_the_grey_levels():
    model, rng = small(uniform_noise=0.5), np.random.default_rng(9)
    X, t = rng.standard_normal((2, 32)), [[3.0]]
    noise, u = images(2, model, rng), rng.random((2, *model.sample_shape))
    with_noise = model.generate_forward_diffusion_sample(
        constant(X), constant(noise), constant(t), constant(u)
    )
    moved = X + 0.5 * (u.reshape(2, 32) - 0.5)
    by_hand = model.generate_forward_diffusion_sample(
        constant(moved), constant(noise), constant(t)
    )
    for a, b in zip(with_noise, by_hand, strict=True):
        np.testing.assert_allclose(numbers(a), numbers(b))


def test_learned_rates_start_at_the_baseline_and_have_the_right_slope():
    fixed, learned = small(), DiffusionModel(**SMALL, learn_beta=True)
    learned.initialize(np.random.default_rng(0))
    np.testing.assert_allclose(numbers(learned.beta_arr), numbers(fixed.beta_arr))
    rng = np.random.default_rng(10)
    model = small(learn_beta=True)
    c = model.schedule.beta_perturb_coefficients
    X = rng.standard_normal((2, 32))
    draw = (*draws(model, X, 3, rng), None)
    f = pytensor.function([], [
        model.cost(constant(X), [draw]),
        pt.grad(model.cost(constant(X), [draw]), c),
        model.beta_arr,
    ])  # fmt: skip
    _, slope, beta = (np.asarray(a) for a in f())
    start = c.get_value()
    for j in range(3):
        costs = []
        for sign in (1, -1):
            c.set_value(start + sign * 1e-6 * np.eye(3)[j])
            costs.append(float(f()[0]))
        by_differences = (costs[0] - costs[1]) / 2e-6
        assert by_differences == pytest.approx(slope[j], rel=1e-5, abs=1e-8)
    assert beta[0] == numbers(fixed.beta_arr)[0]  # beta_1 is not learned
    assert abs(beta[1:] - numbers(fixed.beta_arr)[1:]).max() > 1e-3


# -- precision, sampling, input -----


def test_single_precision_stays_single_and_agrees():
    double = small()
    with precision("float32"):
        single = small()
    rng = np.random.default_rng(11)
    X, noise = rng.standard_normal((5, 32)), rng.standard_normal((5, 2, 4, 4))
    results = {}
    for model in (double, single):
        x = pt.tensor("x", shape=(5, 32), dtype=model.dtype)
        n = pt.tensor("n", shape=noise.shape, dtype=model.dtype)
        t = pt.tensor("t", shape=(1, 1), dtype=model.dtype)
        cost = model.cost(x, [(n, t, None)])
        with precision(model.dtype):
            outputs = [cost, *pt.grad(cost, list(model.parameters.values()))]
            f = pytensor.function([x, n, t], outputs)
        inputs = (X, noise, np.array([[2.0]]))
        results[model.dtype] = f(*(a.astype(model.dtype) for a in inputs))
        for node in f.maker.fgraph.apply_nodes:
            for out in node.outputs:
                assert model.dtype == "float64" or out.type.dtype != "float64", node
    for a, b in zip(*results.values(), strict=True):
        assert b.dtype == "float32"
        np.testing.assert_allclose(b, a, rtol=2e-3, atol=2e-5)


def test_walk_of_a_model_that_learned_nothing_stays_at_pi():
    model = DiffusionModel(**SMALL)
    model.initialize(np.random.default_rng(0))
    for variable in model.parameters.values():
        variable.set_value(0 * variable.get_value())
    for t, X in sampler.reverse_trajectory(model, 500, np.random.default_rng(0)):
        assert X.shape == (500, 2, 4, 4)
        assert X.var() == pytest.approx(1, abs=0.05), t


def test_inpainting_keeps_what_is_known_and_denoising_stays_near():
    model, rng = small(), np.random.default_rng(12)
    X_true = rng.standard_normal((6, 2, 4, 4))
    mask = sampler.generate_inpaint_mask(6, 2, 4)
    X = sampler.sample(model, 6, rng, factors.Known(X_true, mask))
    known = mask.reshape(X.shape)
    assert known[..., 2:].all() and not known[..., :2].any()
    np.testing.assert_array_equal(X[known], X_true[known])
    assert (X[~known] != X_true[~known]).all()
    tight = sampler.sample(model, 6, rng, factors.Denoising(X_true, 1e-4))
    np.testing.assert_allclose(tight, X_true, atol=1e-3)


WALKS_OF_2015 = {
    "": {},
    "_denoise0.5": {"denoise_sigma": 0.5},
    "_inpaint": {"inpaint": True},
    "_denoise0.5_inpaint": {"denoise_sigma": 0.5, "inpaint": True},
}


@pytest.mark.parametrize("middle", list(WALKS_OF_2015))
def test_generate_samples_takes_the_steps_of_2015(middle, tmp_path):
    """Its files, beside a loop over `diffusion_step` from a start made by hand."""
    model, n, options = small(), 3, WALKS_OF_2015[middle]
    get_mu_sigma = sampler.compile_get_mu_sigma(model, n)
    X_true = images(n, model, np.random.default_rng(1)).astype(model.dtype)
    end = sampler.generate_samples(
        model,
        get_mu_sigma,
        n_samples=n,
        X_true=X_true.reshape(n, -1),
        base_fname_part1=tmp_path / "s",
        base_fname_part2="_end",
        num_intermediate_plots=1,
        seed=5,
        **options,
    )
    rng = np.random.default_rng(5)
    X = rng.standard_normal(X_true.shape).astype(model.dtype)
    sigma, mask = options.get("denoise_sigma"), None
    if sigma is not None:
        X = X_true + sigma * X
    if "inpaint" in options:
        mask = sampler.generate_inpaint_mask(n, 2, 4)
        X = np.where(mask.reshape(X.shape), X_true, X)
    XT, states = X, {"true": X_true, "t0006": X}
    for t in range(5, 0, -1):
        X = sampler.diffusion_step(X, t, get_mu_sigma, sigma, mask, XT, rng)
        states[f"t{t:04d}"] = X
    states["t0000"] = X
    kept = "true", "t0006", "t0004", "t0002", "t0000"  # every second of six steps
    names = {f"s{middle}_{name}_end" for name in kept}
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {name + ending for name in names for ending in (".png", ".npz")}
    for name in kept:
        path = tmp_path / f"s{middle}_{name}_end"
        with np.load(f"{path}.npz", allow_pickle=False) as file:
            np.testing.assert_allclose(file["X"], states[name], rtol=1e-5, atol=1e-6)
        picture = (tmp_path / f"{path.name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
    np.testing.assert_allclose(end, X, rtol=1e-5, atol=1e-6)


def test_generate_samples_draws_the_same_each_time_and_writes_no_truth(tmp_path):
    model = small()
    get_mu_sigma = sampler.compile_get_mu_sigma(model, 2)
    first, second = (
        sampler.generate_samples(
            model, get_mu_sigma, 2, base_fname_part1=f"{tmp_path}/{name}"
        )
        for name in "ab"
    )
    np.testing.assert_array_equal(first, second)
    times = [f"a_t{t:04d}.png" for t in range(7)]
    assert sorted(path.name for path in tmp_path.glob("a*.png")) == times


@pytest.mark.parametrize(
    "options, match",
    [
        ({"inpaint": True}, "give X_true: what to inpaint"),
        ({"denoise_sigma": 1.0}, "give X_true: what to denoise"),
        ({"inpaint": True, "X_true": np.zeros((1, 2, 4, 4))}, "X_true has shape"),
        ({"denoise_sigma": 0.0, "X_true": np.zeros((2, 2, 4, 4))}, "sigma = 0.0"),
        ({"num_intermediate_plots": -2}, "num_intermediate_plots = -2"),
    ],
)
def test_generate_samples_writes_nothing_when_it_refuses(options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        sampler.generate_samples(
            small(), None, 2, base_fname_part1=f"{tmp_path}/s", **options
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "more, match",
    [
        ({"spatial_width": 6, "n_scales": 3}, "6 cannot be halved 2 times.*divisible"),
        ({"n_scales": 0}, "n_scales = 0"),
        ({"variant": "2015"}, "unknown variant '2015': there are reference, paper"),
        ({"mean": "median"}, "unknown mean 'median': there are forward, equilibrium"),
        ({"n_scale": 1}, "unknown model argument 'n_scale': there are spatial_width, "),
        ({"mean": "posterior"}, "unknown mean 'posterior': there are forward, "),
        ({"conv_nonlinearity": "relu"}, "there are leaky_relu, softplus, tanh"),
        ({"n_hidden_conv": -1}, "n_hidden_conv = -1"),
        ({"n_hidden_conv": "20"}, "n_hidden_conv = '20': it must be a whole number"),
        ({"n_hidden_conv": 0, "n_hidden_dense_lower": 0}, "neither pathway is left"),
        ({"n_layers_dense_upper": 0}, "n_layers_dense_upper = 0"),
        ({"n_t_per_minibatch": 0}, "n_t_per_minibatch = 0"),
        ({"trajectory_length": 1}, "trajectory_length = 1"),
        ({"step1_beta": 2.0}, "step1_beta = 2.0: it must lie in"),
        ({"bump_width": 0.0}, "bump_width = 0.0"),
    ],
)
def test_bad_arguments_are_refused(more, match):
    with pytest.raises(ValueError, match=match):
        DiffusionModel(**{**SMALL, **more})


def test_parameters_start_as_in_the_reference():
    model = DiffusionModel(**{**SMALL, "n_hidden_conv": 40, "n_hidden_dense_lower": 30})
    model.initialize(np.random.default_rng(0))
    for path, value in model.get_parameter_values().items():
        if path.endswith(".b"):
            assert (value == 0).all()
        elif value.ndim == 4:  # filters, for smooth images
            assert value.std() == pytest.approx(40**-0.5 / 9, rel=0.2), path
        else:  # the shorter side is orthonormal
            tall = value if value.shape[0] >= value.shape[1] else value.T
            np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-12)


# -- the weighting of the cost -----


def test_the_cost_can_ask_for_the_picture_with_the_same_accuracy():
    """An error of the picture costs the same at every step but the noisiest."""
    T = 300
    choices = {"trajectory_length": T, "sum_over_t": "random", "beta_start": "log_snr"}
    choices["learn_beta"] = False
    model, plain = small(weighting="picture", **choices), small(**choices)
    rng = np.random.default_rng(3)
    X = constant(rng.standard_normal((2, 32)))
    noise, uniform = (constant(rng.standard_normal((2, 2, 4, 4))) for _ in range(2))
    beta, b = numbers(plain.beta_arr), numbers(plain.beta_cumulative)
    costs = []
    for t in (1, 2, 30, 150, 290, T - 1):
        draw = [(noise, constant([[float(t)]]), uniform)]
        KL = float(numbers(plain.get_KL(X, *draw[0]).mean()))
        more = float(numbers(model.cost(X, draw)) - numbers(plain.cost(X, draw)))
        weight = 1 + more / (KL * (T - 1) / np.log(2) / 16)
        means = [
            numbers(gaussian.posterior(x, 0.3, beta[t], b[t - 1])[0])
            for x in (0.0, 1.0)  # two pictures that differ by 1
        ]
        sigma = numbers(gaussian.posterior(0.0, 0.3, beta[t], b[t - 1])[1])
        counts = (1 - b[t]) / (1 - b[t] + 0.02)  # nearly 1, but for the noisiest
        costs.append(weight * (means[1] - means[0]) ** 2 / (2 * sigma**2) / counts)
    np.testing.assert_allclose(costs, np.mean(costs), rtol=0.1)
