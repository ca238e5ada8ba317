"""x265's effort: what it begins with, and that it gives way on a machine that is too slow."""

import pytest

from engines.carrier import LATENT_PRESET, PLAIN_PRESET
from engines.latent import SCALES
from streamer.effort import CALM_WINDOWS, STEPS, WINDOW_PICTURES, Effort

FPS = 25.0


def work(effort: Effort, seconds: float, pictures: int) -> int:
    """How many new encoders that takes."""
    return sum(effort.took(seconds, FPS) for _ in range(pictures))


def presets(effort: Effort) -> list[str]:
    """Of 1280x720 at each scale."""
    return [effort.preset(1280 // scale, 720 // scale, scale) for scale in SCALES]


def test_it_begins_at_what_measures_best() -> None:
    restored = Effort(None, restored=True, paced=True)
    assert presets(restored) == ["medium", "slow", "slower", "slower"]
    assert restored.preset(320, 176, 2) == "slower"
    assert set(presets(Effort(None, restored=False, paced=True))) == {PLAIN_PRESET}


def test_it_gives_way_step_by_step_until_pictures_are_in_time() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert presets(effort)[-1] == STEPS[0]
    assert work(effort, 0.019, 10 * WINDOW_PICTURES) == 0
    assert work(effort, 0.021, 10 * WINDOW_PICTURES) == 1  # slower is for machines with time
    assert work(effort, 0.030, 10 * WINDOW_PICTURES) == 0
    assert presets(effort) == ["faster", "medium", "slow", "slow"]
    assert work(effort, 0.035, WINDOW_PICTURES) == 1
    assert work(effort, 0.020, 10 * WINDOW_PICTURES) == 0
    assert presets(effort) == ["superfast", "faster", "medium", "medium"]
    assert work(effort, 1.0, 10 * WINDOW_PICTURES) == len(STEPS) - 3
    assert set(presets(effort)) == {STEPS[-1]}


def test_there_is_no_new_encoder_for_the_preset_that_it_has() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert effort.preset(1280, 720, 1) == STEPS[2]
    assert work(effort, 1.0, 10 * WINDOW_PICTURES) == len(STEPS) - 3
    assert effort.preset(1280, 720, 1) == STEPS[-1]


def test_one_slow_picture_changes_nothing() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert effort.preset(640, 360, 2) == LATENT_PRESET
    for _ in range(20):
        assert work(effort, 5.0, 1) + work(effort, 0.025, WINDOW_PICTURES - 1) == 0


def test_what_was_before_another_scale_says_nothing_of_it() -> None:
    effort = Effort(None, restored=True, paced=True)
    presets(effort)
    assert work(effort, 0.06, WINDOW_PICTURES - 1) == 0
    assert effort.preset(640, 360, 2) == LATENT_PRESET
    assert work(effort, 0.015, 2 * WINDOW_PICTURES) == 0


def test_a_step_is_taken_back_after_a_long_calm_and_each_time_after_a_longer_one() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert effort.preset(640, 360, 2) == LATENT_PRESET
    for calm in (CALM_WINDOWS, 2 * CALM_WINDOWS):
        assert work(effort, 0.040, WINDOW_PICTURES) == 1
        assert effort.preset(640, 360, 2) == "medium"
        assert work(effort, 0.016, 2 * CALM_WINDOWS * WINDOW_PICTURES) == 0  # no time to spare
        assert work(effort, 0.012, (calm - 1) * WINDOW_PICTURES) == 0
        assert work(effort, 0.012, WINDOW_PICTURES) == 1
        assert effort.preset(640, 360, 2) == LATENT_PRESET
    assert work(effort, 0.001, 10 * CALM_WINDOWS * WINDOW_PICTURES) == 0  # there is none before


def test_steps_beyond_the_last_are_no_debt() -> None:
    effort = Effort(None, restored=True, paced=True)
    assert effort.preset(1280, 720, 1) == STEPS[2]
    assert work(effort, 1.0, 20 * WINDOW_PICTURES) == len(STEPS) - 3
    assert work(effort, 0.001, CALM_WINDOWS * WINDOW_PICTURES) == 1
    assert effort.preset(1280, 720, 1) == STEPS[-2]


@pytest.mark.parametrize(("fixed", "paced"), [("veryslow", True), (None, False)])
def test_a_preset_that_was_asked_for_stays_and_a_file_may_take_its_time(
    fixed: str | None, paced: bool
) -> None:
    effort = Effort(fixed, restored=True, paced=paced)
    assert work(effort, 2.0, 5 * WINDOW_PICTURES) == 0
    assert presets(effort)[1] == (fixed or LATENT_PRESET)
