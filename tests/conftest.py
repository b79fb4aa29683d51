"""Settings that every test, and every notebook run by nbval, inherits."""

import atexit
import gc
import importlib
import os
import shutil
import tempfile
import warnings

# One thread of linear algebra for each process, before NumPy is loaded: pytest fills
# the cores with workers, and threads that wait for each other on a full core made a
# cell of a second take half a minute.
for library in ("OPENBLAS", "OMP"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# Numba compiles quickly instead of for speed.
os.environ.setdefault("NUMBA_OPT", "1")

# Memory that was given back is kept for what comes next, and graphs, which hold
# thousands of small objects, are not looked through for garbage at every thousandth.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**28))  # bytes
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))
gc.set_threshold(1_000_000, 10, 10)

# What one process compiled the others read: workers, kernels and commands.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled_here = tempfile.mkdtemp(prefix="dpm-compiled-")
    atexit.register(shutil.rmtree, compiled_here, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled_here
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

# Nobody will read where a variable was made: see helpers/quick.py.
flags = (os.environ.get("PYTENSOR_FLAGS"), "traceback__limit=0")
os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, flags))

import matplotlib  # noqa: E402
import pytest  # noqa: E402
from costs import Costs  # noqa: E402
from pytensor.compile.mode import JAX, predefined_modes  # noqa: E402
from quick import read_c_code_once  # noqa: E402

os.environ["TQDM_DISABLE"] = "1"  # also in the notebooks' kernels: no bars on stderr
matplotlib.use("agg")  # only here: the kernels must show their figures

with warnings.catch_warnings():
    warnings.simplefilter("error")
    from dpm.blocks.backend import INTERPRETED  # importing must not warn

read_c_code_once()


LONGEST = ("test_parity.py", "test_train.py", "test_pages.py", "test_runs.py")


def pytest_addoption(parser):
    parser.addoption(
        "--costs", metavar="FILE", help="write the processor seconds of each file there"
    )


def pytest_configure(config):
    if config.getoption("--costs"):  # a plugin, because it measures the pages too
        config.pluginmanager.register(Costs(config.getoption("--costs")))


def pytest_collection_modifyitems(items):
    """The longest first, so that both processes end together: workers take whole files.

    Which those are is what ``tests/benchmarks/bench_suite.py`` prints.
    """

    def rank(item):
        if item.path.suffix == ".ipynb":
            return 1
        return 0 if item.path.name in LONGEST else 2

    items.sort(key=rank)


@pytest.fixture(autouse=True, scope="session")
def interpreted():
    """Graphs are interpreted, unless a test asks for the compiler by `compiled`.

    Most tests ask what a graph computes, of a few numbers, once; compiling it takes a
    thousand times longer. That JAX finds what the interpreter finds is proved in
    blocks/test_backend.py for each kind of model, and on the recorded values of the
    2015 code; and every page runs compiled.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(predefined_modes, "JAX", INTERPRETED)
        yield


@pytest.fixture
def compiled(monkeypatch):
    """Graphs go through JAX, as for users."""
    monkeypatch.setitem(predefined_modes, "JAX", JAX)


@pytest.fixture
def refuse(capsys, monkeypatch):
    """A function that runs a command line which must say why it will not go on."""

    def refuse(match, *words, module="dpm.train", folder=None, env=None):
        before = sorted(folder.rglob("*")) if folder else None
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            try:
                code = importlib.import_module(module).main([str(w) for w in words])
            except SystemExit as stop:  # argparse's own way
                code = stop.code
        message = capsys.readouterr().err
        assert code == 2, message
        assert len(message.splitlines()) == 1 and match in message, message
        assert not folder or sorted(folder.rglob("*")) == before  # nothing written

    return refuse


def pytest_terminal_summary(terminalreporter):
    """Print how many errors ledger/test_entries.py planted, and how many were found."""
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
