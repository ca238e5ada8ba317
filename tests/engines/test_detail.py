import numpy as np
import pytest

from engines.detail import BAND, BANDS_MAX, lost_detail
from engines.frame import Plane


def checkers(side: int, height: int = 240, width: int = 240) -> Plane:
    rows, columns = np.indices((height, width)) // side
    return ((rows + columns) % 2 * 100 + 50).astype(np.uint8)


def test_a_flat_picture_has_none() -> None:
    assert lost_detail(np.full((90, 70), 99, np.uint8)) == (0, 0, 0)


def test_single_samples_are_all_of_it() -> None:
    assert lost_detail(checkers(1)).to_half == pytest.approx(50**2)


def test_what_survives_halving_does_not_count() -> None:
    assert lost_detail(checkers(2)).to_half == 0


def test_noise_loses_three_quarters_of_its_variance() -> None:
    luma = np.random.default_rng(3).normal(128, 8, (512, 512)).round().astype(np.uint8)
    assert lost_detail(luma).to_half == pytest.approx(0.75 * 8**2, rel=0.02)


def test_a_sample_of_a_large_picture_tells_the_whole() -> None:
    rng = np.random.default_rng(4)
    luma = rng.normal(120, 9, (BAND * BANDS_MAX * 3 + 10, 480)).round().astype(np.uint8)
    assert lost_detail(luma).to_half == pytest.approx(0.75 * 9**2, rel=0.03)


def test_the_steps_after_halving_lose_the_rest() -> None:
    """Noise keeps 1 / side^2 of its variance in means of side x side samples."""
    luma = np.random.default_rng(5).normal(128, 20, (1024, 1024)).round().clip(0, 255)
    lost = lost_detail(luma.astype(np.uint8))
    assert lost.at(3) == pytest.approx((1 / 4 - 1 / 9) * 20**2, rel=0.05)
    assert lost.at(4) == pytest.approx((1 / 9 - 1 / 16) * 20**2, rel=0.1)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (65, 97), (527, 331)])
def test_any_size(height: int, width: int) -> None:
    assert lost_detail(checkers(1, height, width)).to_half == pytest.approx(50**2)
