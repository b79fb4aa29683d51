"""The equation ledger: every equation is there, every check passes, and errors planted
in the functions that implement them turn at least one check red."""

import inspect
import pkgutil
import re
import textwrap
from pathlib import Path

import nbformat
import numpy as np
import pytest

from dpm import ledger
from dpm.diffusion import schedule
from dpm.exact import states

ROOT = Path(__file__).parents[2]
ENTRIES = ledger.ledger()
CACHES = (
    states.compiled_step_density,
    states.compiled_flip_density,
    states.compiled_density,
)

PLANTED = {  # function: what stands there, what is put in its place
    "diffusion.gaussian.forward_kernel": [
        ("pt.sqrt(1.0 - beta), pt", "(1.0 - beta), pt"),
        ("pt.sqrt(beta)", "beta"),
        ("pt.sqrt(1.0 - beta), pt", "pt.sqrt(1.0 + beta), pt"),
    ],
    "diffusion.gaussian.marginal": [
        ("forward_kernel(x0, ", "forward_kernel(x0, 0.5 * "),
        ("forward_kernel(x0, ", "forward_kernel(-x0, "),
        ("forward_kernel(x0, ", "forward_kernel(0 * x0, "),
    ],
    "diffusion.gaussian.posterior": [
        ("pt.sqrt(1.0 - c) * beta", "(1.0 - c) * beta"),
        ("beta + (1.0 - beta) * c", "beta + c"),
        ("pt.sqrt(beta * c / total)", "beta * c / total"),
        ("pt.sqrt(beta * c / total)", "pt.sqrt(c)"),
        ("pt.sqrt(1.0 - beta) * c * x_t", "pt.sqrt(1.0 - c) * c * x_t"),
    ],
    "diffusion.gaussian.kl": [
        ("- 0.5", "+ 0.5"),
        ("(2.0 * sigma_p**2)", "(sigma_p**2)"),
        ("pt.log(sigma_p) - pt.log(sigma_q)", "pt.log(sigma_q) - pt.log(sigma_p)"),
        ("/ (2.0 * sigma_p**2)", "/ (2.0 * sigma_q**2)"),
    ],
    "diffusion.gaussian.entropy": [
        ("0.5 * LOG", "LOG"),
        ("+ pt.log(", "- pt.log("),
        ("+ pt.log(", "+ 0.5 * pt.log("),
    ],
    "diffusion.gaussian.log_prob": [
        ("-0.5 * z**2", "-(z**2)"),
        ("- pt.log(", "+ pt.log("),
        ("(LOG_2PI_E - 1.0)", "LOG_2PI_E"),
    ],
    "diffusion.gaussian.sample": [
        ("mu + sigma * noise", "mu - sigma * noise"),
        ("mu + sigma * noise", "mu + sigma**2 * noise"),
        ("mu + sigma * noise", "sigma * noise"),
    ],
    "diffusion.gaussian.perturb": [
        ("sigma**2 * slope", "sigma * slope"),
        ("mu + sigma**2", "mu - sigma**2"),
        ("sigma**2 * slope", "0.5 * sigma**2 * slope"),
    ],
    "diffusion.gaussian.product": [
        ("** -0.5", "** -1"),
        ("mu_1 * (sigma / sigma_1) ** 2", "mu_1 * (sigma / sigma_2) ** 2"),
        ("sigma_1**-2 + sigma_2**-2", "sigma_1**-1 + sigma_2**-1"),
    ],
    "diffusion.gaussian.power": [
        ("exponent**0.5", "exponent"),
        ("sigma / exponent", "sigma * exponent"),
        ("return mu, sigma", "return mu / exponent, sigma"),
    ],
    "diffusion.binomial.forward_kernel": [
        ("(1.0 - beta)", "(1.0 + beta)"),
        ('"rho") * beta', '"rho") * beta / 2'),
        ('check_rate(rho, "rho") * beta', '(1.0 - check_rate(rho, "rho")) * beta'),
    ],
    "diffusion.binomial.marginal": [
        ("forward_kernel(x0, beta_cumulative", "forward_kernel(x0, beta_cumulative**2"),
        ("beta_cumulative, rho)", "beta_cumulative, 1 - rho)"),
        ("forward_kernel(x0, ", "forward_kernel(1 - x0, "),
    ],
    "diffusion.binomial.posterior": [
        ("return product(prior, _likelihood_rate(x_t, beta, rho))", "return prior"),
        ("_likelihood_rate(x_t, beta, rho)", "_likelihood_rate(1 - x_t, beta, rho)"),
        ("marginal(x0, beta_cumulative_prior_step, rho)", "marginal(x0, beta, rho)"),
        ("beta, rho))", "beta_cumulative_prior_step, rho))"),
    ],
    "diffusion.binomial.log_odds": [
        ("- pt.log1p(-rate)", "+ pt.log1p(-rate)"),
        ("pt.log1p(-rate)", "pt.log1p(rate)"),
        ("pt.log(rate) -", "2 * pt.log(rate) -"),
    ],
    "diffusion.binomial.posterior_log_odds": [
        ("prior + one - zero", "prior - one + zero"),
        ("prior + one - zero", "one - zero"),
        ("marginal(x0, beta_cumulative_prior_step", "marginal(x0, beta"),
        ("forward_kernel(x, beta, rho)", "forward_kernel(x, beta / 2, rho)"),
    ],
    "diffusion.binomial.kl_log_odds": [
        ("- pt.softplus(-sign * log_odds_q)", "+ pt.softplus(-sign * log_odds_q)"),
        ("pt.sigmoid(sign * log_odds_q)", "pt.sigmoid(sign * log_odds_p)"),
        ("one + zero", "one - zero"),
    ],
    "diffusion.binomial.kl": [
        ("a / b)", "b / a)"),
        ("+ _x_log", "- _x_log"),
        ("(1.0 - a) / (1.0 - b)", "(1.0 - a)"),
    ],
    "diffusion.binomial.entropy": [
        ("-_x_log(rate, rate) -", "_x_log(rate, rate) -"),
        ("- _x_log(1.0 - rate, 1.0 - rate)", ""),
        ("- _x_log(1.0 - rate, 1.0 - rate)", "- _x_log(1.0 - rate, rate)"),
    ],
    "diffusion.binomial.product": [
        ("(1.0 - rate_1) * (1.0 - rate_2)", "(1.0 - rate_1) * rate_2"),
        ("both + (1.0", "both - (1.0"),
        ("rate_1 * rate_2\n", "rate_1\n"),
    ],
    "diffusion.binomial.perturb": [
        ("as_tensor(slope)", "-as_tensor(slope)"),
        ("as_tensor(slope)", "0.5 * as_tensor(slope)"),
        ("product(rate, pt.sigmoid(as_tensor(slope)))", "pt.sigmoid(as_tensor(slope))"),
    ],
    "diffusion.binomial.power": [
        ("(1.0 - rate) ** exponent", "(1.0 - rate)"),
        ("rate**exponent", "rate"),
        ("one / (one + zero)", "zero / (one + zero)"),
    ],
    "diffusion.binomial.log_prob": [
        ("rate, 1.0 - rate", "1.0 - rate, rate"),
        ("rate, 1.0 - rate", "rate, rate"),
        ("pt.log(pt.switch", "0.5 * pt.log(pt.switch"),
    ],
    "diffusion.binomial.sample": [
        ("noise < rate", "noise > rate"),
        ("noise < rate", "noise < 1 - rate"),
        ("noise < rate", "noise < rate**2"),
    ],
    "diffusion.schedule.beta_cumulative": [
        ("pt.log1p(-beta_arr)", "pt.log1p(beta_arr)"),
        ("-pt.expm1", "1 - pt.expm1"),
        ("pt.cumsum(pt.log1p(-beta_arr))", "pt.log1p(-beta_arr)"),
    ],
    "diffusion.schedule.binomial": [
        ("np.arange(T, 0, -1)", "np.arange(T + 1, 1, -1)"),
        ("np.arange(T, 0, -1)", "np.arange(1, T + 1)"),
        ("1.0 / np.arange", "0.5 / np.arange"),
    ],
    "diffusion.schedule.log_snr": [
        ("np.log1p(-step1_beta) - np.log", "np.log1p(-step1_beta) + np.log"),
        ("-np.logaddexp(0.0, -ratio)", "-np.logaddexp(0.0, ratio)"),
        ("-np.expm1(np.diff", "1 - np.expm1(np.diff"),
    ],
    "diffusion.schedule.baseline": [
        ("squash(offset, min_beta", "squash(-offset, min_beta"),
        ("squash(offset, min_beta", "squash(offset / 2, min_beta"),
        ("squash(offset, min_beta", "squash(offset, min_beta[::-1]"),
    ],
    "diffusion.schedule.squash": [
        ("min_beta + sigmoid", "sigmoid"),
        ("(1.0 - min_beta - MAX_GAP)", "(1.0 - min_beta + MAX_GAP)"),
        ("sigmoid(u)", "sigmoid(-u)"),
    ],
    "diffusion.schedule.unsquash": [
        ("- min_beta) / (", "+ min_beta) / ("),
        ("- MAX_GAP)", "+ MAX_GAP)"),
        ("logit(", "-logit("),
    ],
    "diffusion.bound.lower_bound": [
        ("-total", "total"),
        ("- H.given_data[0]", "+ H.given_data[0]"),
        ("H.given_data[-1]", "H.step[-1]"),
        ("- H.prior", "- 0.5 * H.prior"),
    ],
    "diffusion.bound.gaussian_entropies": [
        ("pt.sqrt(as_tensor(b))", "as_tensor(b)"),
        ("n_dim * 0.5 * gaussian", "n_dim * gaussian"),
        ("as_tensor(n_dim) * gaussian.entropy", "gaussian.entropy"),
        ('_rates(beta_cumulative, "beta_cumulative")', '_rates(beta_arr, "beta")'),
    ],
    "diffusion.bound.binomial_entropies": [
        ("[0.0]), total[:-1]]", "[0.0]), beta_arr[:-1]]"),
        ("active * (1.0 - before)", "(1.0 - active) * (1.0 - before)"),
        ("(1.0 - share_of_ones)", "share_of_ones"),
        ("active.shape[0].astype(active.dtype) * binomial", "binomial"),
    ],
    "diffusion.bound.log_weight": [
        ("log_p_steps - log_q_steps", "log_q_steps - log_p_steps"),
        ("log_p_end + ", ""),
        ("log_p_steps - log_q_steps", "log_p_steps[1:] - log_q_steps[1:]"),
    ],
    "diffusion.bound.log_likelihood_estimate": [
        ("axis=0) - np.log(n)\n    log_mean_square", "axis=0)\n    log_mean_square"),
        ("2 * log_weights", "log_weights"),
        ("/ (n - 1)", "/ n"),
        ("n / ratio", "ratio / n"),
    ],
    "diffusion.bound.entropy_bounds": [
        ("H_step + H_before - H_after, H_step", "H_step + H_after - H_before, H_step"),
        ("- H_after, H_step", "- H_after, H_before"),
        ("H_step + H_before", "2 * H_step + H_before"),
    ],
    "diffusion.bound.trajectory_entropy_bounds": [
        ("H.step[1:]", "H.step[:-1]"),
        ("H.given_data[:-1], H.given_data[1:]", "H.given_data[1:], H.given_data[:-1]"),
        ("H.given_data[:-1]", "H.step[:-1]"),
    ],
    "diffusion.bound.null_log_likelihood": [
        ("-0.5 *", "0.5 *"),
        ("-0.5 *", "-1.0 *"),
        ("gaussian.LOG_2PI_E", "(gaussian.LOG_2PI_E - 1)"),
    ],
    "diffusion.bound.binomial_null_log_likelihood": [
        ("ones * np.log(rho)", "ones * np.log1p(-rho)"),
        ("np.shape(X)[1] - ones", "np.shape(X)[1]"),
        ("np.log1p(-rho)", "np.log1p(rho)"),
    ],
    "diffusion.bound.to_bits": [
        ("nats /", "nats *"),
        ("np.log(2.0)", "np.log10(2.0)"),
        ("np.log(2.0)", "-np.log(2.0)"),
    ],
    "diffusion.factors.Exact.apply": [
        ("product(*step, *self.values)", "product(*self.values, *self.values)"),
        ("as_tuple(self.model.kernels.product(*step, *self.values))", "step"),
        ("product(*step, *self.values)", "product(*step, *step)"),
    ],
    "diffusion.factors.Exact.raised": [
        ("*self.values, exponent", "*self.values, exponent**2"),
        ("*self.values, exponent", "*self.values, 1.0"),
        ("exponent == 0", "exponent >= 0"),
    ],
    "diffusion.factors.Fading.start": [
        ("raised(0.0)", "raised(1.0)"),
        ("raised(0.0)", "raised(0.5)"),
        (".raised(0.0)", ""),
    ],
    "diffusion.factors.Fading.apply": [
        ("1.0 - t /", "t /"),
        ("1.0 - t /", "1.0 - (t + 1) /"),
        (".raised(exponent)", ""),
    ],
    "diffusion.factors.Smooth.slope": [
        ("value.sum()", "-value.sum()"),
        ("value.sum()", "value.mean()"),
        ("return slope", "return 2 * slope"),
    ],
    "model.DiffusionModel.temporal_readout": [
        ("(n, w, w, self.n_colors, 2, self.n_temporal_basis)",
         "(n, w, w, self.n_colors, self.n_temporal_basis, 2)"),
        (".sum(axis=-1)", ".mean(axis=-1)"),
        ("(Z * weights)", "(Z + weights)"),
    ],
    "model.DiffusionModel.generate_temporal_basis": [
        ("(2 * width**2)", "width**2"),
        ("/ bumps.sum(axis=0)", ""),
        ("max(1, n_basis - 1)", "n_basis"),
    ],
    "variants.decay_towards": [
        ("(1.0 - sigma**2)", "(1.0 - sigma)"),
        ("+ z", "- z"),
        ("(X_noisy - z)", "X_noisy"),
    ],
    "diffusion.vectors.GaussianDiffusion.perturb_forward": [
        ("pt.log(beta) - pt.log1p(-beta)", "pt.log(beta)"),
        ("beta_coeff + logit_beta", "beta_coeff - logit_beta"),
        ("pt.sqrt(pt.sigmoid", "(pt.sigmoid"),
    ],
}  # fmt: skip


