"""The quality measures on small synthetic clips."""

import math

import numpy as np
import pytest
from scipy import ndimage

from engines.evaluation import EvaluationError
from engines.evaluation.measures import PSNR_MAX_DB, measure, psnr
from engines.frame import Planes

WIDTH, HEIGHT, FRAMES = 192, 176, 4


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Planes:
    """Smooth texture that moves two pixels a frame."""
    random = np.random.default_rng(7)
    texture = ndimage.gaussian_filter(random.normal(size=(height, width + 64)), 1.2) * 160 + 128
    luma = np.clip(texture[:, 2 * number : 2 * number + width], 16, 235).astype(np.uint8)
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Planes(luma, chroma, chroma)


def with_luma(planes: Planes, luma: np.ndarray) -> Planes:
    return Planes(np.clip(luma, 0, 255).round().astype(np.uint8), planes.u, planes.v)


REFERENCE = [picture(number) for number in range(FRAMES)]


def blurred(sigma: float) -> list[Planes]:
    return [with_luma(p, ndimage.gaussian_filter(p.y.astype(float), sigma)) for p in REFERENCE]


def sharpened(clip: list[Planes], amount: float) -> list[Planes]:
    soft = [ndimage.gaussian_filter(p.y.astype(float), 1.5) for p in clip]
    return [with_luma(p, p.y + amount * (p.y - s)) for p, s in zip(clip, soft, strict=True)]


def test_identical_clips_reach_the_top_of_every_measure():
    found = measure(REFERENCE, REFERENCE, thorough=True)
    assert found.frames == FRAMES
    assert found.psnr_y == found.psnr_yuv == found.xpsnr_y == PSNR_MAX_DB
    assert found.flicker == 0
    assert found.uiqi == pytest.approx(1)
    assert found.vmaf > 95
    assert found.vmaf_neg > 95
    assert found.ssim == pytest.approx(1)
    assert found.ms_ssim == pytest.approx(1)


def test_more_blur_is_worse_in_every_measure():
    soft, softer = (measure(blurred(sigma), REFERENCE, thorough=True) for sigma in (0.7, 1.2))
    for name in ("psnr_y", "vmaf", "vmaf_neg", "xpsnr_y", "ssim", "ms_ssim", "uiqi"):
        assert getattr(softer, name) < getattr(soft, name), name


def test_xpsnr_weighs_by_what_the_reference_shows():
    """What is lost of a texture is forgiven for the texture, not for what is left of it."""
    soft = blurred(1.5)
    assert (
        measure(soft, REFERENCE, thorough=True).xpsnr_y
        > measure(REFERENCE, soft, thorough=True).xpsnr_y
    )


def test_sharpening_lifts_vmaf_more_than_vmaf_neg():
    before = measure(blurred(0.9), REFERENCE)
    after = measure(sharpened(blurred(0.9), 0.8), REFERENCE)
    assert after.vmaf > before.vmaf + 1
    assert after.vmaf - before.vmaf > after.vmaf_neg - before.vmaf_neg + 1


def test_psnr_of_a_known_error_is_exact():
    plane = np.full((10, 10), 100, np.uint8)
    other = plane.copy()
    other[::2] += 10  # half of the samples off by 10: a mean square of 50
    assert psnr(other, plane) == pytest.approx(10 * math.log10(255**2 / 50), abs=1e-12)
    assert psnr(plane, other) == psnr(other, plane)


def test_clip_psnr_is_the_mean_of_its_frames():
    test = [*REFERENCE[:-1], with_luma(REFERENCE[-1], REFERENCE[-1].y.astype(int) + 1)]
    last = 10 * math.log10(255**2)
    found = measure(test, REFERENCE)
    assert found.psnr_y == pytest.approx(((FRAMES - 1) * PSNR_MAX_DB + last) / FRAMES)


@pytest.mark.parametrize(("width", "height"), [(65, 67), (64, 64)])
def test_odd_and_small_sizes_are_measured_without_ms_ssim(width, height):
    clip = [picture(number, width, height) for number in range(3)]
    found = measure(clip, clip, thorough=True)
    assert found.ms_ssim is None
    assert found.psnr_y == PSNR_MAX_DB


@pytest.mark.parametrize(
    ("test", "reference", "message"),
    [
        (REFERENCE[:2], REFERENCE, "2 pictures to compare with 4"),
        ([], [], "0 pictures"),
        ([picture(0, 64, 64)], REFERENCE[:1], "different sizes"),
    ],
)
def test_clips_that_do_not_match_are_refused(test, reference, message):
    with pytest.raises(EvaluationError, match=message):
        measure(test, reference)


def test_psnr_yuv_weighs_luma_six_to_one_and_one():
    test = [Planes(p.y, p.u, p.v + np.uint8(1)) for p in REFERENCE]  # V is off by one
    found = measure(test, REFERENCE, thorough=True)
    assert found.psnr_yuv == pytest.approx((7 * PSNR_MAX_DB + 10 * math.log10(255**2)) / 8)


def test_lean_measuring_takes_nothing_that_it_need_not():
    found = measure(REFERENCE, REFERENCE)
    assert (found.psnr_yuv, found.ssim, found.uiqi, found.flicker) == (None,) * 4
