from itertools import pairwise

import pytest

from engines.scale import COARSER_ABOVE_QP, FINER_BELOW_QP, better_scale
from streamer.scale_control import PATIENCE_US, WINDOW_US, ScaleControl

FRAME_US = 40_000
HARD, EASY = 51.0, 10.0


class Stream:
    """Pictures of 25 a second through a control that starts at scale 2."""

    def __init__(self, fixed: int | None = None) -> None:
        self.control = ScaleControl(fixed, 230_000)
        self.control.start(1280, 720, 25.0)
        self.now_us = 0

    def run(self, qp: float, duration_us: int) -> int:
        end_us = self.now_us + duration_us
        while self.now_us < end_us:
            irap = self.now_us % 10_000_000 == 0
            self.control.coded(self.control.scale, 51.0 if irap else qp, irap, self.now_us)
            self.now_us += FRAME_US
        return self.control.scale


def test_a_hard_picture_gets_a_coarser_scale_step_by_step() -> None:
    stream = Stream()
    assert stream.control.scale == 2
    assert stream.run(HARD, WINDOW_US) == 2
    assert stream.run(HARD, WINDOW_US) == 3
    assert stream.run(HARD, 10 * WINDOW_US) == 4


def test_an_easy_picture_gets_a_finer_scale() -> None:
    stream = Stream()
    assert stream.run(EASY, 2 * WINDOW_US) == 1
    assert stream.run(EASY, 10 * WINDOW_US) == 1


def test_a_picture_between_the_borders_stays() -> None:
    stream = Stream()
    middle = (COARSER_ABOVE_QP[2] + FINER_BELOW_QP[2]) / 2
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
        control.coded(4, EASY, False, number * FRAME_US)
    assert control.scale == 2


def test_a_new_format_starts_from_the_bitrate() -> None:
    stream = Stream()
    stream.run(HARD, 10 * WINDOW_US)
    stream.control.start(1280, 720, 25.0)
    assert stream.control.scale == 2


@pytest.mark.parametrize(("scale", "lower"), [(2, 9), (3, 7), (4, 4)])
def test_a_step_does_not_ask_for_its_own_undoing(scale: int, lower: int) -> None:
    """A coarser scale lowers the QP by about that much (dev clips)."""
    assert better_scale(scale - 1, COARSER_ABOVE_QP[scale - 1] + 0.1) == scale
    assert better_scale(scale, COARSER_ABOVE_QP[scale - 1] - lower) == scale
