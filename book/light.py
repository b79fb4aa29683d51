"""What a reader of the built site loads is made light, and looks the same.

After the build, `website.py` calls `make_light`, which

- copies those parts of MathJax that the pages load, and none of what they do not;
- keeps of the theme's icons those that are shown, and of the styles those whose classes
  some page or script names;
- writes the pixels of figures and sliders as lossless WebP and their curves without
  spaces and zeros that say nothing, gives each figure its size, and tells the style
  sheet which figures are only lines and letters;
- leaves out the tags of what the highlighter would give the colour of all code;
- offers notebooks for download without their outputs, which the page shows already.
"""

import base64
import importlib.util
import io
import logging
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from fontTools import subset
from PIL import Image

from dpm.inline import EMBEDDED, PICTURES

MATHJAX = (  # what `loader` in _config.yml names, and what that loads
    "startup.js",
    "core.js",
    "input/tex-base.js",
    "input/tex/extensions/ams.js",
    "input/tex/extensions/boldsymbol.js",
    "output/chtml.js",
    "output/chtml/fonts",
    "a11y/assistive-mml.js",
)
ICON_RULE = re.compile(
    r"(?:\.fa-[\w-]+:before,?)+\{content:\"\\[0-9a-f]+\"\}"  # .fa-moon:before{...}
)


def copy_mathjax(static: Path) -> None:
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    source = Path(package.submodule_search_locations[0]) / "static" / "mathjax"
    for name in MATHJAX:
        target = static / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, target)


def keep_icons(out: Path) -> None:
    """Of the theme's 2,000 icons, those on our pages, from its own font and rules."""
    static = out / "_static"
    pages = "".join(p.read_text(encoding="utf8") for p in out.rglob("*.html"))
    shown = {f".{name}:before" for name in re.findall(r"\bfa-[a-z-]+", pages)}
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    if not fonts.is_dir():  # done by an earlier build, whose files still stand
        return

    def keep(rule):
        names = set(rule[0].partition("{")[0].split(","))
        return rule[0] if names & shown else ""

    rules = ICON_RULE.sub(keep, sheet.read_text(encoding="utf8"))
    rules = re.sub(r"url\([^)]*fa-solid-900\.woff2\)[^,]*,", "", rules)
    sheet.write_text(rules, encoding="utf8")
    text = rules + (static / "styles" / "sphinx-book-theme.css").read_text("utf8")
    codes = {int(code, 16) for code in re.findall(r"\"\\(f[0-9a-f]{3})\"", text)}
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options()
    font = subset.load_font(str(fonts / "fa-solid-900.ttf"), options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=codes)
    chosen.subset(font)
    shutil.rmtree(fonts)
    fonts.mkdir()
    subset.save_font(font, str(fonts / "fa-solid-900.ttf"), options)
    script = static / "scripts" / "fontawesome.js"  # would draw what the font shows
    script.write_text("// not needed: the icons are a font\n", encoding="utf8")


def search_on_its_page(out: Path) -> None:
    """Load the index of all words, larger than most pages, where it is used."""
    names = "_static/searchtools|_static/language_data|searchindex"
    script = rf'<script src="[./]*({names})\.js[^"]*"></script>'
    for path in out.rglob("*.html"):
        if path.name != "search.html":
            page = path.read_text(encoding="utf8")
            path.write_text(re.sub(script, "", page), encoding="utf8")


def slim(static: Path) -> None:
    """Remove what no page asks for."""
    for path in static.rglob("*.map"):
        path.unlink()
    shutil.rmtree(static / "locales", ignore_errors=True)


def bare_notebooks(sources: Path) -> None:
    """Downloads are to be run: without outputs all of them weigh less than one did."""
    for path in sources.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)


# What Bootstrap's script gives to tags of a page while it is read.
WHILE_READ = re.compile(r"(?:bs-)?(?:tooltip|dropdown|collaps|show|hid|fade)[\w-]*")
WORDS = ("texts.js", "searchindex.js")  # of the book


