"""Tables of numbers: as text where there is only text, and as HTML on a page."""

import re
from html import escape

import numpy as np

# Numbers with signs and errors, or two of them: "≈ 0.98 ± 0.02", "4.1e-5", "3 of 4".
NUMBER = re.compile(r"(?=.*\d)(?:[-+≈±≤≥<>%.,\d\s]|\bof\b|\bto\b|(?<=\d)e(?=[-+\d]))+")
EMPTY = ("", "-", "—")


class Table:
    """What `table` gives: it shows itself at the end of a cell, and by ``print``."""

    def __init__(self, head: list, rows: list):
        self.head, self.rows = head, rows
        columns = list(zip(*rows, strict=True))
        self.to_right = [
            all(c in EMPTY or NUMBER.fullmatch(c) for c in column) for column in columns
        ]

    def __repr__(self):
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, self.to_right, strict=True)
            ).rstrip()
            for line in lines
        )

    @staticmethod
    def _unbroken(cell, is_number):
        """Numbers stay on their line; words do not."""
        return escape(cell).replace(" ", "\N{NO-BREAK SPACE}" if is_number else " ")

    def _repr_html_(self):
        def row(cells, tag, *more):
            sides = ("right" if right else "left" for right in self.to_right)
            cells = "".join(
                f'<{" ".join([tag, *more])} class="text-{side}">{cell}</{tag}>'
                for cell, side in zip(cells, sides, strict=True)
            )
            return f"<tr>{cells}</tr>"

        head = row(map(escape, self.head), "th", 'scope="col"')
        lines = [row(map(self._unbroken, line, self.to_right), "td")
                 for line in self.rows]  # fmt: skip
        return (
            '<div class="pst-scrollable-table-container"><table class="table">\n'
            f"<thead>{head}</thead>\n<tbody>" + "\n".join(lines) + "</tbody>\n"
            "</table></div>"
        )


def table(head, rows, digits=".2f") -> Table:
    """Numbers in rows and columns, with a name over each column.

    Parameters
    ----------
    head : sequence of str
        Names of the columns; units belong here.
    rows : iterable of sequences
        One cell a column: text, which stands as it is, or a number.
    digits : str or sequence of str
        How numbers other than integers are written: a format of Python, such as
        ".3f", or one a column.

    Returns
    -------
    Table
        Shown as HTML at the end of a notebook's cell, as text by ``print``. Columns of
        numbers are set to the right, others to the left.

    Raises
    ------
    ValueError
        If there is no row, or one has more or fewer cells than there are columns.

    Examples
    --------
    >>> table(["T", "edge", "form"], [[5, 2.771, 0.03], [80, 1.44, "none"]])
     T  edge  form
     5  2.77  0.03
    80  1.44  none
    """
    head, rows = [str(name) for name in head], [list(row) for row in rows]
    digits = [digits] * len(head) if isinstance(digits, str) else list(digits)
    if not rows:
        raise ValueError("a table without rows: give one at least")
    for row in [digits, *rows]:
        if len(row) != len(head):
            raise ValueError(
                f"{len(head)} columns, but a row (or digits) of {len(row)}: {row}"
            )
    return Table(head, [[*map(_written, row, digits)] for row in rows])


def _written(cell, digits: str) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int | np.integer):
        return f"{cell:,}"
    return f"{float(cell):{digits}}"
