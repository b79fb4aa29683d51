"""Every decimal number that a chapter says is in one of its outputs, or has a source.

The captions of figures say numbers too. Numbers in formulas, in code and in the numbers
of equations, sections and tables are not looked at. A number counts as printed if an
output of the same chapter rounds to it, or to a hundredth of it, for shares that the
prose gives in per cent.
"""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
SOURCES = {  # what no cell prints, by chapter: where it is from
    "cifar10": {"0.0001": "a setting of the cell below"},
    "entropy": {"2.35": "Table 1 of the paper"},
    "mnist": {"0.02": "a setting of the recipe"},
    "porting": {"0.308": "a setting of the 2015 code"},
}
NOT_PROSE = [
    r"```.*?```",
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"\\begin\{.*?\\end\{[a-z*]+\}",
    r"`[^`]*`",
    r"\]\([^)]*\)",
    r"https?://\S+",
    r"(?:Eqs?|Sections?|Appendix|Tables?|Figures?|Algorithm|version|arXiv)[.:]?\s*"
    r"[A-Z]*\.?\d[\d.]*(?:\s*(?:,|and|to)\s*\d[\d.]*)*",
]
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?!\.?\d)")
PRINTED = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+")


def said(markdown: str) -> list[str]:
    """The decimal numbers of the sentences of a cell."""
    for pattern in NOT_PROSE:
        markdown = re.sub(pattern, " ", markdown, flags=re.DOTALL)
    return DECIMAL.findall(markdown)


def printed(cells: list) -> list[float]:
    """All numbers in the outputs of a notebook."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("text", "") for output in outputs]
    for output in outputs:
        kinds = output.get("data", {}).items()
        texts += [text for kind, text in kinds if kind.startswith("text/")]
    found = PRINTED.findall("\n".join("".join(text) for text in texts))
    return [float(number.replace(",", "")) for number in found]


def prose_of(cell: dict) -> str:
    """What a reader reads: a cell of markdown, or the caption of a figure."""
    if cell["cell_type"] == "markdown":
        return "".join(cell["source"])
    look = cell.get("metadata", {}).get("mystnb", {})
    return look.get("figure", {}).get("caption", "")


def unsupported(cells: list, sources: dict) -> list[str]:
    """The numbers of the prose that no output shows and that have no source."""
    numbers, missing = printed(cells), []
    for place, cell in enumerate(cells):
        for number in said(prose_of(cell)):
            half = 0.5001 * 10.0 ** -len(number.split(".")[1])
            shown = any(
                abs(value - float(number)) <= half
                for n in numbers
                for value in (n, 100 * n)
            )
            if not shown and number not in sources:
                missing.append(f"cell {place}: {number}")
    return missing


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_numbers_in_prose_are_printed_or_have_a_source(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = SOURCES.get(path.stem, {})
    assert not unsupported(cells, sources)
    numbers = {number for cell in cells for number in said(prose_of(cell))}
    assert set(sources) <= numbers, "a source for a number that is said no longer"


def test_a_number_that_no_cell_prints_is_found():
    prose = {"cell_type": "markdown", "source": ["It lost 1.25 bits ($0.5$, Eq. 2.1)."]}
    code = {"cell_type": "code", "outputs": [{"text": ["K = 1.26\n"]}], "source": []}
    assert unsupported([prose, code], {}) == ["cell 0: 1.25"]
    assert unsupported([prose, code], {"1.25": "the paper"}) == []
    code["outputs"][0]["text"] = ["K = 1.2482\n"]
    assert unsupported([prose, code], {}) == []
    code["metadata"] = {"mystnb": {"figure": {"caption": "It loses 3.5 bits."}}}
    assert unsupported([prose, code], {}) == ["cell 1: 3.5"]