def schedule_of_the_paper():
    """After t of T steps (T-t)/T of the signal is left (Section 2.4.1)."""
    T = 7
    left = np.cumprod(1 - schedule.binomial(T))
    np.testing.assert_allclose(left, (T - np.arange(1, T + 1)) / T, atol=1e-12)


def equal_steps_of_log_snr():
    """The logarithm of signal over noise falls from its start to its end in T steps."""
    left = np.cumprod(1 - schedule.log_snr(9, 0.01, -3.0))
    log_snr = np.linspace(np.log(0.99 / 0.01), -3.0, 9)
    np.testing.assert_allclose(left, 1 / (1 + np.exp(-log_snr)))


def baseline_in_plain_words():
    """A share p of the room between the floor and the ceiling, p = 1/T .. 1/2."""
    p = 1 / np.linspace(8, 2, 8)
    floor = 1e-6 + np.where(np.arange(8) == 0, 1e-3, 0.0)
    expected = floor * (1 - p) + (1 - 1e-5) * p
    np.testing.assert_allclose(schedule.baseline(8, 1e-3), expected, rtol=1e-12)


def squash_is_a_logistic_between_its_limits():
    u = np.array([-3.0, 0.0, 2.0])
    share = 1 / (1 + np.exp(-u))
    beta = schedule.squash(u, 0.01, lambda v: 1 / (1 + np.exp(-v)))
    np.testing.assert_allclose(beta, 0.01 * (1 - share) + (1 - 1e-5) * share)
    np.testing.assert_allclose(schedule.unsquash(beta, 0.01), u, atol=1e-12)


