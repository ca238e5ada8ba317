"""UIQI and flicker, on values that can be worked out by hand."""

import numpy as np
import pytest

from engines.evaluation.flicker import flicker
from engines.evaluation.uiqi import WINDOW, uiqi
from engines.frame import Planes

RANDOM = np.random.default_rng(5)


def one_window(x: np.ndarray, y: np.ndarray) -> float:
    """The paper's formula in a single window."""
    x, y = x.astype(float), y.astype(float)
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    means = x.mean() ** 2 + y.mean() ** 2
    return 4 * covariance * x.mean() * y.mean() / ((x.var() + y.var()) * means)


def test_uiqi_is_the_mean_of_the_papers_formula_over_every_window():
    x, y = RANDOM.integers(0, 256, (2, 11, 13)).astype(np.uint8)
    windows = [
        one_window(x[i : i + WINDOW, j : j + WINDOW], y[i : i + WINDOW, j : j + WINDOW])
        for i in range(11 - WINDOW + 1)
        for j in range(13 - WINDOW + 1)
    ]
    assert uiqi(x, y) == pytest.approx(np.mean(windows), abs=1e-12)
    assert uiqi(x, x) == pytest.approx(1)


def test_flat_windows_count_for_their_means_alone():
    black, dark, light = (np.full((9, 9), level, np.uint8) for level in (0, 50, 100))
    assert uiqi(black, black) == 1
    assert uiqi(dark, light) == pytest.approx(2 * 50 * 100 / (50**2 + 100**2))
    assert uiqi(black, light) == 0


def test_uiqi_of_a_negative_picture_is_below_zero():
    x = RANDOM.integers(40, 216, (24, 24)).astype(np.uint8)
    assert uiqi(255 - x, x) < -0.5


def clip(*lumas: np.ndarray) -> list[Planes]:
    chroma = np.full((8, 8), 128, np.uint8)
    return [Planes(luma.astype(np.uint8), chroma, chroma) for luma in lumas]


def test_flicker_leaves_out_what_stays_and_what_the_source_does():
    still = RANDOM.integers(50, 150, (16, 16))
    moving = [np.roll(still, n, axis=1) for n in range(3)]
    reference = clip(*moving)
    assert flicker(reference, reference) == 0
    assert flicker(clip(*(luma + 9 for luma in moving)), reference) == 0  # wrong, but steady
    pulsing = clip(moving[0], moving[1] + 3, moving[2])
    assert flicker(pulsing, reference) == pytest.approx(3)


def test_a_single_picture_cannot_flicker():
    one = clip(np.zeros((16, 16)))
    assert flicker(one, one) is None
