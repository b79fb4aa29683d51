"""The rendered book in a browser, opened from disk, with the network watched.

Skipped where there is no Chromium; `.ci/run` installs one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
SOURCES = ("book", "dpm", "_config.yml", "_toc.yml")


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
    arguments = ["--disable-gpu", "--disable-background-networking"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=page_names())
def page(browser, html, request):
    """A page, opened once and its maths set, with what went wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)  # ms; machines are busy at times
    page = context.new_page()
    page.trouble = []
    page.on("console", lambda m: m.type == "error" and page.trouble.append(m.text))
    page.on("pageerror", lambda e: page.trouble.append(str(e)))
    page.on(
        "request",
        lambda r: (
            r.url.startswith(("file:", "data:", "blob:"))
            or page.trouble.append(f"request to {r.url}")
        ),
    )
    page.goto((html / "book" / f"{request.param}.html").as_uri())
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax && MathJax.startup.promise")
        page.evaluate("MathJax.startup.promise")
    yield page
    context.close()


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_telephone(page, scheme):
    page.set_viewport_size({"width": 390, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    assert page.trouble == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    cut_off = page.evaluate(
        """[...document.querySelectorAll("div.math")].filter(d => {
             const left = d.querySelector("mjx-container").getBoundingClientRect().left;
             const hidden = getComputedStyle(d).overflowX === "hidden";
             return left < d.getBoundingClientRect().left - 1
               || (hidden && d.scrollWidth > d.clientWidth + 1);
           }).length"""
    )
    assert cut_off == 0


@pytest.mark.parametrize("page", ["forward"], indirect=True)
def test_slider_turns_time(page):
    picture = page.locator(".animation img")
    page.wait_for_function("document.querySelector('.animation img').src.length > 99")
    before = picture.get_attribute("src")
    slider = page.locator(".animation input[type=range]")
    slider.evaluate("s => { s.value = 12; s.dispatchEvent(new Event('input')); }")
    assert picture.get_attribute("src") != before
    assert page.trouble == []
