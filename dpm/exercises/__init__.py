"""Answers to the exercises, checked: see `dpm.exercises.catalogue` and ``judge``.

A chapter's exercises stand in a room of its name in this folder. In the page, an
exercise is a paragraph that begins with its number in bold; a cell that says
``check("reverse 2", ...)``, or that defines a function whose body is ``return ...`` and
hands it to `check`; and a folded solution, whose hidden cell ends with
``assert check("reverse 2", ...)``, this time with the answer.
"""

from dpm.exercises.catalogue import chapters, check, exercises
from dpm.exercises.judge import Choice, Graph, Number, Verdict

__all__ = [
    "Choice",
    "Graph",
    "Number",
    "Verdict",
    "chapters",
    "check",
    "exercises",
]
