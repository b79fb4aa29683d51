"""Kill one of two processes at random moments, and see that nothing is lost.

    python tests/by_hand/devices.py --kill 10

Two processes train a small swiss roll together, on loopback, with a checkpoint every
few steps. One of the two gets SIGKILL after a random time: of every four once counted
from the start, else from the first checkpoint that the two wrote after steps of theirs.
The other must end within a minute, with a message and not a result. The checkpoint must
be whole, if there is one. Both are started anew, go on with it, and so on, until so
many were killed; then they may come to the end. What they have then must be what two
find in quiet, bit for bit, and its first 50 costs those of one process, to 1e-6. (Later
ones cannot be: training of so small a model multiplies a change of 1e-15 in its
parameters, on one device, ten million times in 100 steps.)
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dpm.blocks import checkpoint

WORDS = ["--dataset", "SWISS_ROLL", "--trajectory-length", "5", "--n-hidden", "3",
         "--batch-size", "8", "--save-every", "20", "--n-steps"]  # fmt: skip
WITHIN = 60  # seconds


def started(words, out: Path) -> list:
    """Two processes of `dpm.train`, joined."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    joined = ["--coordinator", f"127.0.0.1:{port}", "--n-processes", "2"]
    found = []
    for number in (0, 1):
        with (out / f"said{number}.txt").open("wb") as file:
            command = [sys.executable, "-m", "dpm.train", *words, *joined]
            command += ["--process-id", str(number)]
            found.append(subprocess.Popen(command, stdout=file, stderr=file))
    return found


def the_run(out: Path) -> Path | None:
    """The folder of the run, once it has a checkpoint."""
    found = list(out.glob(f"*/{checkpoint.FILE_NAME}"))
    assert len(found) < 2, found
    if found:
        return found[0].parent
    for folder in filter(Path.is_dir, out.iterdir()):
        shutil.rmtree(folder)  # killed before its first checkpoint
    return None


def words_for(out: Path, n_steps: int) -> list[str]:
    """What is typed: to begin, or to go on."""
    folder = the_run(out)
    if folder is not None:
        return ["--resume_file", str(folder), "--save-every", "20"]
    return ["--output-dir", str(out), *WORDS, str(n_steps)]


def written(out: Path) -> list:
    """When checkpoints were written: changes with each."""
    return [path.stat().st_mtime_ns for path in out.glob(f"*/{checkpoint.FILE_NAME}")]


def killed(out: Path, n_steps: int, rng, seconds: float) -> str | None:
    """Kill one of two at random, and say what happened; None where both had ended."""
    words = words_for(out, n_steps)
    before = written(out)
    pair = started(words, out)
    which, from_start = rng.randrange(2), rng.random() < 0.25
    for _ in range(0 if from_start else 2):  # the first is written before any step
        while written(out) == before and pair[which].poll() is None:
            time.sleep(0.01)
        before = written(out)
    until = time.monotonic() + rng.uniform(0, seconds)
    while time.monotonic() < until and pair[which].poll() is None:
        time.sleep(0.01)
    if pair[which].poll() is not None:
        assert [one.wait() for one in pair] == [0, 0]
        return None
    pair[which].send_signal(signal.SIGKILL)
    start = time.monotonic()
    code = pair[1 - which].wait(timeout=WITHIN)
    pair[which].wait()
    said = (out / f"said{1 - which}.txt").read_text().strip().splitlines()
    errors = [line for line in said if line.startswith("error: ")]
    assert code != 0 and errors, (code, said[-3:])
    done = 0
    if (folder := the_run(out)) is not None:
        done = checkpoint.load(folder)[1]["iterations_done"]
    return (
        f"process {which} killed, the other ended in {time.monotonic() - start:.1f} s, "
        f"{done} steps are kept: {errors[-1][:70]}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kill", type=int, default=10, metavar="N")
    parser.add_argument("--steps", type=int, default=20_000, metavar="N")
    parser.add_argument("--within", type=float, default=5, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"
    rng, left = random.Random(args.seed), args.kill
    with tempfile.TemporaryDirectory() as folder:
        quiet, out = Path(folder) / "quiet", Path(folder) / "out"
        quiet.mkdir()
        out.mkdir()
        while left:
            said = killed(out, args.steps, rng, args.within)
            if said is None:  # it came to the end first
                break
            left -= 1
            print(said, flush=True)
        run = the_run(out)
        n = checkpoint.load(run)[1]["iterations_done"] if run else 0
        print(f"{args.kill - left} were killed; {n} steps are kept; to the end:")
        for place in (out, quiet):
            pair = started(words_for(place, args.steps), place)
            assert [one.wait() for one in pair] == [0, 0]
        single = Path(folder) / "single"
        single.mkdir()
        alone = [sys.executable, "-m", "dpm.train", "--output-dir", str(single)]
        alone += [*WORDS, str(args.steps)]
        subprocess.run(alone, check=True, stdout=subprocess.DEVNULL)
        interrupted, two, one = (
            checkpoint.load(the_run(path))[0] for path in (out, quiet, single)
        )
        assert interrupted.keys() == two.keys()
        wrong = [k for k in two if interrupted[k].tobytes() != two[k].tobytes()]
        assert not wrong, wrong
        np.testing.assert_allclose(two["costs"][:50], one["costs"][:50], rtol=1e-6)
        print(f"as in quiet, bit for bit: {len(two['costs'])} costs, all parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