def used_styles(out: Path) -> None:
    """Leave out rules for classes that nothing names: half of the theme's sheet.

    A class is named by a page or by a script. Not looked through are scripts that hold
    the book's words, MathJax, which brings its styles along, and of Bootstrap what
    no page of ours has, such as its dialogs.
    """
    words = set()
    for path in [*out.rglob("*.html"), *(out / "_static").rglob("*.js")]:
        text = path.read_text(encoding="utf8")
        if path.name == "bootstrap.js":
            words.update(WHILE_READ.findall(text))
        elif path.name not in WORDS and "mathjax" not in path.parts:
            words.update(re.findall(r"[\w-]+", text))

    def wanted(selector):
        bare = re.sub(r":not\([^)]*\)|\[[^]]*\]", "", selector)
        return "\\" in bare or words.issuperset(
            re.findall(r"\.(-?[A-Za-z_][\w-]*)", bare)
        )

    def keep(rule):
        selectors, block = rule.groups()
        kept = [s for s in re.split(r",(?![^(]*\))", selectors) if wanted(s)]
        return f"{','.join(kept)}{block}" if kept else ""

    for sheet in (out / "_static").rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf8"), flags=re.S)
        rule = r"(?:^|(?<=[{};]))([^{};@]*\.[^{};@]+)(\{[^{}]*\})"
        text = re.sub(rule, keep, text)
        sheet.write_text(text, encoding="utf8")


def lossless(found) -> str:
    """An embedded PNG as the same pixels in WebP, where that is shorter."""
    png = base64.b64decode(found[2])
    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.save(file, "webp", lossless=True, quality=80, exact=True)
    if len(file.getvalue()) >= len(png):
        return found[0]
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def with_light_pixels(path: Path) -> None:
    text = path.read_text(encoding="utf8")
    if "data:image/png;base64," in text:
        path.write_text(EMBEDDED.sub(lossless, text), encoding="utf8")


def with_light_curves(path: Path) -> None:
    """The same drawing without spaces, line ends and zeros that say nothing."""

    def short(found):
        path = re.sub(r"(\.\d*?)0+(?!\d)", r"\1", found[0])
        path = re.sub(r"\.(?!\d)", "", path)
        path = re.sub(r"\s*([A-Za-z])\s*|\s+(?=-)", r"\1", path)
        return re.sub(r"\s+", " ", path)

    text = path.read_text(encoding="utf8")
    text = re.sub(r'(?<= d=")[^"]*', short, text)
    text = re.sub(r'(?<= style=")[^"]*', lambda s: re.sub("(?<=[:;]) ", "", s[0]), text)
    path.write_text(re.sub(r"\s*\n\s*(?=<)", "", text), encoding="utf8")


def dress_figures(out: Path) -> None:
    """Each figure in a box, with its size.

    Its class says `drawn` where no picture is in it, `worded` where it has letters.
    """

    def dressed(found):
        if found[0].startswith("<img width="):  # by an earlier build
            return found[0]
        svg = (out / "_images" / found[2]).read_text(encoding="utf8")
        size = re.search(r'<svg[^>]*? width="([\d.]+)pt" height="([\d.]+)pt"', svg)
        if not size:
            return found[0]
        width, height = (round(float(each) * 96 / 72) for each in size.groups())
        kind = "picture" if PICTURES in svg else "picture drawn"
        kind += " worded" if 'id="text_1"' in svg else ""
        tag = found[0].replace("<img ", f'<img width="{width}" height="{height}" ')
        return f'<div class="{kind}" style="--width: {width}px">{tag}</div>'

    for path in (out / "book").rglob("*.html"):
        page = path.read_text(encoding="utf8")
        figure = r'<img [^>]*src="([./]*)_images/([^"/]+\.svg)"[^>]*>'
        path.write_text(re.sub(figure, dressed, page), encoding="utf8")


def plain_names(out: Path) -> None:
    """Names, signs and spaces of code have the colour of all code, and need no tags."""
    for path in out.rglob("*.html"):
        page = path.read_text(encoding="utf8")
        plain = re.sub(r'<span class="(?:n|p|w)">([^<]*)</span>', r"\1", page)
        path.write_text(plain.replace("<span></span>", ""), encoding="utf8")


def make_light(out: Path) -> None:
    static = out / "_static"
    copy_mathjax(static)
    keep_icons(out)
    search_on_its_page(out)
    slim(static)
    bare_notebooks(out / "_sources")
    dress_figures(out)
    plain_names(out)
    drawn = list((out / "_images").glob("*.svg"))
    with ThreadPoolExecutor() as pool:
        list(pool.map(with_light_pixels, [*drawn, *(out / "book").glob("*.html")]))
    for path in drawn:
        with_light_curves(path)
    used_styles(out)
