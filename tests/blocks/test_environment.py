"""A home that cannot be written, and misspelt flags, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dpm import train
from dpm.blocks import environment


def in_surroundings(*words, **environment):
    """`python -m dpm.train --help` in another environment: status, and stderr."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTENSOR_FLAGS", "HOME")}
    root = Path(train.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "dpm.train", "--help"], capture_output=True, text=True,
        env={**kept, "PYTHONPATH": str(root), **environment}, cwd=root,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path):
    folder = str(tmp_path)
    status, lines = in_surroundings(
        HOME="/proc/nowhere", TMPDIR=folder, MPLCONFIGDIR=folder
    )
    assert status == 0 and len(lines) == 1 and folder in lines[0]


def test_a_misspelt_flag_of_pytensor_is_one_line(tmp_path):
    status, lines = in_surroundings(HOME=str(tmp_path), PYTENSOR_FLAGS="mode=JAXX")
    assert status == 1 and len(lines) == 1
    assert "PYTENSOR_FLAGS" in lines[0] and "JAXX" in lines[0]


def test_a_device_that_is_not_there_is_one_line(tmp_path):
    status, lines = in_surroundings(HOME=str(tmp_path), JAX_PLATFORMS="nowhere")
    assert status == 1 and len(lines) == 1
    assert lines[0].startswith("error: JAX_PLATFORMS=nowhere: JAX finds no such device")
    assert lines[0].endswith("set JAX_PLATFORMS=cpu, or leave it out")


def test_a_device_that_breaks_an_assertion_is_none(monkeypatch):
    """As JAX's own does that was asked for CUDA where there is none."""

    def devices():
        raise AssertionError

    monkeypatch.setattr("jax.devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(ImportError, match="cuda: JAX finds no such device; set JAX_PL"):
        environment.check_platform()
    for fine in ("cpu", ""):
        monkeypatch.setenv("JAX_PLATFORMS", fine)
        environment.check_platform()


def test_letters_that_the_locale_lacks_are_one_line(monkeypatch):
    environment.check_names()
    stray = os.fsencode("/home/bücher").decode("ascii", "surrogateescape")
    monkeypatch.setattr(environment, "__file__", f"{stray}/environment.py")
    with pytest.raises(ImportError, match="/home/bücher/.* set PYTHONUTF8=1"):
        environment.check_names()
