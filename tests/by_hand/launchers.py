"""Two processes that are told by a launcher's variables who they are train as one does.

    python tests/by_hand/launchers.py

`--coordinator auto` leaves it to JAX to find the others. Here the variables that SLURM
and Open MPI set are set for two processes on this machine, without the launchers. Each
pair trains a small swiss roll, and costs and parameters must be those of one process to
1e-12. Takes half a minute, and two ports from 61440 on that are free.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from dpm.blocks import checkpoint

TRAIN = [
    sys.executable, "-m", "dpm.train", "--dataset", "SWISS_ROLL", "--batch-size", "8",
    "--trajectory-length", "5", "--n-hidden", "4", "--n-steps", "50", "--output-dir",
]  # fmt: skip
LAUNCHERS = {  # what each sets: the same for both processes, and each its number
    "SLURM": (
        {"SLURM_JOB_ID": "4711", "SLURM_STEP_NODELIST": "localhost",
         "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "1"},
        ("SLURM_PROCID", "SLURM_LOCALID"),
    ),
    "Open MPI": (
        {"OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://127.0.0.1:34911",
         "OMPI_COMM_WORLD_SIZE": "2"},
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ),
}  # fmt: skip


def trained(folder: Path, *words, environments=({},)) -> dict:
    """The arrays of the run that processes make together, one an environment."""
    folder.mkdir()
    started = [
        subprocess.Popen(
            [*TRAIN, str(folder), *words],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments
    ]
    for process in started:
        said, _ = process.communicate(timeout=300)
        if process.returncode:
            raise SystemExit(said)
    (run,) = folder.iterdir()
    return checkpoint.load(run)[0]


def main() -> int:
    """Train alone and by each launcher's words, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        alone = trained(Path(folder) / "alone")
        for name, (same, numbers) in LAUNCHERS.items():
            each = [{**same, **dict.fromkeys(numbers, number)} for number in "01"]
            found = trained(
                Path(folder) / name, "--coordinator", "auto", environments=each
            )
            assert sorted(found) == sorted(alone)
            for key, value in alone.items():
                np.testing.assert_allclose(
                    found[key], value, rtol=1e-12, atol=1e-12, err_msg=key
                )
            print(f"{name}: two processes, {len(alone['costs'])} steps, as one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
