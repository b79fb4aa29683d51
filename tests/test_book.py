"""Habits of the pages, read from the notebooks as they are committed."""

import dataclasses
import os
import pkgutil
import re
import runpy
import shlex
import tempfile
from pathlib import Path

import nbformat
import pytest
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from dpm import runs, train
from dpm.blocks import checkpoint
from dpm.exercises import chapters
from dpm.model import model_arguments
from dpm.variants import VARIANTS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
PAGES = NOTEBOOKS + sorted((ROOT / "book").glob("*.md"))
EQUATIONS = {  # what each page must carry
    "forward": [1, 2, 3],
    "reverse": [4, 5],
    "probability": [6, 7, 8, 9],
    "training": [*range(10, 16), *range(37, 52)],
    "multiplying": list(range(16, 24)),
    "perturbed": list(range(52, 62)),
    "entropy": list(range(24, 37)),
    "architecture": [62, 63, 64, 65],
}

REFERENCE_NAMES = """
DiffusionModel generate_beta_arr get_t_weights get_beta_forward get_mu_sigma
generate_forward_diffusion_sample get_beta_full_trajectory get_negL_bound
cost_single_t cost internal_state temporal_readout generate_temporal_basis
LeakyRelu MultiScaleConvolution MultiLayerConvolution MLP_conv_dense
diffusion_step generate_inpaint_mask generate_samples
PlotSamples PlotParameters PlotGradients PlotInternalState PlotMonitors LogLikelihood
decay_learning_rate parse_args logit logit_np get_norms create_log_dir
is_square show_receptive_fields plot_parameter plot_images imagenet_data.py
IMAGENET load_image load_images get_epoch_iterator apply_default_transformers
next_epoch print_stats downsample_method
"""  # all classes, methods and functions of the authors' repository
BLOCKS_NAMES = """
Brick Initializable Random @application Linear MLP Activation Identity
ConvolutionalActivation IsotropicGaussian Constant Orthogonal blocks.model.Model
ComputationGraph VariableFilter INPUT PARAMETER apply_dropout MainLoop GradientDescent
CompositeRule RemoveNotFinite RMSProp SimpleExtension FinishAfter Timing Printing
TrainingDataMonitoring DataStreamMonitoring Checkpoint continue_training
SharedVariableModifier MNIST CIFAR10 DataStream ShuffledScheme Flatten ScaleAndShift
"""  # what it imported from Blocks and Fuel


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [c for c in read(path).cells if c.cell_type == "code"]


def prose(path):
    if path.suffix == ".md":
        return path.read_text(encoding="utf8")
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def text_of(output):
    """All text in an output, pictures left out."""
    parts = [output.get("text", "")]
    for kind, value in output.get("data", {}).items():
        if not kind.startswith("image/"):
            parts.append(value)
    return "\n".join(parts)


notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def test_there_are_notebooks():
    assert {p.stem for p in NOTEBOOKS} >= {"forward", "reverse", "swiss_roll"}


@notebook
def test_cells_were_run_in_order(path):
    counts = [c.execution_count for c in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@notebook
def test_every_cell_is_compared(path):
    """No tag that makes nbval skip a cell or ignore what it prints."""
    for cell in code_cells(path):
        tags = set(cell.metadata.get("tags", []))
        assert not any("nbval" in t or "raises" in t for t in tags), tags
        assert not re.search(r"#\s*(NBVAL|PYTEST)", cell.source)


@notebook
def test_no_errors_and_nothing_on_stderr(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@notebook
def test_pictures_have_alt_text(path):
    for cell in code_cells(path):
        data = {kind for o in cell.outputs for kind in o.get("data", {})}
        html = "".join(o.get("data", {}).get("text/html", "") for o in cell.outputs)
        if "image/svg+xml" in data or "<img" in html:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt.split()) >= 10, f"describe the picture of: {cell.source}"
        for image in re.findall(r"<img[^>]*>", html):
            assert re.search(r'alt="[^"]+', image)


def test_pictures_have_captions_and_names_of_their_own():
    """A caption of one sentence or two, and a name that prose can refer to."""
    names = []
    for path in NOTEBOOKS:
        for cell in code_cells(path):
            kinds = [kind for o in cell.outputs for kind in o.get("data", {})]
            assert "image/png" not in kinds, (
                "sharp figures: viz.use_style() comes first"
            )
            html = "".join(o.get("data", {}).get("text/html", "") for o in cell.outputs)
            pictures = [kind for kind in kinds if kind == "image/svg+xml"]
            pictures += ["slider"] * html.count('class="animation"')
            if not pictures:
                continue
            assert len(pictures) == 1, "two figures would share one name"
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            words = figure.get("caption", "").split()
            assert 8 <= len(words) <= 40, f"a caption for: {cell.source}"
            assert figure.get("name", "").startswith(f"fig-{path.stem}-")
            names.append(figure["name"])
    assert len(names) == len(set(names)) > 100


def test_references_to_figures_lead_somewhere():
    cells = [cell for path in NOTEBOOKS for cell in code_cells(path)]
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells]
    names = {figure.get("name") for figure in figures}
    for path in PAGES:
        assert set(re.findall(r"\{numref\}`([^`]+)`", prose(path))) <= names


