"""The line through samples, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.soak.trend import rise, trend


def test_a_straight_line_is_found_without_doubt() -> None:
    found = trend(range(10), [3 + 0.5 * x for x in range(10)]).per(100)
    assert found.slope == pytest.approx(50)
    assert found.uncertainty == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_true_slope_is_within_the_uncertainty_of_nearly_all_runs(correlation: float) -> None:
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        noise = np.zeros(300)
        for index in range(1, 300):
            noise[index] = correlation * noise[index - 1] + random.normal()
        found = trend(np.arange(300.0).tolist(), (0.01 * np.arange(300) + noise).tolist())
        hits += abs(found.slope - 0.01) <= found.uncertainty
    assert 176 <= hits <= 200  # 95% of 200, less what a short run does not see of r


def test_few_samples_tell_nothing() -> None:
    assert trend([1, 2], [1, 9]).uncertainty == float("inf")


def test_a_count_that_moves_and_comes_back_did_not_rise() -> None:
    assert rise([5, 9, 5, 5, 7, 5, 9, 5]) == 0
    assert rise([5, 5, 5, 5, 6, 6, 6, 6]) == 1
