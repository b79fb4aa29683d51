"""What the commands share: options are read, and what was typed is kept."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from dpm import commands, evaluate, train

ROOT = Path(__file__).parents[1]


def test_model_arguments_are_literals_only():
    parsed = commands.parse_model_args("n_scales=3, variant='paper', learn_beta=True")
    assert parsed == {"n_scales": 3, "variant": "paper", "learn_beta": True}
    assert commands.parse_model_args("") == {}
    for bad in ("n_scales", "3", "a=b", "a=f()", "a=1)+dict(b=2", "**{}", "a=1;b=2"):
        with pytest.raises(ValueError, match="cannot be read"):
            commands.parse_model_args(bad)


@pytest.mark.parametrize(
    "args", ["mean='guess', n_scales=2", 'a="b"', "$HOME", "a\\b c", "`x`", "a!b", ""]
)
def test_the_command_kept_can_be_typed_again(args, monkeypatch):
    words = ["--dataset", "MNIST", "--model-args", args]
    monkeypatch.setattr("sys.argv", ["dpm.train", *words])
    kept = commands.command_line()
    assert shlex.split(kept)[3:] == words
    assert args[:4] != "mean" or f'--model-args "{args}"' in kept


@pytest.mark.parametrize(
    "page", ["README.md", "book/own_training.md", "book/elsewhere.md"]
)
def test_commands_that_the_pages_show_can_be_typed(page):
    text = (ROOT / page).read_text(encoding="utf8").replace("\\\n", " ")
    found = re.findall(r"^python -m (dpm\.\w+)([^#\n]*)", text, re.MULTILINE)
    assert len(found) >= 3
    for module, options in found:
        importlib.import_module(module).parse_args(shlex.split(options))


def test_options_that_a_page_names_exist(capsys):
    for words in (["--dataset", "MNIST"], ["--dataset", "SWISS_ROLL"]):
        with pytest.raises(SystemExit):
            train.parse_args([*words, "--help"])
    with pytest.raises(SystemExit):
        evaluate.parse_args(["--help"])
    known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    text = (ROOT / "book" / "own_training.md").read_text(encoding="utf8")
    named = {word for code in re.findall(r"`[^`]*`", text)
             for word in re.findall(r"(?<![\w-])--[a-z][\w-]+", code)}  # fmt: skip
    assert len(named) > 12 and named <= known
