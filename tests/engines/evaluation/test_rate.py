"""BD-rate and its interpolation, against values of the FAU reference package (`bjontegaard` 1.3.0),
which agrees with the JCT-VC sheet."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.evaluation.rate import Curve, bd_quality, bd_rate, upper_hull

# the sample of the widely used Bjontegaard_metric script
SAMPLE_ANCHOR = Curve([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42])
SAMPLE_TEST = Curve([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24])
# the example in the README of the FAU package
FAU_ANCHOR = Curve([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851])
FAU_TEST = Curve([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987])


@pytest.mark.parametrize(
    ("anchor", "test", "rate_percent", "quality_db"),
    [
        (SAMPLE_ANCHOR, SAMPLE_TEST, 31.379878202397627, -1.1834724046224592),
        (FAU_ANCHOR, FAU_TEST, -4.417485350589045, 0.11969278542479489),
    ],
)
def test_published_examples_give_their_values(anchor, test, rate_percent, quality_db):
    assert bd_rate(anchor, test) == pytest.approx(rate_percent, abs=1e-9)
    assert bd_quality(anchor, test) == pytest.approx(quality_db, abs=1e-9)


def test_half_the_bits_are_minus_fifty_percent():
    half = Curve(FAU_ANCHOR.rates / 2, FAU_ANCHOR.qualities)
    assert bd_rate(FAU_ANCHOR, half) == pytest.approx(-50)


def test_curves_without_a_common_quality_have_no_bd_rate():
    low, high = Curve([1, 2], [10, 20]), Curve([1, 2], [21, 30])
    assert bd_rate(low, high) is None
    assert bd_quality(low, Curve([3, 4], [10, 20])) is None


def test_a_point_that_costs_more_and_is_not_better_is_left_out():
    curve = Curve([4, 1, 3, 2], [30, 10, 19, 20])
    assert curve.rates.tolist() == [1, 2, 4]
    assert curve.qualities.tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("rates", "qualities"), [([1.0], [1.0]), ([0, 1], [1, 2]), ([1, 2], [3, 3])]
)
def test_a_curve_needs_two_rising_points_of_positive_rate(rates, qualities):
    with pytest.raises(ValueError, match=r"rate must be positive|rising points"):
        Curve(rates, qualities)


def test_upper_hull_is_the_best_of_the_curves_at_every_rate():
    small, large = Curve([1, 2, 4], [10, 13, 14]), Curve([1.9, 3.8, 8], [11, 15, 20])
    hull = upper_hull([small, large])
    assert (hull.rates[0], hull.rates[-1]) == pytest.approx((1, 8))
    for quality in np.linspace(10, 20, 41):
        least = min(r for c in (small, large) if (r := c.rate_at(quality)) is not None)
        assert hull.rate_at(quality) == pytest.approx(least, rel=0.02)
    assert bd_rate(large, upper_hull([large])) == pytest.approx(0, abs=0.01)


def test_a_curve_that_is_better_from_its_first_point_on_is_all_of_the_hull():
    good, bad = Curve([1, 2], [20, 30]), Curve([5, 9], [15, 25])
    hull = upper_hull([bad, good])
    assert (hull.rates[0], hull.rates[-1]) == pytest.approx((1, 2))


def test_of_two_points_at_one_rate_the_better_one_counts():
    curve = Curve([1, 2, 2, 4], [10, 12, 11, 15])
    assert curve.rates.tolist() == [1, 2, 4]
    assert curve.qualities.tolist() == [10, 12, 15]


def test_matched_quality_hits_the_points_and_nothing_outside():
    for rate, quality in zip(FAU_ANCHOR.rates, FAU_ANCHOR.qualities, strict=True):
        assert FAU_ANCHOR.rate_at(quality) == pytest.approx(rate)
        assert FAU_ANCHOR.quality_at(rate) == pytest.approx(quality)
    assert FAU_ANCHOR.rate_at(41) is None
    assert FAU_ANCHOR.quality_at(1) is None


@given(
    st.lists(st.floats(0.01, 5), min_size=2, max_size=7),
    st.lists(st.floats(0.01, 5), min_size=7, max_size=7),
)
def test_interpolation_between_rising_points_never_falls(steps, rises):
    rates = np.exp(np.cumsum(steps))
    curve = Curve(rates, np.cumsum(rises[: len(steps)]))
    qualities = np.linspace(curve.qualities[0], curve.qualities[-1], 50)
    found = [curve.rate_at(float(q)) for q in qualities]
    assert all(b >= a * (1 - 1e-9) for a, b in itertools.pairwise(found) if a and b)
