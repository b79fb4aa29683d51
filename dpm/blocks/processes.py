"""Several processes, on one machine or on many, that work on one model.

They come together through `jax.distributed`, after a roll call that says in words what
JAX would say with a stack trace. All do the same, step by step; process 0 alone writes
and prints. What they would differ in is found before the first step. Where no other was
asked for, this process is the only one, and all of this does nothing.
"""

import atexit
import contextlib
import functools
import hashlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytensor

from dpm.blocks.roll_call import PATIENCE, address, call_the_roll, missing

HEARTBEAT = 20  # seconds of silence after which JAX ends a run
AUTO = "auto"  # the coordinator that JAX finds by itself
TOKEN = ".dpm-token"  # what process 0 writes for the others to see
LOST = (
    "another process of this run has ended, or is out of reach: start all again, and "
    "go on with --resume_file"
)
WATCH = "import sys; sys.stdin.read() or sys.stderr.write(sys.argv[1])"
SEEN_WITHIN = 10.0  # seconds for a shared folder to show a new file


class _State:
    """What `join` has set for this process."""

    number, many = 0, 1
    agreed = False  # whether `check_agreement` was passed
    watch = None  # of `subprocess`: says what JAX does not, when it ends this process


def n_processes() -> int:
    """How many work together; 1 before `join`."""
    return _State.many


def is_writer() -> bool:
    """Whether this process writes the files: process 0 does."""
    return _State.number == 0


