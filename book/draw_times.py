"""The page of reading and running times, from the record of the tests.

    pytest --nbval --costs costs.json
    python book/draw_times.py costs.json

Writes ``book/times.md``. Words are those of the text, without formulas and code.
"""

import json
import re
import sys
from pathlib import Path

from dpm.blocks.checkpoint import write_whole

BOOK = Path(__file__).resolve().parent
PER_MINUTE = 150  # words, of a text with formulas
HEAD = """# Reading and running times

How long a chapter takes to read, at {rate} words a minute (formulas and code are not
counted, nor the time to think about them), and how many processor seconds its cells
take to run, the start of Python included. The tests measured them on two slow cores,
with nothing compiled before; fast ones took less than half of it.

| chapter | words | minutes to read | seconds to run |
|---|---:|---:|---:|
"""
NOT_WORDS = (
    r"^`{3,}[^\n]*",
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"</?[a-z][^<>]*>",
    r"`[^`\n]+`",
)


def words(notebook: Path) -> int:
    """Of the text of a chapter, in English."""
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    text = "\n".join(texts)
    for pattern in NOT_WORDS:
        text = re.sub(pattern, " ", text, flags=re.S | re.M)
    return len(re.findall(r"[A-Za-z][A-Za-z'’-]*", text))


def chapters() -> list[tuple[str, str]]:
    """Names and titles, numbered, in the order of the table of contents."""
    toc = (BOOK.parent / "_toc.yml").read_text(encoding="utf8")
    found = []
    for name in re.findall(r"file: book/(\w+)", toc):
        path = BOOK / f"{name}.ipynb"
        if path.exists():
            first = json.loads(path.read_text(encoding="utf8"))["cells"][0]["source"]
            found.append((name, "".join(first).split("\n")[0].removeprefix("# ")))
    return found


def page(costs: dict) -> str:
    """The page, of processor seconds by file."""
    rows, read, ran = [], 0, 0.0
    for number, (name, title) in enumerate(chapters(), start=1):
        count, seconds = words(BOOK / f"{name}.ipynb"), costs[f"book/{name}.ipynb"]
        minutes = max(1, round(count / PER_MINUTE))
        unbroken = re.sub(r"-(?=\d)", "\N{NON-BREAKING HYPHEN}", title)
        link = f"{number}. [{unbroken}]({name}.ipynb)"
        rows.append(f"| {link} | {count:,} | {minutes} | {seconds:.0f} |")
        read, ran = read + minutes, ran + seconds
    rows.append(f"| all of them | | {read} | {ran:.0f} |")
    return HEAD.format(rate=PER_MINUTE) + "\n".join(rows) + "\n"


if __name__ == "__main__":
    text = page(json.loads(Path(sys.argv[1]).read_text(encoding="utf8")))
    write_whole(BOOK / "times.md", lambda file: file.write(text.encode()))