@notebook
def test_no_path_of_a_machine_in_any_output(path):
    homes = {str(Path.home()), str(ROOT.parent), tempfile.gettempdir(), os.getcwd()}
    for cell in code_cells(path):
        for output in cell.outputs:
            text = text_of(output)
            assert not any(home in text for home in homes - {"/"})
            assert not re.search(r"/(home|Users|root|tmp)/|0x[0-9a-f]{8,}", text)


@notebook
def test_a_number_that_may_differ_is_bounded_by_an_assert(path):
    """≈ tells nbval not to compare a number, so the cell itself must."""
    for cell in code_cells(path):
        if any("≈" in text_of(o) or "±" in text_of(o) for o in cell.outputs):
            assert "assert " in cell.source


@notebook
def test_metadata_hold_nothing_of_the_machine(path):
    book = read(path)
    assert set(book.metadata) <= {"kernelspec", "language_info"}
    assert book.metadata.language_info == {"name": "python"}
    for cell in book.cells:
        assert set(cell.metadata) <= {"tags", "mystnb"}, cell.metadata


@notebook
def test_cells_are_short(path):
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 30, cell.source
    assert path.stat().st_size < 3_000_000


@notebook
def test_pages_have_the_parts_a_reader_looks_for(path):
    text = prose(path)
    for part in ("**What you will learn**", "## Exercises", "## Read next"):
        assert part in text
    exercises = re.findall(r"^\*\*\d\.\*\*", text, flags=re.MULTILINE)
    checked = path.stem in chapters()
    assert (3 if checked else 2) <= len(exercises) <= (5 if checked else 3)
    assert text.count("<summary>Solution</summary>") == len(exercises)
    assert text.count("<details>") == text.count("</details>") - 1 == len(exercises)
    opening = text.split("\n## ")[0]
    abstract = opening.split('<details lang="zh">\n<summary>中文提要</summary>\n')[1]
    assert 5 <= abstract.split("</details>")[0].count("。") <= 9


@notebook
def test_no_two_outputs_share_an_id(path):
    """Else the sliders of a page all move the last of them."""
    html = [
        "".join(output.data.get("text/html", ""))
        for cell in code_cells(path)
        for output in cell.outputs
        if "data" in output
    ]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in html]
    assert sum(map(len, ids)) == len(set().union(*ids))


def test_equations_carry_the_papers_numbers():
    """Each \\tag{n} has the label eq-n, stands once, and is where it belongs."""
    seen = {}
    for path in PAGES:
        text = prose(path)
        tags = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
        for n in tags:
            assert 1 <= n <= 65
            assert n not in seen, f"Eq. {n} stands in {seen[n]} and in {path.name}"
            seen[n] = path.name
            labelled = rf"\(eq-{n}\)=\n\$\$\n(?:(?!\$\$)[\s\S])*\\tag\{{{n}\}}\n\$\$"
            block = re.search(labelled, text)
            assert block, f"Eq. {n} lacks its label"
            # Sphinx wraps formulas with \\\\ in an environment that allows no tag
            assert r"\\" not in block[0], f"Eq. {n}: break its rows with \\cr"
        assert set(EQUATIONS.get(path.stem, [])) <= set(tags)


def test_every_name_in_the_table_of_the_port_exists():
    names = set(re.findall(r"`(dpm(?:\.\w+)+)`", prose(ROOT / "book/porting.ipynb")))
    assert len(names) > 40
    for name in names:
        pkgutil.resolve_name(name)
    text = prose(ROOT / "book/porting.ipynb")
    for room in ("model.DiffusionModel", "regression", "sampler"):
        table = re.search(rf"\| in `dpm.{room}` \|\n\|-.*\n((\|.*\n)+)", text)[1]
        for row in table.splitlines():
            for name in re.findall(r"`(\w+)`", row.split("|")[1]):
                if name not in ("DiffusionModel", "generate_samples"):  # others keep
                    pkgutil.resolve_name(f"dpm.{room}.{name}")  # their names


def test_the_table_of_the_port_has_every_name_of_2015():
    text = prose(ROOT / "book/porting.ipynb")
    for name in (REFERENCE_NAMES + BLOCKS_NAMES).split():
        assert f"`{name}`" in text, name


def test_links_to_equations_lead_somewhere():
    text = "\n".join(prose(p) for p in PAGES)
    for n in re.findall(r"\]\(#eq-(\d+)\)", text):
        assert f"(eq-{n})=" in text


def test_the_notation_names_what_there_is():
    text = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
    symbols, words = text.split("## Words")
    code = "\n".join(p.read_text(encoding="utf-8") for p in ROOT.glob("dpm/**/*.py"))
    for row in re.findall(r"^\|.*\|$", symbols, flags=re.MULTILINE)[2:]:
        for name in re.findall(r"`([\w.]+)[^`]*`", row.split(" | ")[-2]):
            name = name.removeprefix("dpm.diffusion.")
            assert re.search(rf"\b{name}\b", code), f"nothing is called {name}"
    chapters = "\n".join(prose(p) for p in NOTEBOOKS).lower()
    for english in re.findall(r"^\| ([^|]+) \|", words, flags=re.MULTILINE)[2:]:
        for word in english.split(", "):
            assert word.lower().replace("\u2013", "-") in chapters, word


