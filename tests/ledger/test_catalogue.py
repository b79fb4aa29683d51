"""The ledger's chapters: each is in the catalogue, and enters its equations."""

from pathlib import Path

import pytest

import dpm.ledger
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
