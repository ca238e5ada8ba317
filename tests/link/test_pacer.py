import pytest
from hypothesis import given
from hypothesis import strategies as st

from link.pacer import Pacer


def leave_all(pacer, sizes, now_us=0):
    """Times at which the packets leave when each goes as soon as it may."""
    times = []
    for size in sizes:
        now_us += pacer.delay_us(size, now_us)
        pacer.spend(size, now_us)
        times.append(now_us)
    return times


def test_a_burst_leaves_at_once_and_the_rest_at_the_rate():
    pacer = Pacer(800_000, burst_bytes=2_000)  # 1000 bytes in 10 ms
    assert leave_all(pacer, [1000] * 5) == [0, 0, 10_000, 20_000, 30_000]


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=60), st.integers(50_000, 20_000_000))
def test_never_more_than_the_rate_and_one_burst(sizes, bitrate_bps):
    times = leave_all(Pacer(bitrate_bps, burst_bytes=1500), sizes)
    for at, now_us in enumerate(times):
        room = 1500 + bitrate_bps / 8e6 * now_us
        assert sum(sizes[:at]) <= room + 1e-3 * len(sizes)


def test_a_packet_larger_than_the_bucket_leaves_and_is_paid_for_after():
    assert leave_all(Pacer(800_000, burst_bytes=500), [1000, 500]) == [0, 10_000]


def test_the_bucket_never_holds_more_than_a_burst():
    pacer = Pacer(800_000, burst_bytes=1000)
    pacer.spend(0, 0)
    assert leave_all(pacer, [1000, 1000], now_us=60_000_000) == [60_000_000, 60_010_000]


def test_a_new_bitrate_holds_from_now_on():
    pacer = Pacer(800_000, burst_bytes=1000)
    pacer.spend(1000, 0)
    assert pacer.delay_us(1000, 0) == 10_000
    pacer.set_bitrate(8_000_000, 5_000)
    assert pacer.delay_us(1000, 5_000) == 500


def test_a_clock_that_steps_back_gives_nothing():
    pacer = Pacer(800_000, burst_bytes=1000)
    pacer.spend(1000, 50_000)
    assert pacer.delay_us(1000, 0) == 10_000


@pytest.mark.parametrize("bitrate_bps", [0, -1, float("nan")])
def test_a_bitrate_that_lets_nothing_leave_is_refused(bitrate_bps):
    with pytest.raises(ValueError, match="bit/s"):
        Pacer(bitrate_bps)