def test_every_cited_work_is_in_the_bibliography():
    known = re.findall(
        r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(), re.M
    )
    for path in PAGES:
        for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", prose(path)):
            for key in keys.split(","):
                assert key.strip() in known


def test_checkpoints_are_small_and_say_where_they_come_from():
    paths = sorted((ROOT / "book" / "checkpoints").glob("*.npz"))
    assert len(paths) > 20
    for path in paths:
        assert path.stat().st_size < 8_000_000, path
        if path.name.startswith(("sfo_", "ablations_")) or "_samples" in path.stem:
            continue  # curves of optimisers and pictures of models, no models
        arrays, meta = checkpoint.load(path)
        assert meta["command"].startswith("python -m dpm."), path
        assert meta["seconds"] > 0 and meta["versions"]["pytensor"], path
        score = "log p" if path.stem == "mcgsm_leaves" else "K"
        assert meta["report"][score]["standard_error"] > 0, path
        assert "recipe" not in meta or meta["data"]["name"], path
        for name, value in arrays.items():
            assert value.dtype.itemsize <= 4 or path.stem == "mcgsm_leaves", name


KEPT = (
    "mnist",
    "mnist_dense",
    "mnist_bound",
    "mnist_tails",
    "cifar10",
    "dead_leaves",
    "bark4",
)


def spelled_out(model_args):
    """All choices of a model, those left out too, but what data and scoring decide."""
    choices = model_arguments()
    choices |= VARIANTS[model_args.get("variant", "reference")] | model_args
    choices["final_log_snr"] = choices["final_log_snr"] or -5.0
    decided = ("spatial_width", "n_colors", "uniform_noise", "guess_limit")
    return {k: v for k, v in choices.items() if k not in decided}


@pytest.mark.parametrize("name", KEPT)
def test_the_command_of_a_kept_checkpoint_is_still_that_of_its_recipe(name):
    _, meta = checkpoint.load(ROOT / "book" / "checkpoints" / f"{name}.npz")
    words = shlex.split(runs.command_of(meta))
    assert words[:3] == ["python", "-m", "dpm.train"]
    found = dataclasses.asdict(train.recipe_from_args(train.parse_args(words[3:])))
    kept = dict(meta["recipe"])
    found = {k: found[k] for k in kept}
    for recipe in (found, kept):
        recipe["model_args"] = spelled_out(recipe["model_args"])
    assert found == kept


def test_who_builds_the_folder_of_pages_is_told_which_folder_to_build():
    """The table of contents there is none, and its error says so."""
    with pytest.raises(MalformedError, match="'jupyter-book build .' in the folder ab"):
        parse_toc_yaml(ROOT / "book" / "_toc.yml")
    assert parse_toc_yaml(ROOT / "_toc.yml").root.docname == "book/welcome"


def test_every_module_is_in_the_reference():
    pages = sorted((ROOT / "book" / "api").glob("*.md"))
    text = "\n".join(p.read_text(encoding="utf-8") for p in pages)
    described = set(re.findall(r"automodule:: ([\w.]+)", text))
    for path in ROOT.glob("dpm/**/*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        inner = path.stem.startswith("__") or "exercises" in name or "ledger" in name
        if not inner and name not in ("dpm.version", "dpm.blocks.conv_numba"):
            assert name in described, f"book/api describes no {name}"
            assert f"{{py:mod}}`{name}`" in text, f"the index names no {name}"


def test_the_road_has_the_chapters_of_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8").split("Use it")[0]
    numbered = re.findall(r"- file: book/(\w+)", toc)
    welcome = (ROOT / "book" / "welcome.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+)\. \[[^]]+\]\((\w+)\.ipynb\)", welcome, re.M)
    assert listed == [(str(n), name) for n, name in enumerate(numbered, start=1)]
    places = runpy.run_path(str(ROOT / "book" / "draw_road.py"))["PLACES"]
    assert list(places) == list(range(1, len(numbered) + 1))


def test_the_page_of_times_has_the_chapters_as_they_are():
    """But for the seconds, which were measured once: `python book/draw_times.py`."""
    draw = runpy.run_path(str(ROOT / "book" / "draw_times.py"))
    now = draw["page"]({f"book/{p.name}": 0.0 for p in NOTEBOOKS})
    kept = (ROOT / "book" / "times.md").read_text(encoding="utf-8")
    now, kept = (
        re.findall(r"^\| (\d+\. .*?) \| ([\d,]+) \|", x, re.M) for x in (now, kept)
    )
    assert [title for title, _ in now] == [title for title, _ in kept]
    for (title, count), (_, before) in zip(now, kept, strict=True):
        count, before = (int(x.replace(",", "")) for x in (count, before))
        assert abs(count - before) < 0.2 * before, f"{title}: draw the page anew"
