"""What SFO notes of its steps."""

import numpy as np

from dpm.sfo.history import BAD, NEW, NOT_FINITE, History
from dpm.sfo.sfo import SFO


def test_overshooting_is_noticed():
    """Nearly flat beyond 5, steep before: Newton's steps there go far astray."""

    def well(x, i):
        d = x - 0.1 * i
        return np.cosh(d).sum(), np.sinh(d)

    optimizer = SFO(well, np.full(3, 20.0), range(6))
    np.testing.assert_allclose(optimizer.optimize(60), 0.25, atol=1e-2)

    def flat(x, i):
        d = x - 0.1 * i
        return np.sqrt(1 + d @ d), d / np.sqrt(1 + d @ d)

    optimizer = SFO(flat, np.full(3, 20.0), range(6))
    theta = optimizer.optimize(60)
    np.testing.assert_allclose(theta, 0.25, atol=1e-6)
    assert any("bad step" in words for words in optimizer.history.given_up())


def recorded(*events):
    """A history with one evaluation for each event, of subfunctions 10, 11, .."""
    history = History()
    for k, event in enumerate(events):
        row = (10 + k, 0.5 * k, 2.0 * k, 2, k + 1, 0.1, event)
        for values, entry in zip(vars(history).values(), row, strict=True):
            values.append(entry)
    return history


def test_what_was_given_up_is_said_and_nothing_else():
    history = recorded(NEW, "", BAD, NEW, NOT_FINITE)
    assert history.given_up() == [
        "evaluation 2: bad step at subfunction 12",
        "evaluation 4: not finite at subfunction 14",
    ]
    assert recorded(NEW, "").given_up() == []


def test_arrays_hold_one_entry_an_evaluation():
    history = recorded(NEW, "", BAD)
    arrays = history.arrays()
    assert len(history) == 3 and {len(values) for values in arrays.values()} == {3}
    np.testing.assert_array_equal(arrays["subfunction"], [10, 11, 12])
    np.testing.assert_array_equal(arrays["value"], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(arrays["objective"], [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(arrays["subspace"], [1, 2, 3])
    assert arrays["event"].tolist() == [NEW, "", BAD]


def test_two_histories_share_nothing():
    recorded(NEW)
    assert len(History()) == 0 and History().arrays()["event"].size == 0
