"""Graphs are made quickly, where nobody will read how they were made.

PyTensor keeps, for error messages, the lines of code that made each variable
(``traceback__limit``, which conftest.py sets to 0), and reads the C code of
`DimShuffle` from disk for each one of them, though no mode of ours compiles C.
Together that was a seventh of the tests' time.
"""

import functools

from pytensor.link.c.op import ExternalCOp


def read_c_code_once() -> None:
    """Of each `Op` once a process."""
    load, known = ExternalCOp.load_c_code, {}

    @functools.wraps(load)
    def load_c_code(self, func_files):
        key = (type(self), *func_files)
        if key not in known:
            load(self, func_files)
            known[key] = self.func_codes, self.code_sections
        self.func_codes, self.code_sections = (part.copy() for part in known[key])

    ExternalCOp.load_c_code = load_c_code
