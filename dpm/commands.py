"""What the three commands share: reading options, and saying what was typed."""

import argparse
import ast
import os
import platform
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

from dpm.blocks import devices, processes
from dpm.version import __version__


class OneLineParser(argparse.ArgumentParser):
    """Reports a bad option in one line."""

    def error(self, message):
        self.exit(2, f"error: {message}; --help lists the options\n")


def parse_model_args(text: str, option: str = "--model-args") -> dict:
    """Read ``name=value, name=value`` with Python's literals, and nothing else.

    The reference evaluates this text as code.
    """
    try:
        source = f"dict({text})"
        call = ast.parse(source, mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("names are missing")
        if any(item.arg is None for item in call.keywords):
            raise ValueError("stars are not allowed")
        return {item.arg: _literal(item, source) for item in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ValueError(
            f"{option} {text!r} cannot be read ({why}): write names and plain "
            "values, such as \"n_scales=3, variant='paper'\""
        ) from None


def _literal(item, source: str):
    """The value of ``name=value``, or ValueError that shows what was typed."""
    try:
        return ast.literal_eval(item.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        typed = ast.get_source_segment(source, item.value)
        raise ValueError(f"{item.arg} = {typed} is not a plain value") from None


def add_device_options(parser) -> None:
    """The options of devices and processes, which `use_devices` acts on."""
    add = parser.add_argument_group("devices").add_argument
    add(
        "--devices", type=parse_devices, metavar="N",
        help="of this machine, that share each batch; or all (1, of several processes "
        "all)",
    )  # fmt: skip
    add(
        "--coordinator", metavar="HOST:PORT",
        help="of several processes: where process 0 runs, and a free port there; or "
        "auto, what SLURM, Open MPI or Kubernetes says",
    )  # fmt: skip
    add("--n-processes", type=int, metavar="N", help="each started by this command")
    add("--process-id", type=int, metavar="I", help="which this is, from 0 on")


def parse_devices(text: str):
    """A number of devices, or "all"."""
    if text == "all" or text.isdigit():
        return text if text == "all" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor all")


def use_devices(args) -> None:
    """Bring together the processes and devices that were asked for, or ValueError."""
    for option in ("n_processes", "process_id"):
        if getattr(args, option) is not None and args.coordinator is None:
            raise ValueError(f"--{option.replace('_', '-')} needs --coordinator")
    if args.coordinator is not None:
        processes.join(args.coordinator, args.n_processes, args.process_id)
    if args.devices is not None or args.coordinator is not None:
        devices.use(None if args.devices in (None, "all") else args.devices)


def parse_bool(text: str) -> bool:
    """'true' or 'false'; the reference takes any text for true."""
    choices = {"true": True, "1": True, "yes": True}
    choices |= {"false": False, "0": False, "no": False}
    if text.lower() not in choices:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return choices[text.lower()]


def given_options(args, names) -> dict:
    """Those of some options that were typed."""
    return {k: getattr(args, k) for k in names if getattr(args, k) is not None}


def command_line(program: str = "dpm.train") -> str:
    """What was typed, without the folders of this machine, to be typed again."""
    return " ".join([f"python -m {program}", *map(quoted, map(portable, sys.argv[1:]))])


PATH_IN_QUOTES = re.compile(r"""(['"])([^'"]*/[^'"]*)\1""")


def portable(word: str) -> str:
    """A word without folders: of a path its last part, also inside of settings."""
    if PATH_IN_QUOTES.search(word):
        return PATH_IN_QUOTES.sub(lambda m: m[1] + last_part(m[2]) + m[1], word)
    option, equals, value = word.partition("=")
    if equals and option.startswith("--"):
        return option + equals + last_part(value)
    return last_part(word)


def last_part(path: str) -> str:
    """Of a path its last part; of a word without folders the word."""
    return Path(path).name or path if os.sep in path else path


def machine() -> dict:
    """What a run was made on, as far as it shapes speed; no name of its own."""
    return {"system": platform.system(), "processor": platform.machine(),
            "cores": os.cpu_count()}  # fmt: skip


def quoted(word: str) -> str:
    """A word for the shell; within double quotes, if those do, since we use single."""
    if shlex.quote(word) == word or set(word) & set('"$`\\!'):
        return shlex.quote(word)
    return f'"{word}"'


def versions() -> dict:
    """Versions of what shapes a result."""
    packages = (
        "pytensor", "jax", "numba", "numpy", "pillow", "scikit-image", "scikit-learn",
    )  # fmt: skip
    found = {"python": platform.python_version(), "dpm": __version__}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
