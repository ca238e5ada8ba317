"""x265's effort: what it begins with, and that it gives way on a machine that is too slow."""

import pytest

from engines.carrier import PLAIN_PRESET, RESTORED_PRESETS
from engines.latent import SCALES
from streamer.effort import STEPS, WINDOW_PICTURES, Effort

FPS = 25.0


def work(effort: Effort, seconds: float, pictures: int) -> int:
    """How often it wants a new encoder."""
    return sum(effort.took(seconds, FPS) for _ in range(pictures))


def test_it_begins_at_what_measures_best() -> None:
    restored = Effort(None, restored=True, paced=True)
    assert {scale: restored.preset(scale) for scale in SCALES} == RESTORED_PRESETS
    assert Effort(None, restored=False, paced=True).preset(2) == PLAIN_PRESET


def test_it_gives_way_step_by_step_until_pictures_are_in_time() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert work(effort, 0.030, 10 * WINDOW_PICTURES) == 0
    assert work(effort, 0.035, WINDOW_PICTURES) == 1
    assert effort.preset(2) == STEPS[1]
    assert effort.preset(1) == STEPS[2]
    assert work(effort, 0.035, WINDOW_PICTURES) == 1
    assert work(effort, 0.020, 10 * WINDOW_PICTURES) == 0
    assert effort.preset(2) == STEPS[2]
    assert work(effort, 1.0, 10 * WINDOW_PICTURES) == len(STEPS) - 3
    assert effort.preset(1) == effort.preset(2) == STEPS[-1]


def test_one_slow_picture_changes_nothing() -> None:
    effort = Effort(None, restored=True, paced=True)
    for _ in range(20):
        assert work(effort, 0.4, 1) + work(effort, 0.015, WINDOW_PICTURES - 1) == 0


@pytest.mark.parametrize(("fixed", "paced"), [("veryslow", True), (None, False)])
def test_a_preset_that_was_asked_for_stays_and_a_file_may_take_its_time(
    fixed: str | None, paced: bool
) -> None:
    effort = Effort(fixed, restored=True, paced=paced)
    assert work(effort, 2.0, 5 * WINDOW_PICTURES) == 0
    assert effort.preset(2) == (fixed or RESTORED_PRESETS[2])
