"""Settings: one declared type and range for each, where its default stands.

A setting is a parameter of a function, or a field of a recipe, and its annotation says
what it may be: ``noise: NotNegative = 0.0``. Pydantic holds values against that. Those
from Python, from the command line and from checkpoints all pass here, and ``--help``
prints the same annotations in words.
"""

import functools
import inspect
import math
import os
import types
from collections.abc import Callable
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from annotated_types import Ge, Interval

Natural = Annotated[int, Ge(0)]
Count = Annotated[int, Ge(1)]
Several = Annotated[int, Ge(2)]
Number = Annotated[float, Interval(gt=-math.inf, lt=math.inf)]
Positive = Annotated[float, Interval(gt=0, lt=math.inf)]
NotNegative = Annotated[float, Interval(ge=0, lt=math.inf)]
Between = Annotated[float, Interval(gt=0, lt=1)]  # the ends 0 and 1 left out
Fraction = Annotated[float, Interval(ge=0, le=1)]
BelowOne = Annotated[float, Interval(ge=0, lt=1)]
Place = str | os.PathLike | None
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
    dict: "settings by name",
    os.PathLike: "a path",
}


def defaults_of(of: Callable) -> dict:
    """The parameters of a function by name, with their defaults; None is no default."""
    parameters = inspect.signature(of).parameters.values()
    return {
        p.name: None if p.default is p.empty else p.default
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    }


@functools.cache
def declared(of: Callable) -> dict:
    """What each parameter of a function, or field of a dataclass, may be.

    Parameters
    ----------
    of : callable

    Returns
    -------
    dict
        Annotations by name, in order.

    Raises
    ------
    TypeError
        If one has no annotation.
    """
    names = [name for name in defaults_of(of) if name != "self"]
    hints = get_type_hints(of, include_extras=True)
    missing = [name for name in names if name not in hints]
    if missing:
        raise TypeError(f"{of.__qualname__} does not declare {', '.join(missing)}")
    return {name: hints[name] for name in names}


def check_settings(given: dict, allowed: dict) -> None:
    """Raise ValueError, by name, for the first value that is not what was declared.

    Parameters
    ----------
    given : dict
        Values by name; names that are not in `allowed` pass.
    allowed : dict
        Annotations by name, as of `declared`.
    """
    for name, value in given.items():
        if name in allowed:
            check_setting(value, name, allowed[name])


def check_setting(value, name: str, annotation) -> None:
    """Raise ValueError unless a value is of an annotated type and in its range.

    Types are taken by the letter: True is no number, and 2.0 no whole one. But a whole
    number serves as a number, NumPy's numbers as Python's, and a symbolic variable as
    anything, since its value is not known yet.
    """
    if hasattr(value, "owner") and hasattr(value, "type"):
        return
    value = value.item() if isinstance(value, np.generic) else value
    wrong = _what_is_wrong(value, annotation)
    if wrong is None:
        return
    core, optional = _core(annotation)
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) < 80 else f"{shown:.76} ..."
    if get_origin(core) is Literal:
        choices = ", ".join(map(str, get_args(core)))
        raise ValueError(f"unknown {name} {shown}: there are {choices}")
    said = _range_in_words(core) if wrong.startswith(("greater", "less")) else ""
    said = said or f"be {_kind_in_words(core)}"
    raise ValueError(f"{name} = {shown}: it must {said}{' or None' * optional}")


def typed(function: Callable) -> Callable:
    """A function that checks its arguments against its annotations before it runs."""
    allowed = declared(function)
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args, **kwargs):
        check_settings(dict(zip(names, args, strict=False)) | kwargs, allowed)
        return function(*args, **kwargs)

    return checked


def in_words(annotation) -> str:
    """What an annotation allows: 'a whole number, at least 1'."""
    core, optional = _core(annotation)
    said = [_kind_in_words(core), _range_in_words(core)]
    said = ", ".join(filter(None, said)).replace(", be ", ", ").replace(", lie", "")
    return said + " or None" * optional


def listed(allowed: dict, defaults: dict) -> str:
    """Settings, one a line, with what each may be and its default, for --help."""
    lines = []
    for name, annotation in allowed.items():
        default = defaults.get(name)
        shown = "" if default is None else f" ({default!r})"
        lines.append(f"  {name}: {in_words(annotation)}{shown}\n")
    return "".join(lines)


def plain_type(annotation) -> type:
    """The Python type of an annotation, for a parser of options: int, float, str."""
    core, _ = _core(annotation)
    if get_origin(core) is Literal:
        return type(get_args(core)[0])
    return get_args(core)[0] if get_origin(core) is Annotated else core


@functools.cache
def _adapter(annotation):
    """What holds values against an annotation."""
    from pydantic import ConfigDict, TypeAdapter  # a tenth of a second to import

    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    return TypeAdapter(annotation, config=config)


def _what_is_wrong(value, annotation) -> str | None:
    """Pydantic's name for it, or None where nothing is."""
    from pydantic import ValidationError

    try:
        _adapter(annotation).validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["type"]
    return None


def _core(annotation) -> tuple:
    """An annotation without None, and whether None was among what it allows."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    members = [one for one in get_args(annotation) if one is not types.NoneType]
    optional = len(members) < len(get_args(annotation))
    return Union[*members], optional  # noqa: UP007  (their number is not known)


def _kind_in_words(core) -> str:
    if get_origin(core) is Literal:
        return ", ".join(map(repr, get_args(core)))
    if get_origin(core) is Annotated:
        core = get_args(core)[0]
    kinds = get_args(core) if get_origin(core) is Union else [core]
    return " or ".join(WORDS[kind] for kind in kinds)


def _range_in_words(core) -> str:
    """'at least 1', 'positive', 'lie in [0, 1)'; '' where there is none."""
    if get_origin(core) is not Annotated:
        return ""
    _, bound = get_args(core)
    if isinstance(bound, Ge):
        return f"be at least {bound.ge}"
    if bound.lt == math.inf:
        if bound.gt == -math.inf:
            return "be finite"
        return "be positive and finite" if bound.gt == 0 else "be at least 0 and finite"
    low, a = ("(", bound.gt) if bound.ge is None else ("[", bound.ge)
    high, b = (")", bound.lt) if bound.le is None else ("]", bound.le)
    return f"lie in {low}{a}, {b}{high}"
