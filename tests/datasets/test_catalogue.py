"""Data sets by name."""

import pytest

from dpm import datasets
from dpm.datasets import catalogue


def test_digits_at_hand(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "at_hand", lambda name: False)
    assert datasets.digits_at_hand() == "DIGITS"
    monkeypatch.setattr(catalogue, "at_hand", lambda name: True)
    assert datasets.digits_at_hand() == "MNIST"
    with pytest.raises(ValueError, match="MNIST has no setting 'seed': there are path"):
        datasets.load("MNIST", seed=1)


def test_every_set_has_a_loader_whose_arguments_are_its_settings():
    assert set(datasets.SOURCES) >= {"SWISS_ROLL", "HEARTBEAT", "MNIST", "IMAGES"}
    assert "SWISS_ROLL" not in datasets.image_sets()
    for name, source in datasets.SOURCES.items():
        assert source.at_hand() in (True, False)
        with pytest.raises(ValueError, match=f"{name} has no setting 'nothing'"):
            datasets.load(name, nothing=1)
    with pytest.raises(ValueError, match="unknown dataset 'CATS': there are BARK"):
        datasets.load("CATS")


def test_own_pictures_are_never_at_hand():
    assert datasets.at_hand("SWISS_ROLL") and not datasets.at_hand("IMAGES")
