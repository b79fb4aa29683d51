"""The roll call of several processes, before `jax.distributed` brings them together.

JAX would end all of them, with a stack trace, where two have one number, where one does
not come or nobody answers. So process 0 first hears who the others are, and tells them
what is wrong.
"""

import contextlib
import socket
import time

PATIENCE = 45.0  # seconds for all processes to come


def missing(who: str) -> str:
    """What is said of processes that have not come."""
    return f"{who} had come after {PATIENCE:.0f} s: start all within that time"


def address(coordinator: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, or ValueError."""
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(
            f"--coordinator {coordinator}: write HOST:PORT, the machine of process 0 "
            "and a free port there, such as 10.0.0.1:9876; or auto"
        )
    return host.strip("[]"), int(port)


def call_the_roll(host: str, port: int, n: int, number: int) -> None:
    """Come together before JAX does.

    Raises
    ------
    ValueError
        In all processes if two have one number, or count differently; if nobody
        answers, or not all come, within `PATIENCE` seconds; if the port is taken.
    """
    until = time.monotonic() + PATIENCE
    try:
        if number:
            _answer(host, port, n, number, until)
        else:
            _hear_others(port, n, until)
    except ValueError as error:
        raise ValueError(f"--coordinator {host}:{port}: {error}") from None


def _hear_others(port: int, n: int, until: float) -> None:
    """What process 0 does in `call_the_roll`."""
    try:
        server = socket.create_server(("", port))
    except OSError as error:
        raise ValueError(
            f"process 0 cannot have the port ({error.strerror}): is there another "
            "process 0 here? Or choose another port"
        ) from None
    callers, present, wrong = [], {0}, ""
    with contextlib.ExitStack() as stack:
        stack.enter_context(server)
        while len(present) < n and not wrong:
            server.settimeout(max(0.01, until - time.monotonic()))
            try:
                caller = stack.enter_context(server.accept()[0])
            except TimeoutError:
                who = ", ".join(map(str, sorted(present)))
                wrong = missing(f"of {n} processes only {who}")
                break
            try:
                caller.settimeout(1)
                their, count = map(int, caller.recv(100).split())
            except (OSError, ValueError):
                continue  # none of ours
            callers.append(caller)
            if count != n:
                wrong = (f"process 0 counts {n} processes, process {their} counts "
                         f"{count}: give both the same --n-processes")  # fmt: skip
            elif their in present:
                wrong = f"two processes have --process-id {their}: give each its own"
            present.add(their)
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.sendall((wrong or "welcome").encode())
    if wrong:
        raise ValueError(wrong)


def _answer(host: str, port: int, n: int, number: int, until: float) -> None:
    """What the other processes do in `call_the_roll`."""
    why = "it does not answer"
    while (left := until - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, port), timeout=left) as server:
                server.sendall(f"{number} {n}".encode())
                said = server.recv(500).decode(errors="replace")
        except OSError as error:
            why = str(error.strerror or error)
            time.sleep(min(0.2, left))
            continue
        if said == "welcome":
            return
        if said.isprintable() and said:
            raise ValueError(said)
        why = "what answers does not wait for processes: has the run begun?"
        time.sleep(min(0.2, left))
    raise ValueError(
        f"process 0 was not reached in {PATIENCE:.0f} s ({why}): start it, see that "
        "the machine's name is right, and that its firewall lets the port through"
    )