def jax_for_many():
    """JAX, in double precision as PyTensor sets it; ValueError where it is not used."""
    if str(pytensor.config.mode) != "JAX":
        raise ValueError(
            f"--devices and --coordinator are for JAX, but PyTensor compiles by "
            f"{pytensor.config.mode}: unset PYTENSOR_FLAGS, or leave them out"
        )
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def join(coordinator: str, n: int | None = None, number: int | None = None) -> None:
    """Make this process one of several; call it before anything is computed.

    Parameters
    ----------
    coordinator : str
        HOST:PORT, where process 0 waits for the others; or "auto": JAX then asks what
        has started the processes, such as SLURM, Open MPI or Kubernetes.
    n, number : int, optional
        How many there are, and which this is, from 0 on.

    Raises
    ------
    ValueError
        If they do not come together within `PATIENCE` seconds.
    """
    jax = jax_for_many()
    if coordinator == AUTO:
        if (n, number) != (None, None):
            raise ValueError(
                "--coordinator auto finds --n-processes and --process-id: leave them "
                "out, or give HOST:PORT"
            )
    else:
        if n is None or number is None:
            raise ValueError(
                f"--coordinator {coordinator}: add --n-processes and --process-id"
            )
        if not 0 <= number < n:
            raise ValueError(
                f"--process-id {number}: {n} processes have the numbers 0 to {n - 1}"
            )
        call_the_roll(*address(coordinator), n, number)
    from jax.extend.backend import clear_backends

    clear_backends()  # with JAX_PLATFORMS set, devices were looked for already
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    late = threading.Timer(PATIENCE, _end_late, [coordinator])
    late.daemon = True
    late.start()
    try:
        jax.distributed.initialize(
            None if coordinator == AUTO else coordinator,
            n,
            number,
            initialization_timeout=int(2 * PATIENCE),
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=HEARTBEAT,
        )
        _State.number, _State.many = jax.process_index(), jax.process_count()
    except (RuntimeError, ValueError) as error:
        hint = "nothing that starts processes is seen here" if n is None else "failed"
        words = " ".join(str(error).split())
        raise ValueError(f"--coordinator {coordinator}: {hint} ({words})") from None
    finally:
        late.cancel()
    _have_last_words()
    with _stdout_on_stderr():  # where Gloo says at first that it is connected
        all_say("here")
    if not is_writer():
        here = f"process {_State.number} of {_State.many}"
        sys.stdout.write(f"{here}: process 0 prints the rest\n")
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@contextlib.contextmanager
def _stdout_on_stderr():
    """What is printed inside, also by C++, is no result, and goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _have_last_words() -> None:
    """Let a process of its own say why, when JAX ends this one with a stack trace."""
    words = f"error: process {_State.number} was ended: {LOST}\n"
    command = [sys.executable, "-S", "-E", "-c", WATCH, words]
    _State.watch = subprocess.Popen(
        command, stdin=subprocess.PIPE, start_new_session=True
    )
    atexit.register(_end_in_order)


def _end_in_order() -> None:
    """Leave the last words out."""
    if _State.watch is not None:
        _State.watch.communicate(b"done")
        _State.watch = None


def _end_late(coordinator: str) -> None:
    """End a process whose others do not come, before JAX does with a stack trace."""
    end(2, f"--coordinator {coordinator}: {missing('not all processes')}")


def end(code: int, message: str = "") -> None:
    """End this process at once, without waiting for others, which may be gone."""
    _end_in_order()
    sys.stdout.flush()
    if message:
        sys.stderr.write(f"error: {message}\n")
    sys.stderr.flush()
    os._exit(code)


def all_say(text: str) -> list[str]:
    """What each process has to say, by its number."""
    if n_processes() == 1:
        return [text]
    from jax.experimental.multihost_utils import process_allgather

    data = np.frombuffer(text.encode(), np.uint8)
    lengths = process_allgather(np.array([len(data)])).ravel()
    padded = np.zeros(max(lengths), np.uint8)
    padded[: len(data)] = data
    rows = process_allgather(padded)
    return [bytes(row[:n]).decode() for row, n in zip(rows, lengths, strict=True)]


def own_share() -> slice:
    """Of work in many pieces those that this process does: every so many."""
    return slice(_State.number, None, n_processes())


def added_up(array) -> np.ndarray:
    """The sum of what all processes have, where each has zeros but for its share."""
    if n_processes() == 1:
        return array
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(array)).sum(axis=0)


def digest(arrays) -> str:
    """A few letters that tell arrays, an iterable of them, from others."""
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def check_agreement(describe) -> None:
    """Raise ValueError, in all processes, unless all are about to do the same.

    Parameters
    ----------
    describe : callable
        Gives a dict of what must not differ; called where there are others.
    """
    if n_processes() == 1:
        return
    mine = json.dumps(describe(), default=str)
    said = [json.loads(text) for text in all_say(mine)]
    _State.agreed = True
    for number, theirs in enumerate(said):
        if "error" in theirs:
            raise ValueError(f"process {number} of {len(said)}: {theirs['error']}")
    for number, theirs in enumerate(said):
        for name in [*said[0], *theirs]:
            ours, others = said[0].get(name), theirs.get(name)
            if ours != others:
                raise ValueError(
                    f"the processes differ in {name}: {others!r} in process {number}, "
                    f"{ours!r} in process 0: start all with the same options, data and "
                    "versions"
                )


def made_by_writer(make, parent: Path) -> Path:
    """The folder that `make` makes in `parent`, once, and that all processes see.

    Raises
    ------
    ValueError
        In all processes if it cannot be made, or one does not see it.
    """
    if n_processes() == 1:
        return make()
    name, wrong = "", ""
    if is_writer():
        try:
            name = make().name
        except ValueError as error:
            wrong = str(error)
    name, wrong = json.loads(all_say(json.dumps([name, wrong]))[0])
    if wrong:
        raise ValueError(wrong)
    try:
        return check_shared(parent / name)
    except ValueError:
        if is_writer():
            (parent / name).rmdir()
        raise


def check_shared(folder: Path) -> Path:
    """Return a folder that all processes see as one, or raise ValueError in all."""
    if n_processes() == 1:
        return folder
    file, word = folder / TOKEN, all_say(secrets.token_hex(8))[0]
    if is_writer():
        file.write_text(word)
    all_say("written")
    until, seen = time.monotonic() + SEEN_WITHIN, False
    while not seen and time.monotonic() < until:
        with contextlib.suppress(OSError):
            seen = file.read_text() == word
        time.sleep(0 if seen else 0.2)
    saw = all_say(str(seen))
    if is_writer():
        file.unlink()
    if "False" in saw:
        raise ValueError(
            f"process {saw.index('False')} does not see the files that process 0 "
            f"writes to {folder}: choose a folder that all machines share"
        )
    return folder


def in_company(main):
    """A command's `main` whose end does not keep other processes waiting.

    It returns the command's code as before where this process is the only one.
    """

    @functools.wraps(main)
    def accompanied(argv=None) -> int:
        try:
            code = main(argv)
            if n_processes() > 1 and not code:
                all_say("done")  # so none ends well before the files are written
        except Exception as error:
            if n_processes() == 1:
                raise
            if type(error).__name__ != "JaxRuntimeError":
                traceback.print_exc()
                end(1)
            words = " ".join(str(error).split())
            end(3, f"{LOST} ({words:.200})")
        return code if n_processes() == 1 or not code else end(code)

    return accompanied


def tell_others(error) -> None:
    """Let the others know why this process ends, if they are still to agree."""
    if n_processes() > 1 and not _State.agreed:
        with contextlib.suppress(ValueError, RuntimeError):
            check_agreement(lambda: {"error": str(error)})
