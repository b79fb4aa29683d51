"""What each room of tests and each page costs, in processor seconds.

`pytest --nbval --costs FILE` writes the figures of a run to FILE as JSON, and
``tests/benchmarks/bench_suite.py`` prints them as a table. Wall time would tell as much
about the machine's other work as about the tests.
"""

import json
import resource
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
REST = "start, imports, collection"


def spent(with_living_children=False):
    """Processor seconds so far, of this process and of its children.

    Those of children that still run (a notebook's kernel, a browser) count on demand,
    because looking for them takes some milliseconds.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.process_time() + ended.ru_utime + ended.ru_stime
    if with_living_children:
        for child in psutil.Process().children(recursive=True):
            try:
                seconds += sum(child.cpu_times()[:4])  # with its own children's
            except psutil.NoSuchProcess:
                pass
    return seconds


class Costs:
    """Adds up processor seconds by file; each worker tells the main process its own."""

    def __init__(self, path):
        self.path, self.seconds, self.inside = path, Counter(), 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        name = item.path.relative_to(ROOT).as_posix()
        living = name.endswith(".ipynb") or "browser" in getattr(
            item, "fixturenames", ()
        )
        before, own = spent(living), time.process_time()
        try:
            return (yield)
        finally:
            # a browser that ended takes its children's seconds along, unreported
            self.seconds[name] += max(0.0, spent(living) - before)
            self.inside += time.process_time() - own

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        self.seconds[REST] += time.process_time() - self.inside
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["costs"] = dict(self.seconds)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.seconds.update(node.workeroutput.get("costs", {}))

    def pytest_terminal_summary(self, terminalreporter):
        Path(self.path).write_text(json.dumps(self.seconds, indent=1))
        total = sum(self.seconds.values())
        terminalreporter.write_line(f"{total:.0f} processor seconds: {self.path}")
