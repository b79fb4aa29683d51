"""Command line: what is here, how fast it is, what is missing, and the remedies.

    python -m dpm.doctor

Ends with 0 if models can be trained here, and with 1 if something that this needs is
missing. Nothing is downloaded, and nothing is written but what PyTensor compiles.
"""

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytensor

from dpm import datasets
from dpm.commands import OneLineParser
from dpm.datasets.download import cache_folder
from dpm.recipes.swiss_roll import SwissRollRecipe
from dpm.version import __version__

NEEDED = (
    "pytensor", "jax", "numpy", "scipy", "matplotlib", "pillow", "scikit-image",
    "scikit-learn",
)  # fmt: skip
PROOF = (
    "pytest", "pytest-timeout", "pytest-xdist", "nbval", "hypothesis", "jupytext",
    "playwright",
)  # fmt: skip
BOOK = ("jupyter-book", "sphinx-book-theme", "sphinx-mathjax-offline")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REMEDIES = {  # of data that may be missing
    "MNIST": "downloaded on first use, or set DPM_DATA to a folder with mnist/",
    "CIFAR10": "downloaded on first use, or set DPM_DATA to a folder with "
    "cifar-10-batches-bin/",
    "BARK": "never downloaded: put bark/ into the folder that DPM_DATA names; BARK4 "
    "comes with the package",
    "TEXTURE": "pip install scikit-image",
}
N_STEPS = 20  # timed, after the one that compiles


class Finding(NamedTuple):
    """One line of the report.

    Attributes
    ----------
    name : str
        What was looked at.
    found : str
        What there is.
    remedy : str
        What to do about it; empty if nothing needs to be done.
    needed : bool
        Whether models cannot be trained without it.
    """

    name: str
    found: str
    remedy: str = ""
    needed: bool = False


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def packages() -> Iterator[Finding]:
    """Python, this package, and what it, its proof and its book are made with."""
    yield Finding("python", f"{platform.python_version()} on {platform.system()}")
    yield Finding("dpm", f"{__version__} in {Path(__file__).parent}")
    for name in NEEDED:
        remedy = "" if version_of(name) else f"pip install {name}"
        yield Finding(name, version_of(name) or "not installed", remedy, bool(remedy))
    for purpose, names in (("the proof", PROOF), ("the book", BOOK)):
        missing = [name for name in names if not version_of(name)]
        found = f"not installed: {', '.join(missing)}" if missing else "all installed"
        remedy = "pip install -r requirements.txt" if missing else ""
        yield Finding(f"packages for {purpose}", found, remedy)


def backend() -> Iterator[Finding]:
    """What PyTensor compiles with, and what that runs on."""
    mode = str(pytensor.config.mode)
    remedy = ""
    if mode != "JAX":
        remedy = "unset PYTENSOR_FLAGS: JAX compiles in seconds, others in half minutes"
    yield Finding("backend", mode, remedy)
    if mode == "JAX":
        import jax  # late: it takes a second

        found = ", ".join(sorted({device.device_kind for device in jax.devices()}))
        yield Finding("runs on", f"{found} ({jax.default_backend()})")


def threads() -> Iterator[Finding]:
    """How many processor cores there are, and how many this process may use."""
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    yield Finding("cores", f"{allowed} of {os.cpu_count()} may be used")
    given = {
        name: os.environ[name]
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        if name in os.environ
    }
    set_to = ", ".join(f"{name}={value}" for name, value in given.items())
    yield Finding("threads of linear algebra", set_to or "as many as there are cores")


