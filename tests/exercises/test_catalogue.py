"""Every exercise by its name, its mistakes and their hints, its cell and solution."""

import json
import re
from pathlib import Path

import pytest

from dpm.exercises import Choice, Graph, Number, chapters, check, exercises
from dpm.exercises.judge import EMPTY

BOOK = Path(__file__).parents[2] / "book"
ALL = [(chapter, number) for chapter in chapters() for number in exercises(chapter)]


def sources(chapter: str, kind: str) -> list:
    book = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf8"))
    return ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == kind]


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_asks_to_write_and_to_predict(chapter):
    known = exercises(chapter)
    assert 3 <= len(known) <= 5 and list(known) == list(range(1, len(known) + 1))
    kinds = {type(kind) for kind in known.values()}
    assert Graph in kinds, "one exercise is to write in PyTensor"
    assert kinds & {Choice, Number}, "one exercise is to predict before running"


@pytest.mark.parametrize("chapter, number", ALL)
def test_the_page_asks_once_and_solves_once(chapter, number):
    """The solution's cell proves that the right answer is taken for right."""
    name = f"{chapter} {number}"
    cells = [s for s in sources(chapter, "code") if f'check("{name}"' in s]
    asks = [s for s in cells if f'assert check("{name}"' not in s]
    assert len(cells) == 2 and len(asks) == 1, cells
    assert re.search(r"\.\.\.", asks[0]), "the reader's cell is empty at first"
    paragraphs = "\n".join(sources(chapter, "markdown"))
    assert re.search(rf"^\*\*{number}\.\*\*", paragraphs, flags=re.MULTILINE)


@pytest.mark.parametrize("chapter, number", ALL)
def test_no_answer_and_known_mistakes(chapter, number):
    kind = exercises(chapter)[number]
    assert repr(check(f"{chapter} {number}", ...)) == EMPTY
    if isinstance(kind, Choice):
        assert kind.right not in kind.why_not and kind.why_not
        for letter, words in kind.why_not.items():
            assert words in repr(kind.judge(letter))
    if isinstance(kind, Number):
        for words, wrong in kind.mistakes.items():
            verdict = kind.judge(wrong() if callable(wrong) else wrong)
            assert not verdict and words in repr(verdict)


@pytest.mark.parametrize(
    "name", ["forward 9", "forward", "nowhere 1", "forward one", "judge 1", ""]
)
def test_a_name_that_is_not_there(name):
    with pytest.raises(ValueError, match="no exercise"):
        check(name, 1)
