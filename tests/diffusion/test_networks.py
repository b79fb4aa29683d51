"""The radial basis functions of the swiss roll."""

import numpy as np
import pytensor.tensor as pt
import threadpoolctl

from dpm import datasets
from dpm.blocks.backend import numbers
from dpm.diffusion.networks import NormalizedRBF, RBFNetwork

T = 6


def test_rbf_activities_sum_to_one():
    rbf = NormalizedRBF(2, 5)
    rbf.initialize(np.random.default_rng(0))
    h = numbers(rbf.apply(pt.as_tensor(np.ones((7, 2)))))
    assert h.shape == (7, 5)
    np.testing.assert_allclose(h.sum(axis=1), 1)


def test_centres_do_not_depend_on_the_number_of_threads():
    """Or training would end elsewhere on a computer with fewer cores."""
    X, placed = datasets.swiss_roll().X_train, []
    for n in (1, 2, 3):
        net = RBFNetwork(2, 16, T)
        with threadpoolctl.threadpool_limits(n, user_api="openmp"):
            net.place_centers(X, np.random.default_rng(0))
        placed.append(net.rbf.centers.get_value())
        np.testing.assert_array_equal(placed[-1], placed[0])
    assert len(np.unique(placed[0], axis=0)) == 16
