"""The rendered book in a browser, opened from disk, with the network watched.

Skipped where there is no Chromium; `.ci/run` installs one.
"""

import base64
import importlib.util
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
import nbformat
import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from dpm.ledger.catalogue import ledger as entries
from dpm.version import __version__

ROOT = Path(__file__).parents[1]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
SOURCES = ("book", "dpm", "_config.yml", "_toc.yml")

# Colours change at once: Chromium may draw no frames for a page that nobody sees, and
# then its animations never end.
STILL = (
    "*, ::before, ::after { transition: none !important; animation: none !important }"
)

# What a page must not have, as functions of the page that list it.
REWRAPPED = """() => [...document.querySelectorAll(".cell_output pre")].filter(p => {
  const style = getComputedStyle(p), line = parseFloat(style.lineHeight);
  const lines = p.textContent.replace(/\\n$/, "").split("\\n").length;
  const inside = p.clientHeight - parseFloat(style.paddingTop)
    - parseFloat(style.paddingBottom);
  return inside > lines * line * 1.3 + 2;
}).map(p => p.textContent.slice(0, 60))"""
BROKEN_NUMBERS = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll("article table td")) {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text = walk.nextNode(); text; text = walk.nextNode()) {
      if (text.parentElement.closest(".math, code")) continue;
      for (const number of text.data.matchAll(/[-+\u2212]?\\d[\\d.,]*\\d/g)) {
        const range = document.createRange();
        range.setStart(text, number.index);
        range.setEnd(text, number.index + number[0].length);
        const rows = [...range.getClientRects()].map(r => Math.round(r.top));
        if (new Set(rows).size > 1) broken.push(number[0]);
      }
    }
  }
  return broken;
}"""
TOO_WIDE = """() => [...document.querySelectorAll("div.math")].filter(d => {
  const edge = d.getBoundingClientRect().right + 1;
  return [...d.querySelectorAll("mjx-math")]  // whatever box it may be moved in
    .some(formula => formula.getBoundingClientRect().right > edge);
}).map(d => d.id || d.textContent)"""
UNREADABLE = """() => [...document.querySelectorAll("div.math")].filter(d => {
  return parseFloat(getComputedStyle(d.querySelector("mjx-container")).fontSize) < 9;
}).map(d => d.id || d.textContent)"""
SMALL_TYPE = """() => [...document.querySelectorAll("article .worded > img")].filter(
  image => image.offsetParent
    && image.getBoundingClientRect().width < 0.6 * image.getAttribute("width")
).map(image => image.alt)"""
ALONE = """() => [...document.querySelectorAll("article span.math")].filter(formula => {
  const text = formula.nextSibling;
  if (text?.nodeType !== 3 || !/^[-,.;:!?)\\]]/.test(text.data)) return false;
  const range = document.createRange();
  range.setStart(text, 0);
  range.setEnd(text, 1);
  const sign = range.getBoundingClientRect();
  const before = formula.querySelector("mjx-container").getBoundingClientRect();
  return sign.width > 0 && sign.left < before.left;
}).map(formula => formula.textContent)"""


def until(page, condition, **more):
    """Wait for a page, asking ten times a second and not once a frame: see STILL."""
    page.wait_for_function(condition, polling=100, **more)


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The strict build, in a folder of its own: any warning fails it."""
    out = tmp_path_factory.mktemp("book")
    for name in SOURCES:
        source, target = ROOT / name, out / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(out)]
    done = subprocess.run(
        [*command, "-W", "-n", "--keep-going"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build" / "html"


def page_names():
    pages = sorted((ROOT / "book").glob("*.ipynb")) + sorted(
        (ROOT / "book").glob("*.md")
    )
    return [p.stem for p in pages]


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the rendered pages are not checked")
    sync_api = pytest.importorskip("playwright.sync_api")
    arguments = [
        "--disable-gpu",
        "--disable-gpu-rasterization",
        "--disable-background-networking",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tab(browser):
    """One for all pages, so that Chromium compiles their scripts once."""
    context = browser.new_context()
    context.set_default_timeout(120_000)  # ms; machines are busy at times
    tab = context.new_page()
    tab.trouble, tab.asked = [], []
    tab.on("request", lambda r: tab.asked.append(r.url))
    tab.on("console", lambda m: m.type == "error" and tab.trouble.append(m.text))
    tab.on("pageerror", lambda e: tab.trouble.append(str(e)))
    tab.on(
        "request",
        lambda r: (
            r.url.startswith(("file:", "data:", "blob:"))
            or tab.trouble.append(f"request to {r.url}")
        ),
    )
    yield tab
    context.close()


@pytest.fixture(scope="module", params=page_names())
def page(tab, html, request):
    """A page, opened once and its maths set, with what went wrong."""
    tab.goto("about:blank")
    tab.trouble.clear()
    tab.asked.clear()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="light")
    tab.goto((html / "book" / f"{request.param}.html").as_uri())
    if tab.locator(".math").count():
        until(tab, "window.MathJax && MathJax.startup.promise")
        tab.evaluate("MathJax.startup.promise")
    return tab


def test_page_is_whole_without_a_network(page):
    assert page.trouble == []
    formulas = page.locator(".math").count()
    assert page.locator(".math mjx-container").count() >= formulas
    assert page.locator("mjx-merror").count() == 0
    missing = page.evaluate(
        "[...document.images].filter(i => i.src && !i.naturalWidth).map(i => i.src)"
    )
    assert missing == []
    bare = page.evaluate(
        "[...document.querySelectorAll('article img')].filter(i => !i.alt).length"
    )
    assert bare == 0
    searches = page.locator(".search-button-field:visible").count()
    assert searches <= 1


def test_formulas_fit_and_are_no_stops_of_the_keyboard(page):
    assert page.evaluate(TOO_WIDE) == []
    assert page.locator("mjx-container[tabindex='0']").count() == 0
    spoken = page.locator(".math mjx-assistive-mml").count()
    assert spoken == page.locator(".math mjx-container").count()
    assert page.evaluate(ALONE) == []


def test_a_page_is_light(page):
    """In bytes, uncompressed, pictures and scripts and all."""
    most = {"bark": 2_400_000}  # eighteen photographs
    files = {url.partition("?")[0] for url in page.asked if url.startswith("file:")}
    size = sum(os.path.getsize(unquote(urlsplit(url).path)) for url in files)
    assert size < most.get(Path(page.url).stem, 2_000_000)


def test_styles_that_are_left_out_change_nothing(browser, html):
    """Properties of a third of the tags, with our sheet and with the theme's own."""
    theme = importlib.util.find_spec("pydata_sphinx_theme").origin
    sheets = Path(theme).parent / "theme" / "pydata_sphinx_theme" / "static" / "styles"
    ours = html / "_static" / "styles" / "pydata-sphinx-theme.css"
    theirs = (sheets / ours.name).read_text(encoding="utf8")
    assert len(ours.read_text(encoding="utf8")) < 0.3 * len(theirs)
    page = browser.new_page()
    page.goto((html / "book" / "welcome.html").as_uri())
    page.add_style_tag(content=STILL)
    looks = """[...document.querySelectorAll("body *")]
      .filter((_, number) => number % 3 === 0).map(tag => {
        const style = getComputedStyle(tag);
        return [...style].map(name => style.getPropertyValue(name)).join(";");
      })"""
    before = page.evaluate(looks)
    whole = ours.with_name("whole.css")  # beside ours, for the font that it names
    whole.write_text(theirs, encoding="utf8")
    swap = """name => new Promise(loaded => {
      const sheet = document.querySelector("link[href*='styles/pydata-sphinx-theme']");
      sheet.onload = () => document.fonts.ready.then(() => loaded());
      sheet.href = sheet.href.replace(/[^\\/]*$/, name);
    })"""
    page.evaluate(swap, whole.name)
    after = page.evaluate(looks)
    page.close()
    whole.unlink()
    assert len(before) > 200
    assert after == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_telephone(page, scheme):
    page.set_viewport_size({"width": 390, "height": 900})
    page.emulate_media(color_scheme=scheme)
    until(page, f"document.documentElement.dataset.theme === '{scheme}'")
    assert page.trouble == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    until(page, f"({TOO_WIDE})().length === 0")  # they get smaller
    assert page.evaluate(UNREADABLE) == []
    assert page.evaluate(REWRAPPED) == []
    assert page.evaluate(BROKEN_NUMBERS) == []
    assert page.evaluate(SMALL_TYPE) == []
    outside = """[...document.querySelectorAll(".animation button, .animation input")]
      .filter(tag => tag.getBoundingClientRect().right > innerWidth).length"""
    assert page.evaluate(outside) == 0
    assert page.evaluate(ALONE) == []
    cut_off = page.evaluate(
        """[...document.querySelectorAll("div.math")].filter(d => {
             const left = d.querySelector("mjx-container").getBoundingClientRect().left;
             const hidden = getComputedStyle(d).overflowX === "hidden";
             return left < d.getBoundingClientRect().left - 1
               || (hidden && d.scrollWidth > d.clientWidth + 1);
           }).length"""
    )
    assert cut_off == 0


@pytest.mark.parametrize("page", ["welcome", "results"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    """Formulas left out: they have MathML of their own.

    No style sheets fetched either: a page opened from disk may not, and the refusals
    would be told to the page that is opened next.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.add_style_tag(content=STILL)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme=scheme)
    until(page, f"document.documentElement.dataset.theme === '{scheme}'")
    formulas = {"exclude": [["mjx-container"]]}
    found = axe.run(page, context=formulas, options={"preload": False})
    violations = found.response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []
    assert page.trouble == []


@pytest.mark.parametrize("page", ["forward"], indirect=True)
def test_slider_turns_time(page):
    picture = page.locator(".animation img")
    until(page, "document.querySelector('.animation img').src.length > 99")
    before = picture.get_attribute("src")
    slider = page.locator(".animation input[type=range]")
    slider.evaluate("s => { s.value = 12; s.dispatchEvent(new Event('input')); }")
    assert slider.get_attribute("aria-valuetext").startswith("picture 13 of ")
    assert picture.get_attribute("src") != before
    assert page.trouble == []


@pytest.mark.parametrize("page", ["forward"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_in_code_have_the_highlighters_colour_without_tags(page, scheme):
    page.emulate_media(color_scheme=scheme)
    until(page, f"document.documentElement.dataset.theme === '{scheme}'")
    colors = page.evaluate("""[...document.querySelectorAll(".highlight")]
      .filter(code => !code.parentNode.matches(".output")).flatMap(code => {
        const tagged = ["n", "p", "w"].map(name => {
          const tag = document.createElement("span");
          tag.className = name;
          code.firstChild.append(tag);
          return tag;
        });
        const found = [code.firstChild, ...tagged].map(t => getComputedStyle(t).color);
        tagged.forEach(tag => tag.remove());
        return found;
      })""")
    assert len(colors) > 40 and len(set(colors)) == 1


@pytest.mark.parametrize("page", ["forward"], indirect=True)
def test_solutions_open_by_one_click_and_on_paper(page):
    page.set_viewport_size({"width": 1280, "height": 900})
    solution = page.locator("article details:has(> summary:text-is('Solution'))").first
    cell = page.locator("details:has(> summary:text-is('Solution')) + .cell details")
    solution.locator("summary").first.click()
    until(page, "d => d.open", arg=cell.first.element_handle())
    folded = page.locator("article details:not([open])")
    assert folded.count() > 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert folded.count() > 0


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Eq. 14", "book/training.html#eq-14"),
        ("equation 28", "book/entropy.html#eq-28"),
        ("熵", "book/"),
        ("β", "book/"),
    ],
)
def test_search_from_disk_finds_and_quotes(browser, html, query, first):
    page, trouble = browser.new_page(), []
    page.set_default_timeout(120_000)
    page.on("console", lambda m: m.type != "log" and trouble.append(m.text))
    page.on("pageerror", lambda e: trouble.append(str(e)))
    page.goto((html / "search.html").as_uri() + f"?q={query}")
    result = page.locator("#search-results li").first
    result.locator("p.context").wait_for()
    assert result.locator("a").get_attribute("href").startswith(first)
    assert len(result.locator("p.context").inner_text()) > 40
    if query == "熵":  # the chapter of that name is near the top
        links = page.locator("#search-results li a").all()[:3]
        assert "book/entropy.html" in [link.get_attribute("href") for link in links]
    assert trouble == []
    page.close()


def test_the_book_becomes_one_file_whose_chapters_are_linked(
    browser, html, tmp_path, monkeypatch
):
    """Of three short pages; all of them take two minutes."""
    script = runpy.run_path(str(ROOT / "book" / "make_pdf.py"))
    order = [name for name, _ in script["chapters"](reference=False)]
    assert order[0] == "book/welcome" and order[-1] == "book/references"
    assert script["chapters"](reference=True)[-2][0].startswith("book/api/")
    names = ["book/own_training", "book/data", "book/references"]
    work = script["main"].__globals__
    monkeypatch.setitem(work, "HTML", html)
    page = browser.new_page()
    parts = [(name, script["printed"](page, html / f"{name}.html")) for name in names]
    page.close()
    path = tmp_path / "book.pdf"
    rows = [(name, None, 1) for name in names]
    n_pages = script["join"](parts[1][1], rows, parts, path)
    book, pages = PdfReader(path), [len(part.pages) for _, part in parts]
    assert len(book.pages) == n_pages == pages[1] + sum(pages)
    assert [item.title for item in book.outline] == ["Contents", *names]
    assert book.pages[n_pages - 1].extract_text().rstrip().endswith(str(sum(pages)))
    links = [a.get_object()["/A"] for p in book.pages for a in p.get("/Annots", ())]
    inner = [a["/D"][0] for a in links if a["/S"] == "/GoTo" and "/D" in a]
    first = book.pages[pages[1] + sum(pages[:2])].indirect_reference
    assert first in inner  # from the training page to the works it cites
    left = [str(a.get("/URI", "")) for a in links]
    assert not [u for u in left if any(f"{name}.html" in u for name in names)]


def parsed(html):
    """All built pages, by path."""
    parser = lxml.html.HTMLParser(encoding="utf8")
    return {
        path: lxml.html.parse(path, parser).getroot()
        for path in sorted(html.rglob("*.html"))
        if "_static" not in path.parts  # the theme's templates
    }


@pytest.fixture(scope="module")
def pages(html):
    return parsed(html)


def dead_links(pages) -> list[str]:
    """Links to files or places that are not there; links into the world are left."""
    names = {path: set(page.xpath("//@id")) for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for link in filter(None, page.xpath("//@href | //@src")):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            file = path.parent / unquote(parts.path) if parts.path else path
            place = unquote(parts.fragment)
            known = names.get(file.resolve(), {place})
            if not file.exists() or (place and place not in known):
                dead.append(f"{path.name}: {link}")
    return dead


def test_links_lead_somewhere(pages):
    assert len(pages) > 20 and dead_links(pages) == []


def test_a_dead_link_is_found(tmp_path):
    path = tmp_path.resolve() / "page.html"
    path.write_text('<p id="here"><a href="#here">1</a><a href="#there">2</a></p>')
    assert dead_links(parsed(path.parent)) == ["page.html: #there"]


def test_code_is_shown_without_words_for_the_formatter(html, pages):
    page = pages[html / "book" / "mnist.html"]
    code = "".join(page.xpath("//pre//text()"))
    assert "fmt: skip" in (ROOT / "book" / "mnist.ipynb").read_text(encoding="utf8")
    assert "plt.show()" in code and "fmt: skip" not in code


def test_pages_describe_themselves(pages):
    texts = {
        path: page.xpath("//meta[@name='description']/@content")[0]
        for path, page in pages.items()
        if path.parent.name in ("book", "api")
    }
    chapters = [text for path, text in texts.items() if path.parent.name == "book"]
    assert len(set(chapters)) == len(chapters)
    for path, text in texts.items():
        if path.parent.name == "api":  # such as api/sfo.html, which is no chapter
            assert "in code that runs" in text, path
        elif (ROOT / "book" / f"{path.stem}.ipynb").exists():
            assert "in code that runs" not in text, (
                f"{path.stem} has no line on the road of the welcome page"
            )


def test_each_equation_leads_to_its_check_and_back(pages):
    ledger = next(p for path, p in pages.items() if path.name == "ledger.html")
    for n, entry in entries().items():
        chapter, label = f"{entry.chapter}.html", f"eq-{n}"
        (row,) = ledger.xpath(f"//p[@id='ledger-{n}']")
        links = row.xpath(".//a/@href")
        assert links[0] == f"{chapter}#{label}"
        assert len(links) == 1 + len(entry.functions)  # to the reference
        page = next(p for path, p in pages.items() if path.name == chapter)
        assert page.xpath(f"//p[@class='to-ledger']/a[@href='ledger.html#ledger-{n}']")


def test_the_index_has_words_equations_and_names(pages):
    index = next(page for path, page in pages.items() if path.name == "genindex.html")
    links = {a.text_content(): a.get("href") for a in index.xpath("//table//a")}
    assert links["Eq. 14"] == "book/training.html#eq-14"
    assert links["denoising"] == links["去噪"] == "book/notation.html#word-denoising"
    assert any(href.endswith("dpm.exact.world.World") for href in links.values())


def test_names_of_the_port_lead_to_the_reference(pages):
    page = next(p for path, p in pages.items() if path.name == "porting.html")
    names = {
        c.text_content() for c in page.xpath("//table//a[contains(@href, 'api/')]")
    }
    assert len(names) > 80


def test_downloads_are_notebooks_without_outputs(html):
    for path in (ROOT / "book").glob("*.ipynb"):
        notebook = nbformat.read(html / "_sources" / "book" / path.name, as_version=4)
        original = nbformat.read(path, as_version=4)
        assert [c.source for c in notebook.cells] == [c.source for c in original.cells]
        assert not any(c.get("outputs") for c in notebook.cells)


def test_no_pixel_of_a_figure_is_lost(html):
    """The notebooks have them as PNG, the site as WebP where that is shorter."""
    kinds = ("png", "webp")
    embedded = {kind: re.compile(f'data:image/{kind};base64,([^"]*)') for kind in kinds}

    def pixels(text):
        with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
            return np.asarray(picture.convert("RGBA")).tobytes()

    def all_pixels(text, kind):
        return {pixels(each) for each in embedded[kind].findall(text)}

    notebook = nbformat.read(ROOT / "book" / "dead_leaves.ipynb", as_version=4)
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    kept = [o.data.get("image/svg+xml", "") for o in outputs if "data" in o]
    there = set().union(*(all_pixels(text, "png") for text in kept))
    page = (html / "book" / "dead_leaves.html").read_text(encoding="utf8")
    names = set(re.findall(r"_images/([^\"]+\.svg)", page))
    drawn = [(html / "_images" / name).read_text(encoding="utf8") for name in names]
    here = set().union(*(all_pixels(text, kind) for text in drawn for kind in kinds))
    assert there and here == there


def test_curves_are_drawn_with_fewer_letters_and_the_same_numbers(html):
    number = r"-?\d*\.?\d+(?:e-?\d+)?"

    def curves(text):
        """Letters and numbers of each path."""
        for path in re.findall(r' d="([^"]*)"', text):
            assert not re.sub(rf"{number}|[A-Za-z\s]", "", path), "only these"
            parts = re.findall(rf"{number}|[A-Za-z]", path)
            yield [part if part.isalpha() else float(part) for part in parts]

    notebook = nbformat.read(ROOT / "book" / "training.ipynb", as_version=4)
    outputs = [o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])]
    kept = [o["image/svg+xml"] for o in outputs if "image/svg+xml" in o]
    page = (html / "book" / "training.html").read_text(encoding="utf8")
    names = re.findall(r'src="[^"]*_images/([^"]+\.svg)', page)
    drawn = [(html / "_images" / name).read_text(encoding="utf8") for name in names]
    assert len(kept) == len(drawn) > 5
    for before, after in zip(kept, drawn, strict=True):
        assert list(curves(before)) == list(curves(after))
        assert len(after) < 0.9 * len(before)


def test_the_site_is_light(html):
    size = sum(path.stat().st_size for path in html.rglob("*") if path.is_file())
    assert size < 20_000_000


def test_works_are_listed_as_they_are_cited_and_linked(pages):
    page = next(page for path, page in pages.items() if path.name == "references.html")
    works = page.xpath("//div[contains(concat(' ', @class, ' '), ' citation ')]")
    labels = {w.xpath("string(.//*[@class='label'])").strip(" []\n") for w in works}
    assert len(works) > 20
    assert all(work.xpath(".//a[contains(@class, 'external')]") for work in works)
    to_list = "//article//a[contains(@href, 'references.html#id')]"
    links = [link for page in pages.values() for link in page.xpath(to_list)]
    cited = {x.text_content().replace("\N{NO-BREAK SPACE}", " ") for x in links}
    labels = {label.replace("\N{NO-BREAK SPACE}", " ") for label in labels}
    years = {label[-4:] for label in labels}  # of those whose authors the text names
    assert len(cited) > 20 and cited <= labels | years


def test_the_logo_is_what_its_script_draws():
    drawn = runpy.run_path(str(ROOT / "book" / "draw_logo.py"))["svg"]()
    assert drawn == (ROOT / "book" / "_static" / "logo.svg").read_text("utf8")


def test_the_version_to_cite_is_this_one():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf8")
    assert f"\nversion: {__version__}\n" in citation
    welcome = (ROOT / "book" / "welcome.md").read_text(encoding="utf8")
    assert f"Version {__version__}}}" in welcome
