"""The exercises of all chapters, by name, and the one function that pages call."""

import importlib
import pkgutil

from dpm.exercises.judge import Choice, Graph, Number, Verdict


def exercises(chapter: str) -> dict[int, Number | Choice | Graph]:
    """The exercises of a chapter by their numbers.

    A chapter's stand in a room of its name in this folder, in a dict ``EXERCISES``.

    Raises
    ------
    ValueError
        If no such chapter has exercises.
    """
    try:
        return importlib.import_module(f"dpm.exercises.{chapter}").EXERCISES
    except (ModuleNotFoundError, AttributeError):
        raise ValueError(
            f"no exercises for a chapter {chapter!r}; there are some for "
            f"{', '.join(chapters()) or 'none'}"
        ) from None


def chapters() -> list[str]:
    """Names of the chapters that have exercises to check, in alphabetical order."""
    folder = pkgutil.resolve_name("dpm.exercises").__path__
    rooms = {module.name for module in pkgutil.iter_modules(folder)}
    return sorted(rooms - {"catalogue", "judge"})


def check(name: str, answer) -> Verdict:
    """Say whether an answer to an exercise is right, or what to look at.

    Parameters
    ----------
    name : str
        Chapter and number, as in ``"reverse 2"``.
    answer : float, array_like, str or callable
        What the exercise asks for. ``...`` stands for an answer not given yet.

    Returns
    -------
    Verdict
        Shows its words at the end of a cell, and is true where the answer is right.

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> check("reverse 2", ...)
    Put your answer in place of the three dots and run this cell again.
    """
    chapter, _, number = name.rpartition(" ")
    known = exercises(chapter)
    if not number.isdecimal() or int(number) not in known:
        numbers = ", ".join(f'"{chapter} {n}"' for n in known)
        raise ValueError(f"no exercise {name!r}; there are {numbers}")
    return known[int(number)].judge(answer)
