"""Processes hear who else has come, or what is wrong, before JAX is asked."""

import socket
import threading
import time

import pytest

from dpm.blocks import roll_call


@pytest.fixture
def port():
    with socket.create_server(("", 0)) as server:
        number = server.getsockname()[1]
    return number


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(roll_call, "PATIENCE", 1.0)


def come(port, *callers):
    """What each of some processes, (n, number), gets to hear, in threads."""
    said = {}

    def call(place, n, number):
        try:
            roll_call.call_the_roll("127.0.0.1", port, n, number)
            said[place] = "welcome"
        except ValueError as error:
            said[place] = str(error)

    threads = [
        threading.Thread(target=call, args=(place, *caller))
        for place, caller in enumerate(callers)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    return [said[place] for place in range(len(callers))]


def test_all_are_welcome_whoever_comes_first(port, patient):
    assert come(port, (3, 2), (3, 0), (3, 1)) == ["welcome"] * 3


def test_others_that_call_are_not_counted(port, patient):
    def disturb():
        time.sleep(0.02)  # process 0 waits, process 1 has not come
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"GET / HTTP/1.1")

    threading.Thread(target=disturb).start()
    assert come(port, (2, 0), (2, 1)) == ["welcome"] * 2


@pytest.mark.parametrize(
    "callers, match",
    [
        ([(3, 0), (3, 1), (3, 1)], "two processes have --process-id 1: give each"),
        ([(2, 0), (3, 1)], "process 0 counts 2 processes, process 1 counts 3"),
    ],
)
def test_all_hear_what_is_wrong(callers, match, port, patient):
    for said in come(port, *callers):
        assert said.startswith(f"--coordinator 127.0.0.1:{port}: {match}")


def test_who_does_not_come_is_said(port, patient):
    (said,) = come(port, (3, 0))
    assert "of 3 processes only 0 had come after 1 s: start all" in said
    (said,) = come(port, (3, 1))
    assert "process 0 was not reached in 1 s (" in said and "firewall" in said


def test_two_processes_0_on_one_machine(port, patient):
    said = come(port, (2, 0), (2, 0))
    assert "process 0 cannot have the port" in said[1] and "only 0 had come" in said[0]


def test_what_answers_is_something_else(patient):
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]

        def answer():
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.sendall(b"\x00\x00\x12\x04")  # as JAX's service does

        threading.Thread(target=answer, daemon=True).start()
        (said,) = come(number, (2, 1))
    assert "what answers does not wait for processes: has the run begun?" in said
