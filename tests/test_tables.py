"""Tables, as text and as HTML."""

import lxml.html
import numpy as np
import pytest

from dpm import viz
from dpm.tables import table


def cells_of(shown):
    """The rows of a table's HTML, and on which side each column stands."""
    rows = lxml.html.fromstring(shown._repr_html_()).xpath(".//tr")
    sides = [cell.get("class").removeprefix("text-") for cell in rows[-1]]
    return [[cell.text_content() for cell in row] for row in rows], sides


def test_the_text_keeps_its_columns():
    shown = table(("T", "edge [bits]", ""), [(5, 2.771, "fine"), (1000, -0.5, "")])
    assert repr(shown).splitlines() == [
        "    T  edge [bits]",
        "    5         2.77  fine",
        "1,000        -0.50",
    ]


def test_text_and_html_say_the_same():
    rows = [("a", 0.12345, "≈ 0.9 ± 0.1", 3), ("b", 20.0, "-0.2 ± 0.1", 4)]
    shown = table(("", "one", "two", "n"), rows, ("", ".3f", "", ""))
    (head, *body), sides = cells_of(shown)
    assert head == ["", "one", "two", "n"]
    assert body[0] == ["a", "0.123", "≈\xa00.9\xa0±\xa00.1", "3"]
    for row, line in zip(body, repr(shown).splitlines()[1:], strict=True):
        assert " ".join(row).replace("\xa0", " ").split() == line.split()
    assert sides == ["left", "right", "right", "right"]


@pytest.mark.parametrize(
    ("cells", "side"),
    [
        (("0.5", "-1", ""), "right"),
        (("≈ 98%", "1,000 ± 2.5", "1e-05"), "right"),
        (("3 of 4", "-2 to +7", "19.7, +32"), "right"),
        (("0.04 + 2.42", "≤ 3.7"), "right"),
        (("0.5", "none"), "left"),
        (("e", "of"), "left"),
        (("", ""), "right"),
    ],
)
def test_numbers_stand_to_the_right(cells, side):
    assert cells_of(table(["x"], [[cell] for cell in cells]))[1] == [side]


def test_numbers_of_any_kind_are_written_alike():
    kinds = 1.25, np.float32(1.25), np.array(1.25), np.float64(1.25)
    shown = repr(table(["x"], [[kind] for kind in kinds], ".1f"))
    assert shown.split() == ["x", *["1.2"] * 4]
    assert repr(table(["n"], [[np.int64(12345)]])).split() == ["n", "12,345"]


def test_words_are_not_taken_for_html():
    shown = table(["<b>"], [["a & b < c"]])
    (head, row), _ = cells_of(shown)
    assert head == ["<b>"] and row == ["a & b < c"]


@pytest.mark.parametrize(
    ("rows", "digits", "said"),
    [
        ([], ".2f", "without rows"),
        ([(1, 2), (1,)], ".2f", "2 columns, but a row"),
        ([(1, 2)], [".2f"], "2 columns, but a row"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, digits, said):
    with pytest.raises(ValueError, match=said):
        table(("a", "b"), rows, digits)


def test_it_is_in_viz_where_the_pages_look():
    assert viz.table is table