WITHOUT_NUMBER = {  # checks of what the paper, or we, use without a numbered equation
    "diffusion.schedule.binomial": schedule_of_the_paper,
    "diffusion.schedule.log_snr": equal_steps_of_log_snr,
    "diffusion.schedule.baseline": baseline_in_plain_words,
    "diffusion.schedule.squash": squash_is_a_logistic_between_its_limits,
    "diffusion.schedule.unsquash": squash_is_a_logistic_between_its_limits,
}


@pytest.mark.parametrize("name", list(WITHOUT_NUMBER))
def test_check_without_a_number_passes(name):
    WITHOUT_NUMBER[name]()


def mutant(name, there, instead):
    """The function with one thing replaced, and where to put it."""
    owner_name, _, short = f"dpm.{name}".rpartition(".")
    owner = pkgutil.resolve_name(owner_name)
    original = vars(owner)[short]
    source = textwrap.dedent(inspect.getsource(original))
    quotes = [found.end() for found in re.finditer('"""', source)]
    body = source[quotes[1] if quotes else 0 :]  # what follows the docstring
    assert body.count(there) >= 1, f"{name}: {there!r} does not stand in its code"
    planted = source[: len(source) - len(body)] + body.replace(there, instead, 1)
    module = inspect.getmodule(original)
    scope = dict(vars(module))
    exec(compile(planted, f"<planted in {name}>", "exec"), scope)
    return owner, short, original, scope[short]


