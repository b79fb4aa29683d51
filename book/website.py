"""What the built site needs and Sphinx, Jupyter Book and the theme have no setting for.

A Sphinx extension, named in `_config.yml`. It

- keeps a comma with the formula before it, and enters each equation into the index;
- shows code without the comments that are for the formatter;
- enters the words of the glossary too, in both languages;
- leads from equations that docstrings name to the chapters, from the chapters'
  equations to their checks in the ledger and back, and from names of the package, in
  the ledger and on the page about the port, to the reference;
- gives each page its description, the sentence of the road on the welcome page;
- prints works in the list of references as the chapters cite them;
- makes what a reader loads light (`light.py`);
- writes the texts from which a search, opened from disk, takes its excerpts;
- has Python look for garbage seldom, which takes a third off the build's time.
"""

import gc
import json
import re
from html import escape
from pathlib import Path

import lxml.html
from docutils import nodes
from light import make_light
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

PARSER = lxml.html.HTMLParser(encoding="utf8", remove_comments=True)
ROAD = re.compile(r"^\d+\. \[[^\]]*\]\((\w+)\.ipynb\): ((?:.|\n {2,})*)", re.M)


class Punctuation(SphinxTransform):
    """What follows a formula directly stays on its line, and an opening bracket too.

    A browser may break a line on either side of a formula, even before a comma.
    """

    default_priority = 840  # before Sphinx collects the index

    def apply(self, **kwargs):
        for formula in list(self.document.findall(nodes.math)):
            place, siblings = formula.parent.index(formula), formula.parent
            before, after = "", ""
            beside = [*siblings, None][place + 1]
            if isinstance(beside, nodes.Text):
                after = re.match(r"[-,.;:!?)\]’']*", beside)[0]
            if place and isinstance(siblings[place - 1], nodes.Text):
                before = re.search(r"[(\[]*$", siblings[place - 1])[0]
            if not before + after:
                continue
            parts = [nodes.Text(before), formula.deepcopy(), nodes.Text(after)]
            kept = nodes.inline("", "", *filter(None, parts), classes=["one-line"])
            siblings[place] = kept
            if after:
                siblings[place + 1] = nodes.Text(siblings[place + 1][len(after) :])
            if before:
                siblings[place - 1] = nodes.Text(siblings[place - 1][: -len(before)])


class PlainCode(SphinxTransform):
    """A cell without the comments that tell the formatter to leave it as it is.

    Those who read the page have no use for them; the notebook keeps them.
    """

    default_priority = 840

    def apply(self, **kwargs):
        for block in self.document.findall(nodes.literal_block):
            text = re.sub(r" *# fmt: skip$", "", block.astext(), flags=re.M)
            if text != block.astext():
                block.children, block.rawsource = [], text
                block += nodes.Text(text)


class EquationIndex(SphinxTransform):
    """Each label `eq-14` is an entry "Eq. 14" of the index, which search asks first."""

    default_priority = 841

    def apply(self, **kwargs):
        for target in list(self.document.findall(nodes.target)):
            label = target.get("refid", "")
            if re.fullmatch(r"eq-\d+", label):
                entry = ("single", f"Eq. {label[3:]}", label, "main", None)
                parent = target.parent
                parent.insert(parent.index(target), addnodes.index(entries=[entry]))


class TermIndex(SphinxTransform):
    """The words of the glossary, English and Chinese, are entries of the index."""

    default_priority = 841

    def apply(self, **kwargs):
        if self.env.docname != "book/notation":
            return
        for row in self.document.findall(nodes.row):
            cells = [cell.astext() for cell in row.children]
            in_body = isinstance(row.parent, nodes.tbody)
            if not in_body or not re.search(r"[\u4e00-\u9fff]", cells[1]):
                continue  # a head, or a row of symbols
            label = f"word-{nodes.make_id(cells[0])}"
            terms = re.split(r"[,，、]\s*", f"{cells[0]}, {cells[1]}")
            entries = [("single", term, label, "", None) for term in terms if term]
            place = row.children[0].children[0]
            place["ids"].append(label)
            row.children[0].insert(0, addnodes.index(entries=entries))


class AsCited(BaseLabelStyle):
    """Labels as the text has them: "Ho et al., 2020"."""

    def format_labels(self, entries):
        for entry in entries:
            people = entry.persons.get("author") or entry.persons["editor"]
            names = [" ".join([*p.prelast_names, *p.last_names]) for p in people]
            names = [re.sub(r"[{}]", "", name) for name in names]
            some = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
            yield f"{some}, {entry.fields['year']}"


class Works(Style):
    """The usual list, sorted by author, with these labels."""

    default_label_style = AsCited
    default_sorting_style = "author_year_title"


def link_names(app, page, name) -> None:
    """On a page, the names of functions lead to the reference."""
    objects = app.env.get_domain("py").objects
    ends = {}  # a name without its module, to the objects that end in it
    for full in objects:
        parts = full.split(".")
        for n in range(1, len(parts)):
            ends.setdefault(".".join(parts[n:]), set()).add(full)
    for literal in list(page.findall(nodes.literal)):
        text = literal.astext().removesuffix("()")
        found = {text} if text in objects else ends.get(text, set())
        if len(found) == 1 and not isinstance(literal.parent, nodes.reference):
            there = objects[next(iter(found))]
            uri = app.builder.get_relative_uri(name, there.docname)
            link = nodes.reference("", "", refuri=f"{uri}#{there.node_id}")
            literal.replace_self(link)
            link += literal


