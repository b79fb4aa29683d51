"""The main loop: what it records, and when it gives up."""

import numpy as np
import pytest

from dpm.recipes import SwissRollRecipe

SMALL = SwissRollRecipe(
    trajectory_length=5, n_hidden=3, batch_size=8, n_steps=40, learning_rate=1e-2
)


def test_a_cost_that_is_not_a_number_stops_the_run():
    loop = SMALL.main_loop(SMALL.load_data().X_train)
    readout = loop.model.mlp.readout.b
    readout.set_value(readout.get_value() * np.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        loop.run()
