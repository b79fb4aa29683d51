"""Several processes come together, or say why not; alone, none of this does anything.

Two real ones are in test_devices.py.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from dpm import train
from dpm.blocks import checkpoint, processes


@pytest.mark.parametrize(
    "words, match",
    [
        (["--coordinator", "host"], "write HOST:PORT"),
        (["--coordinator", "host:99999"], "write HOST:PORT"),
        (["--coordinator", "host:9876"], "add --n-processes and --process-id"),
        (["--process-id", "1"], "--process-id needs --coordinator"),
        (["--coordinator", "auto", "--n-processes", "2"], "leave them out"),
    ],
)
def test_bad_options_are_refused(words, match, refuse):
    numbered = ["--n-processes", "2", "--process-id", "1"]
    more = numbered if match == "write HOST:PORT" else []
    refuse(match, "--dataset", "SWISS_ROLL", *words, *more)
    refuse(match, "run", *words, *more, module="dpm.evaluate")


def test_a_number_beyond_those_there_are(refuse):
    words = ["--coordinator", "host:9876", "--n-processes", "2", "--process-id", "2"]
    refuse("--process-id 2: 2 processes have the numbers 0 to 1", *words)


@pytest.fixture
def second_of_two(monkeypatch):
    """This is process 1 of two; the other says what `others` holds, in turn."""
    others = []
    monkeypatch.setattr(processes._State, "number", 1)
    monkeypatch.setattr(processes._State, "many", 2)
    monkeypatch.setattr(processes._State, "agreed", False)
    monkeypatch.setattr(processes, "all_say", lambda text: [others.pop(0), text])
    monkeypatch.setattr(processes, "SEEN_WITHIN", 0.3)
    return others


def test_process_0_alone_writes(second_of_two, tmp_path):
    (tmp_path / ".dpm-1.tmp").touch()
    checkpoint.save(tmp_path / "checkpoint.npz", {"a": np.zeros(3)}, {})
    checkpoint.remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".dpm-1.tmp"]
    assert train.left_behind(tmp_path) == "" and tmp_path.exists()


def test_agreement(second_of_two):
    second_of_two.append(json.dumps({"seed": 0}))
    processes.check_agreement(lambda: {"seed": 0})
    second_of_two.append(json.dumps({"jax": "0.9", "seed": 0}))
    with pytest.raises(ValueError, match="differ in jax: '0.10' in process 1, '0.9' "):
        processes.check_agreement(lambda: {"jax": "0.10", "seed": 1})
    second_of_two.append(json.dumps({"error": "no data"}))
    with pytest.raises(ValueError, match="^process 0 of 2: no data$"):
        processes.check_agreement(lambda: {"seed": 0})


def test_a_folder_that_process_0_could_not_make(second_of_two, tmp_path):
    second_of_two.append(json.dumps(["", "the disk is full"]))
    with pytest.raises(ValueError, match="^the disk is full$"):
        processes.made_by_writer(lambda: 1 / 0, tmp_path)


@pytest.mark.parametrize("shared", [True, False])
def test_a_folder_is_seen_by_both(shared, second_of_two, tmp_path):
    (tmp_path / processes.TOKEN).write_text("word" if shared else "an old one")
    second_of_two += ["word", "written", "True"]
    if shared:
        assert processes.check_shared(tmp_path) == tmp_path
        return
    with pytest.raises(ValueError, match="process 1 does not see the files"):
        processes.check_shared(tmp_path)


def test_work_is_shared_out_and_no_piece_is_done_twice(monkeypatch):
    pieces = []
    monkeypatch.setattr(processes._State, "many", 3)
    for number in range(3):
        monkeypatch.setattr(processes._State, "number", number)
        pieces += list(range(10)[processes.own_share()])
    assert sorted(pieces) == list(range(10))


def test_a_digest_tells_arrays_apart():
    a, b = np.arange(6.0), np.arange(6.0)[::-1]
    assert processes.digest([a, b]) == processes.digest([a.copy(), b.copy()])
    assert processes.digest([a, b]) != processes.digest([b, a])


@pytest.mark.parametrize("orderly", [True, False])
def test_last_words_are_said_unless_the_end_is_in_order(orderly):
    words = [sys.executable, "-S", "-E", "-c", processes.WATCH, "error: lost\n"]
    watch = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, said = watch.communicate(b"done" if orderly else b"")
    assert said == (b"" if orderly else b"error: lost\n")


def test_alone_nothing_is_asked(tmp_path):
    processes.check_agreement(lambda: 1 / 0)
    processes.tell_others(ValueError("no"))
    assert processes.all_say("a") == ["a"]
    assert processes.made_by_writer(lambda: tmp_path, None) == tmp_path
    assert processes.check_shared(tmp_path) == tmp_path
    assert list(range(3)[processes.own_share()]) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        processes.in_company(lambda argv: 1 / 0)()
