"""What the commands share: options are read, and what was typed is kept."""

import shlex

import pytest

from dpm import commands


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
