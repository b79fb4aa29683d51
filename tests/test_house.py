"""The house that the package is: small rooms, one idea a folder, no arrow upwards."""

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "dpm"
ROOMS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(HOUSE.rglob("*.py"))
}
FLOORS = (  # from the ground up; a room may import those below, and its own folder
    "version",
    "blocks",
    "diffusion",
    "exact",
    "regression",
    "weightings",
    "variants",
    "model",
    "sfo",
    ("player", "inline", "tables"),
    "viz",
    "sampler",
    "datasets",
    "evaluation",
    "extensions",
    "recipes",
    "commands",
    "runs",
    "trained",
    ("train", "evaluate", "fit_mcgsm", "doctor"),
    "ledger",
    "exercises",
)
FLOOR = {
    name: number
    for number, floor in enumerate(FLOORS)
    for name in ([floor] if isinstance(floor, str) else floor)
}


def imported(path) -> set:
    """Rooms that a file imports, those inside its functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports are not followed"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                face = f"{inside}.__init__"
                found.add(next((n for n in (inside, face) if n in ROOMS), node.module))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {n if n in ROOMS else f"{n}.__init__" for n in found if n.startswith("dpm")}


IMPORTS = {name: imported(path) for name, path in ROOMS.items()}


def folder(name: str) -> str:
    return name.split(".")[1]


def test_rooms_are_found():
    assert len(ROOMS) > 60 and "dpm.diffusion.schedule" in ROOMS
    assert "dpm.blocks.bricks" in IMPORTS["dpm.diffusion.schedule"]
    assert {name for names in IMPORTS.values() for name in names} <= set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_no_file_is_long(name):
    assert len(ROOMS[name].read_text(encoding="utf8").splitlines()) <= 400


@pytest.mark.parametrize("name", [n for n in ROOMS if n != "dpm.__init__"])
def test_no_arrow_runs_upwards(name):
    for other in IMPORTS[name] - {"dpm.__init__"}:
        assert FLOOR[folder(other)] <= FLOOR[folder(name)], f"{name} imports {other}"
    assert "dpm.__init__" not in IMPORTS[name], "the face of the package is the roof"


def test_there_is_no_circle():
    """Also none by way of a face, which imports what it hands on."""
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError


@pytest.mark.parametrize("face", [n for n in ROOMS if n.endswith("__init__")])
def test_a_face_only_hands_on(face):
    if face in ("dpm.__init__",):
        return
    body = ast.parse(ROOMS[face].read_text(encoding="utf8")).body
    for node in body[1:]:
        names = getattr(node, "targets", [None])
        is_all = getattr(names[0], "id", None) == "__all__"
        assert isinstance(node, ast.ImportFrom) or is_all, ast.unparse(node)


TESTED_ELSEWHERE = {  # by the tests of ledger/entries, which run every check
    f"dpm.ledger.{name}"
    for name in "appendix_b architecture chains entropy perturbed posteriors "
    "probability training trajectories worlds".split()
} | {"dpm.version"}
TESTED_ELSEWHERE |= {  # chapters, by the tests of the catalogue and by their pages
    name
    for name in ROOMS
    if folder(name) == "exercises" and not name.endswith(("judge", "catalogue"))
}


@pytest.mark.parametrize("name", [n for n in ROOMS if not n.endswith("__init__")])
def test_every_room_is_tested_by_a_file_of_its_name(name):
    *folders, room = name.split(".")[1:]
    file = Path(__file__).parent.joinpath(*folders, f"test_{room}.py")
    assert file.is_file() or name in TESTED_ELSEWHERE, file


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("name", [n for n in ROOMS if not n.endswith("__init__")])
def test_no_private_name_of_another_room(name):
    tree = ast.parse(ROOMS[name].read_text(encoding="utf8"))
    rooms = {n.split(".")[-1] for n in ROOMS}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dpm"):
            assert not [a.name for a in node.names if is_private(a.name)]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            other = node.value.id in rooms
            assert not (other and is_private(node.attr)), ast.unparse(node)


def test_what_is_no_code_comes_with_the_package():
    """Pictures and licences beside the code, by the patterns of pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    shipped = {
        path
        for package, patterns in settings["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    others = {path for path in HOUSE.rglob("*") if path.is_file()} - set(ROOMS.values())
    others = {path for path in others if "__pycache__" not in path.parts}
    assert len(others) > 5 and not others - shipped


def test_a_schedule_loads_no_compiler():
    code = (
        "import sys, dpm.diffusion.schedule\n"
        "sys.exit(', '.join({'jax', 'numba', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_and_files_that_are_spoken_of_are_there():
    """In pages, docstrings and the README: what a move leaves behind shows here."""
    texts = [*ROOT.glob("*.md"), *(ROOT / "book").glob("*.md")]
    texts += [*(ROOT / "book").glob("*.ipynb"), *ROOMS.values()]
    wrong = []
    for path in texts:
        text = path.read_text(encoding="utf8")
        for name in {*re.findall(r"`(dpm(?:\.\w+)+)`", text)}:
            try:
                pkgutil.resolve_name(name)
            except (ImportError, AttributeError):
                wrong.append(f"{path.name}: {name}")
        for file in {*re.findall(r"\b((?:dpm|tests)/[\w/]+\.py)\b", text)}:
            if not (ROOT / file).is_file():
                wrong.append(f"{path.name}: {file}")
    assert not wrong
