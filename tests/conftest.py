"""Settings that every test, and every notebook run by nbval, inherits."""

import os
import warnings

import matplotlib

os.environ["TQDM_DISABLE"] = "1"  # also in the notebooks' kernels: no bars on stderr
matplotlib.use("agg")  # only here: the kernels must show their figures

with warnings.catch_warnings():
    warnings.simplefilter("error")
    import dpm  # noqa: F401  importing must not warn


def pytest_terminal_summary(terminalreporter):
    """Print how many errors were planted by test_equations.py, and how many found."""
    counts = {"planted": 0, "red": 0}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, count in getattr(report, "user_properties", []):
                if name in counts and getattr(report, "when", "") == "call":
                    counts[name] += count
    if counts["planted"]:
        terminalreporter.write_line(
            f"planted errors: {counts['planted']}, of which {counts['red']} turned a "
            "check red"
        )
