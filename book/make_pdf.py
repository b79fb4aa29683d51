"""The book on paper.

Typed after ``jupyter-book build .``, in the folder above this one, as::

    python book/make_pdf.py

Chromium prints the pages of ``_build/html`` in the order of the table of contents.
They become one file, ``_build/book.pdf``, with a title, a list of chapters, page
numbers, and links that lead from chapter to chapter. ``--reference`` adds the reference
of the package.
"""

import argparse
import io
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import lxml.html
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, NumberObject
from tqdm import tqdm

from dpm.blocks.checkpoint import write_whole
from dpm.doctor import browser
from dpm.version import __version__

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
MARGIN = {"top": "18mm", "bottom": "20mm", "left": "16mm", "right": "16mm"}
PAPER = {"format": "A4", "scale": 0.8, "margin": MARGIN}
TITLE = """<html lang="en"><style>
body {{ font: 13pt sans-serif; line-height: 1.7; }} h1 {{ font-size: 30pt; }}
header {{ height: 300mm; text-align: center; padding-top: 90mm;
box-sizing: border-box; }}
header svg {{ width: 60mm; height: auto; }} section {{ break-before: page; }}
p {{ margin: 0; display: flex; }} i {{ flex: 1; margin: 0 2mm 1mm;
border-bottom: 1px dotted #999; }} h2 {{ font-size: 12pt; margin: 4mm 0 1mm; }}
</style><header>{logo}<h1>Diffusion from the beginning</h1>
the dpm authors<br>version {version}</header>
<section><h1>Contents</h1>{lines}</section></html>"""


def chapters(reference: bool) -> list[tuple[str, str | None]]:
    """Pages in order, each with the heading of the part that it begins, or None."""
    toc, part, found = (ROOT / "_toc.yml").read_text(encoding="utf8"), None, []
    for key, value in re.findall(r"(root|caption|file): (.*)", toc):
        if key == "caption":
            part = value
        elif reference or "/api/" not in value:
            found.append((value, part))
            part = None
    return found


def printed(page, path: Path) -> PdfReader:
    """A page of the site on A4, its formulas set."""
    page.goto(path.as_uri())
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax && MathJax.startup.promise")
        page.evaluate("MathJax.startup.promise")
    return PdfReader(io.BytesIO(page.pdf(**PAPER)))


def contents(page, rows) -> PdfReader:
    """The title and the list of chapters, which stand before page 1."""
    lines = []
    for title, part, number in rows:
        lines += [f"<h2>{part}</h2>"] if part else []
        lines.append(f"<p>{title}<i></i>{number}</p>")
    logo = (ROOT / "book" / "_static" / "logo.svg").read_text(encoding="utf8")
    logo = logo[logo.index("<svg") :]
    lines = "\n".join(lines)
    page.set_content(TITLE.format(logo=logo, version=__version__, lines=lines))
    return PdfReader(io.BytesIO(page.pdf(**PAPER)))


def number_pages(writer: PdfWriter, first: int) -> None:
    """Write 1, 2, 3 at the feet of the pages from the one at the place `first`."""
    width, height = (float(x) / 72 for x in writer.pages[first].mediabox[2:])
    sheets = io.BytesIO()
    with PdfPages(sheets) as pdf:
        for number in range(1, len(writer.pages) - first + 1):
            figure = Figure(figsize=(width, height))
            figure.text(0.5, 0.35 / height, number, ha="center", fontsize=9)
            pdf.savefig(figure, transparent=True)
    for page, sheet in zip(writer.pages[first:], PdfReader(sheets).pages, strict=True):
        page.merge_page(sheet)


def link_chapters(writer: PdfWriter, starts: dict[str, int]) -> None:
    """Links to pages of the site become links to the chapters of the file."""
    for page in writer.pages:
        for annotation in page.get("/Annots", ()):
            action = annotation.get_object().get("/A", {})
            uri = unquote(str(action.get("/URI", ""))).partition("#")[0]
            if not uri.startswith(HTML.as_uri()):
                continue
            name = uri.removeprefix(HTML.as_uri() + "/").removesuffix(".html")
            if name in starts:
                there = writer.pages[starts[name]].indirect_reference
                place = ArrayObject([there, NameObject("/XYZ"), *[NumberObject(0)] * 3])
                action[NameObject("/S")] = NameObject("/GoTo")
                action[NameObject("/D")] = place
                del action["/URI"]


def join(front: PdfReader, rows, parts, path: Path) -> int:
    """Write the pages of all, numbered and linked; returns how many there are."""
    writer, starts = PdfWriter(), {}
    writer.append(front, outline_item="Contents")
    for (name, reader), (title, *_) in zip(parts, rows, strict=True):
        starts[name] = len(writer.pages)
        writer.append(reader, outline_item=title, import_outline=False)
    number_pages(writer, len(front.pages))
    link_chapters(writer, starts)
    for page in writer.pages:
        page.compress_content_streams()
    writer.add_metadata({"/Title": "Diffusion from the beginning"})
    writer.compress_identical_objects()
    write_whole(path, writer.write)
    return len(writer.pages)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--reference", action="store_true", help="the package's too")
    args = parser.parse_args(argv)
    missing = None
    if browser() is None:
        missing = "no Chromium on the path: install it (apt-get install chromium)"
    elif not (HTML / "index.html").exists():
        missing = f"{HTML} holds no book: type 'jupyter-book build .' first"
    if missing:
        print(f"make_pdf: {missing}", file=sys.stderr)
        return 2
    parts, rows, number = [], [], 1
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=browser(), args=flags)
        page = chromium.new_page(color_scheme="light")
        page.set_default_timeout(120_000)
        for name, part in tqdm(chapters(args.reference), unit="page"):
            path = HTML / f"{name}.html"
            title = lxml.html.parse(path).findtext(".//title").partition(" \u2014 ")[0]
            parts.append((name, printed(page, path)))
            rows.append((title, part, number))
            number += len(parts[-1][1].pages)
        front = contents(page, rows)
        chromium.close()
    path = ROOT / "_build" / "book.pdf"
    n_pages = join(front, rows, parts, path)
    print(f"{path}: {n_pages} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
