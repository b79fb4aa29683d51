"""Stop runs at random moments, and see that they end as if nobody had.

    python tests/by_hand/interrupt.py --kill 100 --term 20 --int 10

Small runs of the swiss roll, the heartbeat and images are trained once in quiet, and
then again and again by processes that get SIGKILL, SIGTERM or SIGINT after a random
time, and are resumed. Each time a run has come to its end its parameters, costs and
state of the step rule must be those of the quiet run, bit for bit, and its folder must
hold no unfinished file. Two more runs are then started in the same second into one
folder, and read by `dpm.evaluate` while they are written. Linux and macOS: processes
are forked once the libraries are loaded, so that most signals fall into the training.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import jax  # noqa: F401  loaded before the processes part
import sklearn.datasets  # noqa: F401

from dpm import evaluate, train
from dpm.blocks import checkpoint

COMMON = ["--save-every", "3", "--n-steps", "60"]
KINDS = {
    "roll": ["--dataset", "SWISS_ROLL", "--trajectory-length", "5", "--n-hidden", "3",
             "--batch-size", "8"],
    "heartbeat": ["--dataset", "HEARTBEAT", "--trajectory-length", "6", "--n-hidden",
                  "4", "--n-layers", "1", "--n-t-per-minibatch", "3"],
    "images": ["--dataset", "DIGITS", "--batch-size", "8", "--ext-every-n", "0",
               "--ema", "0.9", "--model-args", "trajectory_length=5, n_hidden_conv=0, "
               "n_temporal_basis=2, n_hidden_dense_lower=3, n_hidden_dense_upper=3"],
}  # fmt: skip


def forked(words) -> int:
    """Train by a command line in a process of its own; its number."""
    number = os.fork()
    if number:
        return number
    code = 70  # what no command ends with
    with contextlib.suppress(Exception):
        try:
            out = os.open(os.devnull, os.O_WRONLY)
            os.dup2(out, 1)
            os.dup2(out, 2)
            code = train.main(words)
        except KeyboardInterrupt:  # before the run has begun
            code = 130
    os._exit(code)


def ended(number: int, within: float | None = None) -> int | None:
    """How a process ended, or None where it runs on after so many seconds."""
    until = None if within is None else time.monotonic() + within
    while True:
        done, status = os.waitpid(number, 0 if until is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def the_run(out: Path) -> Path | None:
    """The folder of the run that has a checkpoint; others are the start of one."""
    found = [path for path in out.iterdir() if (path / checkpoint.FILE_NAME).exists()]
    for path in out.iterdir():
        if path not in found:
            shutil.rmtree(path)  # killed before its first checkpoint
    assert len(found) < 2, found
    return found[0] if found else None


def words_for(kind: str, out: Path) -> list[str]:
    """What is typed: to begin, or to go on."""
    folder = the_run(out)
    if folder is not None:
        return ["--resume_file", str(folder)]
    return ["--output-dir", str(out), *COMMON, *KINDS[kind]]


def same(one: Path, other: Path) -> list[str]:
    """Names of what differs between two runs, apart from seconds and the story."""
    (a, meta_a), (b, meta_b) = checkpoint.load(one), checkpoint.load(other)
    wrong = sorted(a.keys() ^ b.keys())
    wrong += [k for k in a.keys() & b.keys() if a[k].tobytes() != b[k].tobytes()]
    kept = ("recipe", "data", "iterations_done")
    wrong += [k for k in kept if meta_a[k] != meta_b[k]]
    wrong += [file.name for file in other.iterdir() if file.name not in
              (checkpoint.FILE_NAME, train.SETTINGS)]  # fmt: skip
    return wrong


def interrupted(kind: str, signals: list, quiet: Path, seconds: float, rng) -> int:
    """Train until all signals were sent; how often a run came to its end."""
    ends = 0
    while signals:
        with tempfile.TemporaryDirectory() as folder:
            out, code = Path(folder), None
            while code != 0:
                number = forked(words_for(kind, out))
                code = ended(number, rng.uniform(0, seconds) if signals else None)
                if code is None:
                    sent = signals.pop()
                    os.kill(number, sent)
                    code = ended(number)
                    assert code in (0, -sent, 130), (kind, sent, code)
                else:
                    assert code == 0, (kind, code)
            wrong = same(quiet, the_run(out))
            assert not wrong, (kind, wrong)
            ends += 1
    return ends


def together(out: Path) -> None:
    """Two runs that start in the same second, evaluated as they are written."""
    words = ["--output-dir", str(out), *COMMON, *KINDS["roll"]]
    time.sleep(1 - time.time() % 1)
    numbers, reads = [forked(words), forked(words)], 0
    while numbers:
        for folder in out.iterdir():
            if (folder / checkpoint.FILE_NAME).exists() and reads < 5:
                silent = io.StringIO()
                with contextlib.redirect_stdout(silent):
                    assert evaluate.main([str(folder), "--json"]) == 0
                reads += 1
        left = {number: ended(number, 0) for number in numbers}
        assert not any(left.values()), left
        numbers = [number for number, code in left.items() if code is None]
    first, second = sorted(out.iterdir())
    wrong = same(first, second)
    assert not wrong and reads, wrong
    print(f"two runs in one second: {first.name}, {second.name}; read {reads} times")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("kill", "term", "int"):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS, help="all of them")
    args = parser.parse_args()
    asked = {
        signal.SIGKILL: args.kill,
        signal.SIGTERM: args.term,
        signal.SIGINT: args.int,
    }
    rng = random.Random(args.seed)
    signals = [each for each, n in asked.items() for _ in range(n)]
    rng.shuffle(signals)
    with tempfile.TemporaryDirectory() as folder:
        kinds = args.kind or list(KINDS)
        for number, kind in enumerate(kinds):
            mine = signals[number :: len(kinds)]
            out = Path(folder) / kind
            out.mkdir()
            started = time.monotonic()
            assert ended(forked(words_for(kind, out))) == 0
            seconds = time.monotonic() - started
            n, names = len(mine), [signal.Signals(each).name for each in mine]
            counts = ", ".join(f"{names.count(k)} {k}" for k in sorted(set(names)))
            ends = interrupted(kind, mine, the_run(out), seconds, rng)
            print(f"{kind}: {n} signals ({counts}), {ends} ends, all as in quiet",
                  flush=True)  # fmt: skip
        out = Path(folder) / "together"
        out.mkdir()
        together(out)
    return 0


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=".*fork")  # JAX has not begun
    sys.exit(main())
