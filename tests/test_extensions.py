"""What is drawn and changed while a run of images goes on."""

import pytest

from dpm import extensions


def test_learning_rate_falls_as_in_the_reference():
    rate, rates = 1e-3, []
    for epoch in range(3000):
        rate = extensions.decay_learning_rate(500 * epoch, rate)
        rates.append(rate)
    assert rates[999] == pytest.approx(1e-4, rel=1e-9)
    assert rates[499] == pytest.approx(1e-3 * 10**-0.5, rel=1e-9)
    assert set(rates[1001:]) == {1e-4}
