"""Prove the project in environments of its own, one for each Python there is.

    python tests/by_hand/environments.py                 # 3.11, 3.12, 3.13, pins
    python tests/by_hand/environments.py --newest        # newest versions in the ranges
    python tests/by_hand/environments.py --bare          # without the book's packages

With the pins of requirements.txt, or with the newest versions that pyproject.toml
allows, all tests but the notebooks are run. A bare environment holds what ``pip install
.`` brings and nothing else: there a run is trained, read back and scored. Needs the
network, and some minutes for each. A Python that is not on the path is named and left
out. ``pip-audit -r requirements.txt --no-deps`` asks for known holes in the pins.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
USE = """\
import sys, dpm
from dpm import evaluate, train
typed = ["--dataset", "SWISS_ROLL", "--n-steps", "50", "--output-dir", sys.argv[1]]
assert train.main(typed) == 0
assert evaluate.main([sys.argv[1], "--json"]) == 0
assert dpm.load(sys.argv[1]).sample(4, seed=0).shape == (4, 2)
"""


def without_pins() -> list:
    """What builds the book and proves it, of any version that still builds it."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf8")
    names = re.findall(r"^([\w-]+)==", text.partition("# the book")[2], flags=re.M)
    return [*names, "jupyter-book<2"]


def installed(python: str, folder: str, what: list) -> str | None:
    """The interpreter of a new environment; None where there is no such Python."""
    found = shutil.which(f"python{python}")
    if found is None:
        return None
    subprocess.run([found, "-m", "venv", folder], check=True)
    inside = str(Path(folder) / "bin" / "python")
    subprocess.run([inside, "-m", "pip", "install", "-q", *what], cwd=ROOT, check=True)
    return inside


def proved(python: str, newest: bool, bare: bool) -> str:
    """What came of one Python, in words."""
    with tempfile.TemporaryDirectory() as folder:
        pins = ["-r", "requirements.txt"]
        what = ["."] if bare else [".", *without_pins()] if newest else pins
        try:
            inside = installed(python, f"{folder}/venv", what)
        except subprocess.CalledProcessError as error:
            return f"cannot be installed ({error})"
        if inside is None:
            return "not on the path, left out"
        words = ["-m", "pytest", "-q", "-rs", "tests"]
        if bare:
            (Path(folder) / "runs").mkdir()
            words = ["-c", USE, f"{folder}/runs"]
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        where = folder if bare else ROOT
        done = subprocess.run([inside, *words], cwd=where, env=env)
        return "passed" if done.returncode == 0 else f"failed ({done.returncode})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--newest", action="store_true")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--python", action="append", help="such as 3.12; all of them")
    args = parser.parse_args()
    found = {each: proved(each, args.newest, args.bare)
             for each in args.python or PYTHONS}  # fmt: skip
    for python, words in found.items():
        print(f"Python {python}: {words}")
    return int(any("fail" in each or "cannot" in each for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
