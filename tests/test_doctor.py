"""The doctor finds what is there, what is not, and says what to do about it."""

import os

import pytest

from dpm import doctor
from dpm.doctor import Finding


def found_by(look) -> dict:
    return {finding.name: finding for finding in look()}


def test_a_healthy_machine_is_told_so(capsys):
    assert doctor.main(["--no-speed"]) == 0
    text = capsys.readouterr().out
    for heading in ("Versions", "Backend", "Threads", "Data", "Tests"):
        assert f"\n{heading}\n" in f"\n{text}"
    assert "pytensor" in text and "Speed" not in text
    assert text.endswith("All that training needs is here.\n")


def test_a_package_that_is_missing_has_its_remedy(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-package"))
    found = found_by(doctor.packages)
    remedy = "pip install no-such-package"
    missing = Finding("no-such-package", "not installed", remedy, needed=True)
    assert found["no-such-package"] == missing and not found["numpy"].remedy
    assert doctor.main(["--no-speed"]) == 1
    text = capsys.readouterr().out
    assert f"-> {remedy}" in text and text.endswith("Something is missing.\n")


def test_a_model_is_compiled_and_timed():
    found = found_by(lambda: doctor.speed(n_steps=2))
    assert found["a model compiled"].found.endswith(" s")
    assert "24,000 take" in found["a step of the swiss roll"].found
    assert not any(finding.remedy for finding in found.values())


def test_a_model_that_does_not_compile_is_reported(monkeypatch):
    def broken(self):
        raise RuntimeError("no\ncompiler")

    monkeypatch.setattr(doctor.SwissRollRecipe, "load_data", broken)
    (finding,) = doctor.speed(n_steps=1)
    assert finding.found == "RuntimeError: no compiler"
    assert finding.needed and "new environment" in finding.remedy


def test_data_are_looked_for_where_they_are_said_to_be(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(doctor.datasets, "at_hand", lambda name: name != "MNIST")
        found = found_by(doctor.data)
        assert "DPM_DATA" in found["MNIST"].remedy and not found["CIFAR10"].remedy
    monkeypatch.setenv("DPM_DATA", str(tmp_path / "nowhere"))
    found = found_by(doctor.data)
    assert "is not a folder" in found["MNIST"].remedy
    assert found["DIGITS"].found == "at hand"
    assert "skipped" in found_by(doctor.skipped)["tests of the real MNIST"].found


def test_a_browser_is_found_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    pages = found_by(doctor.skipped)["tests of the rendered pages"]
    assert pages.found == "skipped: no Chromium" and "apt-get" in pages.remedy
    chromium = tmp_path / "chromium"
    chromium.write_text("")
    chromium.chmod(0o755)
    assert doctor.browser() == str(chromium)


def test_threads_and_another_backend(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    found = found_by(doctor.threads)
    assert "OPENBLAS_NUM_THREADS=3" in found["threads of linear algebra"].found
    assert found["cores"].found.endswith(f" of {os.cpu_count()} may be used")
    with doctor.pytensor.config.change_flags(mode="FAST_COMPILE"):
        assert "unset PYTENSOR_FLAGS" in found_by(doctor.backend)["backend"].remedy


def test_words_it_does_not_know_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        doctor.main(["--fast"])
    assert stop.value.code == 2 and "--help" in capsys.readouterr().err
