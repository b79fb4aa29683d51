"""The ledger's chapters: each is in the catalogue, and enters its equations."""

import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dpm.ledger
from dpm import ledger
from dpm.ledger import catalogue

HELPERS = {"__init__", "entries", "catalogue", "worlds", "chains"}
FILES = {path.stem for path in Path(dpm.ledger.__file__).parent.glob("*.py")}


def test_every_file_of_checks_is_a_chapter():
    chapters = {module.__name__.rpartition(".")[2] for module in catalogue.CHAPTERS}
    assert chapters == FILES - HELPERS
    entered = {entry.check.__module__ for entry in catalogue.ledger().values()}
    assert entered == {module.__name__ for module in catalogue.CHAPTERS}


def test_a_chapter_is_shown_with_formula_names_and_check():
    text = catalogue.as_markdown("reverse")
    assert text.count("**Eq. ") == 2 and "*Check:*" in text and "$$" in text
    assert "exact.world.World" in text
    with pytest.raises(ValueError, match="no equation .* in a chapter 'revers'"):
        catalogue.as_markdown("revers")


CHAPTERS = {module.__name__.rpartition(".")[2]: module for module in catalogue.CHAPTERS}


NOT_CHAPTERS = {
    "catalogue",
    "entries",
    "chains",
    "worlds",
}  # chains, worlds: for checks


def entries_of(module):
    """Equations whose checks stand in a file."""
    return [
        e for e in catalogue.ledger().values() if inspect.getmodule(e.check) is module
    ]


def test_every_file_is_a_chapter_or_serves_chapters():
    files = {module.name for module in pkgutil.iter_modules(ledger.__path__)}
    assert files == CHAPTERS.keys() | NOT_CHAPTERS
    assert len(catalogue.CHAPTERS) == len(CHAPTERS)  # none is named twice


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_enters_equations(name):
    assert entries_of(CHAPTERS[name])


def test_no_equation_comes_from_elsewhere():
    found = [e.number for module in CHAPTERS.values() for e in entries_of(module)]
    assert sorted(found) == list(catalogue.ledger())


def test_the_ledger_is_in_order_and_a_copy():
    numbers = list(catalogue.ledger())
    assert numbers == sorted(numbers)
    catalogue.ledger().clear()
    assert list(catalogue.ledger()) == numbers


def test_the_catalogue_alone_loads_every_chapter():
    code = "from dpm.ledger import catalogue; print(len(catalogue.ledger()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 65


def test_a_chapter_as_text_holds_its_equations_and_no_others():
    for chapter in {e.chapter for e in catalogue.ledger().values()}:
        text = catalogue.as_markdown(chapter)
        for entry in catalogue.ledger().values():
            mine = entry.chapter == chapter
            assert (f"**Eq. {entry.number}** in " in text) == mine
            assert not mine or entry.latex in text
            assert not mine or catalogue.typeset(entry.compares) in text
            assert not mine or all(f"`{name}`" in text for name in entry.functions)


def test_symbols_in_a_sentence_are_set_as_mathematics():
    words = "L of pi given x^(t-1) and x^0, with p(x^T) r(x^0) at t = 2: a pixel's K."
    assert catalogue.typeset(words) == (
        r"$L$ of $\pi$ given $\mathbf x^{(t-1)}$ and $\mathbf x^{(0)}$, with "
        r"$p(\mathbf x^{(T)})$ $r(\mathbf x^{(0)})$ at $t = 2$: a pixel's $K$."
    )
    for entry in catalogue.ledger().values():
        left = re.sub(r"\$[^$]*\$", "", catalogue.typeset(entry.compares))
        assert not re.search(r"[\^\\]|\b(Sigma|beta|pi|mu)\b", left)


def test_a_chapter_without_equations_is_refused():
    with pytest.raises(ValueError, match="stands in a chapter 'nowhere'"):
        catalogue.as_markdown("nowhere")
