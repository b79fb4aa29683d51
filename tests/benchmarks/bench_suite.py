"""What the proof costs: processor seconds of each room's tests and of each page.

    python tests/benchmarks/bench_suite.py

Runs ``pytest --nbval`` with PyTensor's cache empty, as on a fresh machine, and prints a
table, dearest first, so that who adds a test sees what it costs. The whole has a budget
of 300 seconds on two cores, and of 560 processor seconds. With the file of a run that
was made with ``pytest --nbval --costs FILE``, only the table is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUDGET = 560.0


def table(costs):
    """The lines of the table.

    Parameters
    ----------
    costs : dict of str to float
        Processor seconds of each file.
    """
    total = sum(costs.values())
    yield f"{'s':>7}  {'share':>6}"
    for name, seconds in sorted(costs.items(), key=lambda pair: -pair[1]):
        if seconds >= 1.0:
            yield f"{seconds:7.1f}  {seconds / total:6.1%}  {name}"
    small = [seconds for seconds in costs.values() if seconds < 1.0]
    yield f"{sum(small):7.1f}  {sum(small) / total:6.1%}  {len(small)} others below 1 s"
    pages = sum(s for name, s in costs.items() if name.endswith(".ipynb"))
    yield f"{pages:7.1f}  {pages / total:6.1%}  all pages"
    yield f"{total:7.1f}  of {BUDGET:.0f} processor seconds"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("costs", nargs="?", help="a file that --costs wrote")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.costs or f"{folder}/costs.json"
        if not args.costs:
            flags = f"base_compiledir={folder}"
            command = [sys.executable, "-m", "pytest", "--nbval", "-q", "--costs", path]
            start = time.perf_counter()
            env = {**os.environ, "PYTENSOR_FLAGS": flags}
            subprocess.run(command, cwd=ROOT, env=env, check=True)
            print(f"{time.perf_counter() - start:.0f} s of wall time")
        print("\n".join(table(json.loads(Path(path).read_text()))))


if __name__ == "__main__":
    main()