def speed(n_steps: int = N_STEPS) -> Iterator[Finding]:
    """The swiss roll's model: its training compiled, and a few steps of it timed."""
    try:
        recipe = SwissRollRecipe()
        loop = recipe.main_loop(recipe.load_data().X_train)
        batches = [loop.data_stream.get_data(step) for step in range(n_steps + 1)]
        start = time.perf_counter()
        loop.algorithm.process_batch(*batches[0])
        compiled = time.perf_counter()
        costs = [loop.algorithm.process_batch(*batch) for batch in batches[1:]]
        per_step = (time.perf_counter() - compiled) / n_steps
    except Exception as error:  # whatever it is, the report goes on
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        remedy = "pip install -r requirements.txt, in a new environment"
        yield Finding("a model compiled", words, remedy, needed=True)
        return
    yield Finding("a model compiled", f"in {compiled - start:.1f} s")
    whole = recipe.n_steps * per_step
    yield Finding(
        "a step of the swiss roll",
        f"{1000 * per_step:.1f} ms, so its {recipe.n_steps:,} take {whole:.0f} s",
    )
    if not np.isfinite(costs).all():
        yield Finding("its cost", "not finite", "unset PYTENSOR_FLAGS", needed=True)


def data() -> Iterator[Finding]:
    """Which sets are at hand, and where others are looked for."""
    given = os.environ.get("DPM_DATA")
    yield Finding("DPM_DATA", given or "not set")
    yield Finding("downloads", str(cache_folder()))
    for name in (*datasets.image_sets(),):
        if name == "IMAGES":  # their owner says where they are
            continue
        try:
            there, remedy = datasets.at_hand(name), REMEDIES.get(name, "")
        except ValueError as error:  # DPM_DATA names no folder
            there, remedy = False, str(error)
        found = "at hand" if there else "not at hand"
        yield Finding(name, found, "" if there else remedy)


def browser() -> str | None:
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def skipped() -> Iterator[Finding]:
    """What of the tests would be skipped here."""
    no_browser = None if browser() else "no Chromium"
    if util.find_spec("playwright") is None:
        no_browser = "no playwright"
    remedy = "install Chromium (apt-get install chromium), pip install playwright"
    yield Finding(
        "tests of the rendered pages",
        f"skipped: {no_browser}" if no_browser else f"run, in {browser()}",
        remedy if no_browser else "",
    )
    for name in ("MNIST", "CIFAR10"):
        try:
            there = datasets.at_hand(name)
        except ValueError:
            there = False
        yield Finding(
            f"tests of the real {name}",
            "run" if there else "skipped: it is not at hand",
            "" if there else "set DPM_DATA to a folder that has it",
        )
    recorded = os.environ.get("DPM_REFERENCE_DIR")
    yield Finding(
        "more recorded values of 2015",
        "compared" if recorded else "skipped: DPM_REFERENCE_DIR is not set",
        "" if recorded else "those in tests/data are compared all the same",
    )


CHAPTERS = {
    "Versions": packages,
    "Backend": backend,
    "Threads": threads,
    "Speed": speed,
    "Data": data,
    "Tests": skipped,
}


def report(chapters: dict) -> tuple[str, bool]:
    """The findings as text, and whether all that is needed is there.

    Parameters
    ----------
    chapters : dict
        Functions that yield findings, by the heading that they stand under.

    Returns
    -------
    str, bool
    """
    lines, well = [], True
    for heading, look in chapters.items():
        lines.append(heading)
        for finding in look():
            lines.append(f"  {finding.name + ':':30s} {finding.found}")
            if finding.remedy:
                lines.append(f"  {'':30s} -> {finding.remedy}")
            well &= not (finding.needed and finding.remedy)
    lines.append(
        "All that training needs is here." if well else "Something is missing."
    )
    return "\n".join(lines), well


def main(argv=None) -> int:
    """Print the report."""
    parser = OneLineParser(
        prog="python -m dpm.doctor",
        description="What is here, how fast it is, and what is missing.",
    )
    parser.add_argument(
        "--no-speed", action="store_true", help="compile nothing (saves 5 seconds)"
    )
    args: argparse.Namespace = parser.parse_args(argv)
    chapters = dict(CHAPTERS)
    if args.no_speed:
        del chapters["Speed"]
    text, well = report(chapters)
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
