"""What a longer path looks like, and what a queue does."""

import pytest

from link.lowest import Lowest
from link.plateau import Plateau

PACKET_US = 20_000


def seen(delays_ms: list[float], jitter_us: float = 0.0, packet_us: int = PACKET_US) -> bool:
    """After these one-way delays, told at a packet each since less is sent."""
    plateau = Plateau()
    plateau.watch(0)
    for index, delay_ms in enumerate(delays_ms):
        plateau.add(index * packet_us, round(delay_ms * 1000))
    return plateau.is_found(jitter_us)


def test_delay_that_stays_is_a_longer_path() -> None:
    assert seen([200.0] * 100)
    assert not seen([200.0] * 60)  # not yet


def test_a_thin_stream_tells_it_too() -> None:
    assert seen([200.0] * 20, packet_us=330_000)


@pytest.mark.parametrize("per_s_ms", [-150, -1000, 300, 3000])
def test_a_queue_that_shrinks_or_grows_is_none(per_s_ms: int) -> None:
    assert not seen([2000.0 + per_s_ms * PACKET_US / 1e6 * i for i in range(100)])


def test_jitter_on_top_does_not_hide_it() -> None:
    noisy = [200.0 + 37 * (i * 7 % 5) for i in range(100)]
    assert seen(noisy, jitter_us=30_000)


def test_what_was_sent_before_says_nothing() -> None:
    plateau = Plateau()
    plateau.watch(1_000_000)
    for index in range(100):
        plateau.add(index * PACKET_US, 200_000)
    assert not plateau.is_found(0.0)


def test_once_it_has_ended_nothing_is_found() -> None:
    plateau = Plateau()
    plateau.watch(0)
    plateau.end()
    for index in range(200):
        plateau.add(index * PACKET_US, 200_000)
    assert not plateau.is_found(0.0)


def test_the_lowest_is_of_half_a_minute() -> None:
    lowest = Lowest()
    assert lowest.value(7.0) == 7.0
    lowest.add(0, 10.0)
    lowest.add(500_000, 12.0)
    lowest.add(20_000_000, 50.0)
    assert lowest.value() == 10.0
    lowest.add(31_000_000, 60.0)
    assert lowest.value() == 50.0
    lowest.clear()
    assert lowest.value() == 0.0