def forget():
    for cache in CACHES:
        cache.cache_clear()


def red_checks(name):
    """The first check of an equation that names the function and that fails."""
    checks = {e.number: e.run for e in ENTRIES.values() if name in e.functions}
    if name in WITHOUT_NUMBER:
        checks["without number"] = WITHOUT_NUMBER[name]
    assert checks, f"no equation in the ledger names {name}"
    for number, check in checks.items():
        forget()
        try:
            check()
        except Exception:  # noqa: BLE001  (an error of any kind is a red check)
            return [number]
    return []


@pytest.mark.parametrize("number", list(range(1, 66)))
def test_check_passes(number):
    forget()
    ENTRIES[number].run()


def test_sixty_five_of_sixty_five():
    assert list(ENTRIES) == list(range(1, 66))


@pytest.mark.parametrize("number", list(range(1, 66)))
def test_entry_is_complete(number):
    entry = ENTRIES[number]
    assert entry.functions and len(entry.compares.split()) >= 6
    for name in entry.functions:
        pkgutil.resolve_name(f"dpm.{name}")


@pytest.mark.parametrize("number", list(range(1, 66)))
def test_formula_is_that_of_the_chapter(number):
    entry = ENTRIES[number]
    book = nbformat.read(ROOT / "book" / f"{entry.chapter}.ipynb", as_version=4)
    text = "\n".join(c.source for c in book.cells if c.cell_type == "markdown")
    block = re.search(rf"\(eq-{number}\)=\n\$\$\n((?:(?!\$\$)[\s\S])*)\n\$\$", text)
    assert block, f"Eq. {number} does not stand in {entry.chapter}"
    formula = block[1].replace(rf"\tag{{{number}}}", "")
    assert re.sub(r"\s", "", formula) == re.sub(r"\s", "", entry.latex)


@pytest.mark.parametrize("name", list(PLANTED))
def test_planted_errors_turn_a_check_red(name, monkeypatch, record_property):
    """Each error in turn; the counts are printed at the end of the run."""
    assert len(PLANTED[name]) >= 3
    assert not red_checks(name), "a check is red before any error is planted"
    green = []
    for there, instead in PLANTED[name]:
        owner, short, original, planted = mutant(name, there, instead)
        monkeypatch.setattr(owner, short, planted)
        if not red_checks(name):
            green.append(f"{there!r} -> {instead!r}")
        monkeypatch.setattr(owner, short, original)
    forget()
    record_property("planted", len(PLANTED[name]))
    record_property("red", len(PLANTED[name]) - len(green))
    assert not green, f"no check noticed: {green}"


def test_every_analytic_function_has_planted_errors():
    analytic = {
        f"diffusion.{module}.{name}"
        for module in ("gaussian", "binomial", "schedule", "bound")
        for name, function in vars(
            pkgutil.resolve_name(f"dpm.diffusion.{module}")
        ).items()
        if inspect.isfunction(function)
        and function.__module__ == f"dpm.diffusion.{module}"
        and not name.startswith("_")
        and name != "noise"
    }
    assert analytic <= set(PLANTED)
