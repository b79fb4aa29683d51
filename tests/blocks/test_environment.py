"""A home that cannot be written, and misspelt flags, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

from dpm import train


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
