"""The bounded queue of access units and its drop rule."""

from hypothesis import given
from hypothesis import strategies as st

from link.access_unit import AccessUnit
from link.unit_queue import UnitQueue


def unit(number: int, kind: str, size: int = 10) -> AccessUnit:
    return AccessUnit(bytes(size), number, kind == "I")


def fill(queue: UnitQueue, kinds: str) -> list[int]:
    return [queue.put(unit(number, kind)) for number, kind in enumerate(kinds)]


def drain(queue: UnitQueue) -> list[int]:
    taken = []
    while (found := queue.pop()) is not None:
        taken.append(found.rtp_timestamp)
    return taken


def test_order_is_kept() -> None:
    queue = UnitQueue()
    assert fill(queue, "IPPIP") == [0] * 5
    assert drain(queue) == [0, 1, 2, 3, 4]
    assert queue.size_bytes == 0


def test_a_stream_begins_with_an_irap() -> None:
    queue = UnitQueue()
    assert fill(queue, "PPIP") == [1, 1, 0, 0]
    assert drain(queue) == [2, 3]


def test_the_oldest_run_up_to_the_next_irap_goes_first() -> None:
    queue = UnitQueue(max_units=5)
    assert fill(queue, "IPPIPP") == [0, 0, 0, 0, 0, 2]
    assert not queue.needs_irap
    assert drain(queue) == [0, 3, 4, 5]


def test_when_the_newest_run_goes_the_queue_waits_for_an_irap() -> None:
    queue = UnitQueue(max_units=3)
    assert fill(queue, "IPPPPIP") == [0, 0, 0, 3, 1, 0, 0]
    assert drain(queue) == [0, 5, 6]


def test_among_iraps_alone_the_oldest_goes() -> None:
    queue = UnitQueue(max_units=3)
    assert fill(queue, "IIII") == [0, 0, 0, 1]
    assert drain(queue) == [1, 2, 3]


def test_a_unit_larger_than_the_queue_is_not_kept() -> None:
    queue = UnitQueue(max_bytes=100)
    assert queue.put(unit(0, "I", 101)) == 1
    assert queue.needs_irap
    assert drain(queue) == []


@given(st.text("IP", max_size=60), st.integers(1, 6), st.lists(st.booleans(), max_size=60))
def test_nothing_comes_out_whose_reference_was_dropped(
    kinds: str, max_units: int, pops: list[bool]
) -> None:
    queue = UnitQueue(max_units=max_units)
    out, dropped = [], 0
    for number, kind in enumerate(kinds):
        dropped += queue.put(unit(number, kind))
        assert len(queue) <= max_units
        if number < len(pops) and pops[number] and (found := queue.pop()):
            out.append(found.rtp_timestamp)
    out += drain(queue)
    assert dropped + len(out) == len(kinds)
    assert out == sorted(out)
    for number in out:
        assert kinds[number] == "I" or number - 1 in out
