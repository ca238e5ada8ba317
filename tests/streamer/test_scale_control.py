from itertools import pairwise

import numpy as np
import pytest

from engines.detail import LostDetail
from engines.frame import Frame, Planes
from engines.scale import COARSER_ABOVE_QP, FINER_BELOW_QP, better_scale
from streamer.scale_control import LOOK_EVERY_US, PATIENCE_US, WINDOW_US, ScaleControl

FRAME_US = 40_000
HARD, EASY, HOPELESS = 48.0, 10.0, 51.0
DETAIL = 16.0  # squared levels; worth 12 QP


def picture(detail: float, captured_us: int = 0) -> Frame:
    """Stripes of one sample across, on faint ones of two samples down, which survive halving."""
    luma = np.full((64, 64), 122, np.uint8)
    luma[::4] += np.uint8(12)
    luma[1::4] += np.uint8(12)
    luma[:, ::2] += np.uint8(2 * detail**0.5)
    chroma = np.full((32, 32), 128, np.uint8)
    return Frame(Planes(luma, chroma, chroma), captured_us // FRAME_US, captured_us)


class Stream:
    """Pictures of 25 a second through a control that starts at scale 2."""

    def __init__(self, fixed: int | None = None) -> None:
        self.control = ScaleControl(fixed, 230_000)
        self.control.start(1280, 720, 25.0)
        self.now_us = 0

    def run(self, qp: float, duration_us: int, detail: float = DETAIL) -> int:
        end_us = self.now_us + duration_us
        while self.now_us < end_us:
            irap = self.now_us % 10_000_000 == 0
            self.control.look(picture(detail, self.now_us))
            self.control.coded(self.control.scale, 51.0 if irap else qp, irap, self.now_us)
            self.now_us += FRAME_US
        return self.control.scale


def test_a_hard_picture_gets_a_coarser_scale_step_by_step() -> None:
    stream = Stream()
    assert stream.control.scale == 2
    assert stream.run(HARD, WINDOW_US) == 2
    assert stream.run(HARD, WINDOW_US) == 3
    assert stream.run(HARD, 10 * WINDOW_US) == 4


def test_at_the_end_of_the_qps_nobody_waits_for_the_window() -> None:
    stream = Stream()
    assert stream.run(HOPELESS, WINDOW_US) == 4


def test_an_easy_picture_gets_a_finer_scale() -> None:
    stream = Stream()
    assert stream.run(EASY, 2 * WINDOW_US) == 1
    assert stream.run(EASY, 10 * WINDOW_US) == 1


def test_a_picture_between_the_borders_stays() -> None:
    stream = Stream()
    middle = (COARSER_ABOVE_QP[2] + FINER_BELOW_QP[2] + 12) / 2
    assert stream.run(middle, 20 * WINDOW_US) == 2


def test_a_scale_that_is_asked_for_stays() -> None:
    stream = Stream(fixed=2)
    assert stream.run(HARD, 20 * WINDOW_US) == 2


def test_going_back_and_forth_becomes_rarer() -> None:
    stream = Stream()
    changes = []
    scale = stream.control.scale
    while stream.now_us < 4 * PATIENCE_US[-1]:
        now = stream.run(HARD if scale == 2 else EASY, FRAME_US)
        if now != scale:
            changes.append(stream.now_us)
            scale = now
    gaps = [b - a for a, b in pairwise(changes)]
    assert gaps[0] < 3 * WINDOW_US
    assert all(gap >= PATIENCE_US[-1] for gap in gaps[2:])
    assert len(changes) < 8


def test_pictures_of_a_scale_that_is_over_do_not_count() -> None:
    control = ScaleControl(None, 230_000)
    control.start(1280, 720, 25.0)
    for number in range(500):
        control.look(picture(DETAIL, number * FRAME_US))
        control.coded(4, EASY, False, number * FRAME_US)
    assert control.scale == 2


def test_a_new_format_starts_from_the_bitrate() -> None:
    stream = Stream()
    stream.run(HARD, 10 * WINDOW_US)
    stream.control.start(1280, 720, 25.0)
    assert stream.control.scale == 2


def even(detail: float) -> LostDetail:
    return LostDetail(detail, detail, detail)


@pytest.mark.parametrize(("scale", "lower"), [(2, 7), (3, 4), (4, 4)])
@pytest.mark.parametrize(("detail", "worth"), [(0.5, 0), (16.0, 12)])
def test_a_step_does_not_ask_for_its_own_undoing(
    scale: int, lower: int, detail: float, worth: float
) -> None:
    """A coarser scale lowers the QP by about that much (training clips)."""
    border = COARSER_ABOVE_QP[scale - 1] + worth
    assert better_scale(scale - 1, border + 0.1, even(detail)) == scale
    assert better_scale(scale, border - lower, even(detail)) == scale


@pytest.mark.parametrize(
    ("scale", "between", "lower"), [(1, 38.0, 8.0), (2, 42.0, 6.0), (3, 44.0, 5.0)]
)
def test_detail_keeps_a_finer_scale_at_a_higher_qp(
    scale: int, between: float, lower: float
) -> None:
    assert better_scale(scale, between, even(16.0)) == scale + 1
    assert better_scale(scale, between, even(64.0)) == scale
    assert better_scale(scale + 1, between - lower, even(16.0)) == scale + 1
    assert better_scale(scale + 1, between - lower, even(64.0)) == scale


def test_only_what_the_step_loses_counts() -> None:
    assert better_scale(2, 45.0, LostDetail(100.0, 16.0, 100.0)) == 3
    assert better_scale(2, 45.0, LostDetail(1.0, 100.0, 1.0)) == 2


@pytest.mark.parametrize("detail", [0.0, 1e6])
def test_any_detail_leaves_room_between_the_borders(detail: float) -> None:
    assert better_scale(1, HARD, even(detail)) == 2
    assert better_scale(2, EASY, even(detail)) == 1
    assert better_scale(4, HARD, even(detail)) == 4
    assert better_scale(1, EASY, even(detail)) == 1


def test_the_detail_is_followed_slowly() -> None:
    stream = Stream()
    stream.run(33.0, WINDOW_US - LOOK_EVERY_US, detail=1.0)
    # one look of four is new when the window is full
    assert stream.run(33.0, LOOK_EVERY_US + 3 * FRAME_US, detail=100.0) == 2
    assert stream.run(33.0, 3 * WINDOW_US, detail=100.0) == 1


def test_without_a_look_nothing_changes() -> None:
    control = ScaleControl(None, 230_000)
    control.start(1280, 720, 25.0)
    for number in range(500):
        control.coded(2, EASY, False, number * FRAME_US)
    assert control.scale == 2


def test_a_clock_that_goes_back_does_not_stop_the_looks() -> None:
    stream = Stream()
    stream.control.look(picture(1.0, 10**12))
    stream.run(32.0, 3 * WINDOW_US, detail=100.0)
    assert stream.control.scale == 1
