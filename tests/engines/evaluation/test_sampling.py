"""Samples of frames are like the clip that they are of."""

import numpy as np
import pytest

from engines.carrier import CASCADE, IRAP_OFFSET
from engines.evaluation.sampling import CYCLE, spread


@pytest.mark.parametrize("count", [24, 48, 96, 97, 250])
@pytest.mark.parametrize("parts", [4, 8, 16])
def test_a_sample_has_the_mean_quality_of_the_clip(count: int, parts: int) -> None:
    offsets = np.array([CASCADE[number % len(CASCADE)] for number in range(count)])
    offsets[0] = IRAP_OFFSET
    sample = spread(count, parts)
    assert offsets[sample].mean() == pytest.approx(offsets.mean(), abs=0.4)


@pytest.mark.parametrize("count", [16, 48, 96, 250])
def test_a_sample_of_a_cycle_has_every_place_and_spans_the_clip(count: int) -> None:
    sample = spread(count, CYCLE)
    assert sorted(number % CYCLE for number in sample) == list(range(CYCLE))
    assert 0 not in sample
    assert sample[-1] - sample[0] >= 0.7 * count - CYCLE


@pytest.mark.parametrize(("count", "parts"), [(3, 8), (5, 1), (9, 8), (12, 12), (17, 9), (48, 2)])
def test_a_sample_has_so_many_frames_of_the_clip_each_once(count: int, parts: int) -> None:
    sample = spread(count, parts)
    assert len(sample) == min(count, parts)
    assert sample == sorted(set(sample))
    assert sample[0] >= 0
    assert sample[-1] < count
