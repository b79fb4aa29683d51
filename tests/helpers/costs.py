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
        self.path, self.seconds, self.total = path, Counter(), 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        name = item.path.relative_to(ROOT).as_posix()
        living = name.endswith(".ipynb") or "browser" in getattr(
            item, "fixturenames", ()
        )
        before = spent(living)
        try:
            return (yield)
        finally:
            self.seconds[name] += spent(living) - before

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if getattr(session.config.option, "numprocesses", None):  # workers tell theirs
            self.total += time.process_time()
            return
        self.total += spent(with_living_children=True)
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["costs"] = [dict(self.seconds), self.total]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        seconds, total = node.workeroutput.get("costs", ({}, 0.0))
        self.seconds.update(seconds)
        self.total += total

    def pytest_terminal_summary(self, terminalreporter):
        costs = {**self.seconds, REST: self.total - sum(self.seconds.values())}
        Path(self.path).write_text(json.dumps(costs, indent=1))
        terminalreporter.write_line(f"{self.total:.0f} processor seconds: {self.path}")
