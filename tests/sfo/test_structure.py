"""Parameters of any structure as one vector."""

import numpy as np
import pytest

from dpm.sfo.sfo import SFO
from dpm.sfo.structure import Structure


def test_nested_parameters():
    target = {"a": [np.arange(6.0).reshape(2, 3), np.float32([1, 2])], "b": (3.0,)}
    structure = Structure(target)

    def f_df(theta, scale):
        difference = structure.flatten(theta) - structure.flatten(target)
        return scale * difference @ difference, structure.restore(
            2 * scale * difference
        )

    start = structure.restore(np.zeros(structure.size))
    theta = SFO(f_df, start, [1.0, 2.0, 3.0]).optimize(5)
    assert list(theta) == ["a", "b"] and isinstance(theta["b"], tuple)
    assert theta["a"][1].dtype == np.float32 and theta["a"][0].shape == (2, 3)
    np.testing.assert_allclose(structure.flatten(theta), structure.flatten(target))
    assert structure.names == ["theta['a'][0]", "theta['a'][1]", "theta['b'][0]"]


def test_gradients_built_otherwise_are_named():
    theta = {"a": np.ones(2), "b": [np.ones(1)]}
    structure = Structure(theta)
    for values, message in [
        ({"a": np.ones(2)}, "keys a, b"),
        ({"a": np.ones(2), "b": []}, r"\['b'\] is not built like theta.* 1 entries"),
        ({"a": np.ones(3), "b": [np.ones(1)]}, r"\['a'\] has shape \(3,\)"),
        ({"a": np.ones(2), "b": ["x"]}, r"\['b'\]\[0\] of type str"),
    ]:
        with pytest.raises(ValueError, match=message):
            structure.flatten(values, "gradient")
