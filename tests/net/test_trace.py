"""Capacity that is played from a trace."""

from __future__ import annotations

import pytest

from tests.net.knobs import Knobs
from tests.net.link_model import HEADER_BYTES, LinkModel
from tests.net.trace import from_mahimahi, from_rates

SIZE = 1500 - HEADER_BYTES


def delivered_by(model: LinkModel, until_us: int) -> int:
    """Of as many full datagrams as anyone could want to send, how many are through by a time."""
    arrivals = [model.send(SIZE, 0).arrivals_us for _ in range(2000)]
    return sum(bool(times) and times[0] <= until_us for times in arrivals)


def test_a_list_of_rates_is_played_again_and_again() -> None:
    model = LinkModel(from_rates([(1.0, 1200), (1.0, 600)]), 1)
    model.begin(0)
    assert [delivered_by(model, 2_000_000)] == [150]
    model = LinkModel(from_rates([(1.0, 1200), (1.0, 600)]), 1)
    model.begin(0)
    assert delivered_by(model, 3_000_000) == 250


def test_a_mahimahi_trace_lets_its_packets_pass_in_their_slots() -> None:
    steady = range(10, 1001, 10)  # 1.2 Mbit/s
    silence_then_two = (1500, 2000)
    trace = "\n".join(map(str, [*steady, *silence_then_two]))
    for until_us, packets in ((1_000_000, 100), (1_400_000, 100), (2_000_000, 102)):
        model = LinkModel(from_mahimahi(trace), 1)
        model.begin(0)
        assert abs(delivered_by(model, until_us) - packets) <= 1


def test_a_trace_says_the_capacity_and_nothing_else() -> None:
    schedule = from_mahimahi("100\n", Knobs(queue_delay_ms=50))
    assert [phase.knobs for phase in schedule.phases] == [
        Knobs(queue_delay_ms=50, capacity_kbps=120)
    ]


@pytest.mark.parametrize("text", ["", "0\n", "5\n4\n", "x\n", "-1\n", "1.5\n", "9" * 30])
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="trace"):
        from_mahimahi(text)