def link_ledger(app, page, name) -> None:
    """From an equation to its check, and from the check to its equation."""
    labels = app.env.get_domain("std").anonlabels
    if name == "book/ledger":
        for strong in list(page.findall(nodes.strong)):
            if number := re.fullmatch(r"Eq\. (\d+)", strong.astext()):
                chapter, label = labels[f"eq-{number[1]}"]
                uri = app.builder.get_relative_uri(name, chapter)
                link = nodes.reference("", "", refuri=f"{uri}#{label}")
                strong.parent["ids"].append(f"ledger-{number[1]}")
                strong.replace_self(link)
                link += strong
        return
    for equation in list(page.findall(nodes.math_block)):
        for label in equation["ids"]:
            if number := re.fullmatch(r"eq-(\d+)", label):
                uri = app.builder.get_relative_uri(name, "book/ledger")
                link = nodes.reference("", "check", refuri=f"{uri}#ledger-{number[1]}")
                link["reftitle"] = f"How Eq. {number[1]} is checked, in the ledger"
                below = nodes.paragraph("", "", link, classes=["to-ledger"])
                equation.parent.insert(equation.parent.index(equation) + 1, below)


def link_pages(app, page, name) -> None:
    if app.builder.format == "html":
        link_ledger(app, page, name)
        if name in ("book/ledger", "book/porting"):
            link_names(app, page, name)


def descriptions(book: Path) -> dict:
    """Of each chapter, by the name of its file, its sentence on the welcome page."""
    road = ROAD.findall((book / "welcome.md").read_text(encoding="utf8"))
    return {name: " ".join(sentence.split()) for name, sentence in road}


def describe(app, pagename, templatename, context, doctree):
    """The page's description, for search engines and for links that are sent about."""
    name, book = pagename.removeprefix("book/"), Path(app.srcdir) / "book"
    title = lxml.html.fromstring(f"<p>{context.get('title') or ''}</p>").text_content()
    about = "the paper of 2015 that invented diffusion models, in code that runs."
    about = descriptions(book).get(name, f"{app.config.html_title}: {about}")
    text = f"{title}: {about}" if title and name != "welcome" else about
    tag = f'<meta name="description" content="{escape(text)}" />'
    context["metatags"] = context.get("metatags", "") + tag


def outline(tag) -> str:
    """A section with its name, and its text without tags, for excerpts.

    A numbered equation has the sentence before it in its place.
    """
    parts, before = [], ""

    def add(text):
        nonlocal before
        text = re.sub(r"\\[()]|\\mathbf ", "", text or "")
        before = escape(" ".join(text.split()), quote=False) or before
        parts.append(escape(" ".join(text.split()), quote=False))

    add(tag.text)
    for child in tag:
        if child.tag == "section":
            parts.append(outline(child))
        elif child.tag == "div" and "math" in child.classes:
            if child.get("id"):
                parts.append(f'<p id="{child.get("id")}">{before}</p>')
        else:
            add(child.text_content())
            for word in child.xpath(".//tr//p[@id]"):  # of the glossary
                row = escape(" ".join(word.xpath("string(ancestor::tr)").split()))
                parts.append(f'<p id="{word.get("id")}">{row}</p>')
        add(child.tail)
    name = f' id="{tag.get("id")}"' if tag.get("id") else ""
    return f"<section{name}>{' '.join(filter(None, parts))}</section>"


def write_texts(out: Path) -> None:
    """A browser may not fetch a page from disk, but it may load a script."""
    left_out = "//script|//style|//img|//button|//a[@class='headerlink']"
    left_out += "|//p[@class='to-ledger']"
    texts = {}
    for path in sorted((out / "book").rglob("*.html")):
        page = lxml.html.parse(path, PARSER).getroot()
        for tag in page.xpath(f"{left_out}|//*[contains(@class, 'animation')]"):
            tag.drop_tree()
        article = page.find(".//article")
        texts[path.relative_to(out).as_posix()] = outline(article)
    script = f"window.bookTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (out / "_static" / "texts.js").write_text(script, encoding="utf8")


def finish(app, error):
    """After the pages are written."""
    if error is None and app.builder.format == "html":
        out = Path(app.outdir)
        write_texts(out)
        make_light(out)


def link_equations(app, what, name, obj, options, lines) -> None:
    """In docstrings "Eq. 14" leads to that equation, and stars stay stars."""
    for place, line in enumerate(lines):
        line = re.sub(r"\b(Eqs?\. (\d+))\b(?!\.\d)", r":ref:`\1 <eq-\2>`", line)
        if not re.search(r"\*\w[^*]*\w\*(?!\w)", line) and "``" not in line:
            line = re.sub(r"(?<![\w*])(\*+)(?=\w)", r"\\\1", line)
        lines[place] = line


def setup(app):
    gc.set_threshold(1_000_000, 10, 10)  # pages are trees of many small objects
    register_plugin("pybtex.style.formatting", "as_cited", Works)
    app.add_transform(Punctuation)
    app.add_transform(PlainCode)
    app.add_transform(EquationIndex)
    app.add_transform(TermIndex)
    app.connect("autodoc-process-docstring", link_equations, priority=400)
    app.connect("doctree-resolved", link_pages)
    app.connect("html-page-context", describe)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
