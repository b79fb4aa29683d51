"""Prove the pages for a user whose PyTensor is set to single precision.

    python tests/by_hand/single_precision.py                   # every page
    python tests/by_hand/single_precision.py book/forward.ipynb

A file of settings with ``floatX = float32`` is put where PyTensor looks for one, and
`pytest --nbval` run: each page must print what it prints without. (That a graph is
computed in the precision of its recipe is among the tests, blocks/test_backend.py.)
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> int:
    pages = sys.argv[1:] or ["book"]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / ".pytensorrc"
        settings.write_text("[global]\nfloatX = float32\n")
        env = {**os.environ, "PYTENSORRC": str(settings)}
        shown = "import pytensor; assert pytensor.config.floatX == 'float32'"
        subprocess.run([sys.executable, "-c", shown], env=env, check=True)
        words = ["-m", "pytest", "--nbval", "-q", *pages]
        return subprocess.run([sys.executable, *words], cwd=ROOT, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
