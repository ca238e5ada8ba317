"""The number in the picture comes through a codec, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from tests.net.time_code import BLACK, BLOCK, draw, read


def grey() -> np.ndarray:
    return np.full((180, 320), 100, np.uint8)


@pytest.mark.parametrize("number", [0, 1, 2, 255, 256, 12345, 65535])
def test_what_is_drawn_is_read_through_noise(number: int) -> None:
    luma = grey()
    draw(luma, number)
    noise = np.random.default_rng(number).normal(0, 40, luma.shape)
    assert read(np.clip(luma + noise, 0, 255).astype(np.uint8)) == number


def test_one_frame_to_the_next_changes_two_blocks() -> None:
    for number in (0, 7, 1023, 40000):
        before, after = grey(), grey()
        draw(before, number)
        draw(after, number + 1)
        assert np.count_nonzero(before != after) == 2 * BLOCK * BLOCK


def test_one_wrong_block_is_noticed_wherever_it_is() -> None:
    for block in range(20):
        luma = grey()
        draw(luma, 4711)
        place = luma[:BLOCK, block * BLOCK : (block + 1) * BLOCK]
        place[:] = 251 - place
        assert read(luma) is None


def test_a_black_or_grey_picture_has_no_number() -> None:
    assert read(np.full((180, 320), BLACK, np.uint8)) is None
    assert read(grey()) is None


def test_a_picture_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        draw(np.zeros((100, 300), np.uint8), 1)
