"""The reconstruction buffer: order, batches that follow the backlog, and what is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from made_pictures import decoded

from tests.soak.trend import trend
from viewer.buffer import CAPACITY, COST_SAMPLES, LatentBuffer
from viewer.config import LATENCY_BUDGET_MS

BUDGET_US = 400_000
VIEWER_BUDGET_US = LATENCY_BUDGET_MS * 1000  # unless configured otherwise
FRAME_US = 40_000


class Bench:
    """A buffer with a clock that only the test moves."""

    def __init__(self, budget_us: int | None = BUDGET_US, batch_max: int = 4) -> None:
        self.now_us = 0
        self.dropped = 0
        self.buffer = LatentBuffer(
            budget_us=budget_us,
            batch_max=batch_max,
            clock=lambda: self.now_us,
            dropped=self._drop,
        )

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.buffer.put(decoded(number, arrived_us=self.now_us))

    def take(self) -> list[int]:
        return [picture.latent.number for picture in self.buffer.take()]

    def _drop(self, lane: int, pictures: int) -> None:
        self.dropped += pictures


def test_one_at_a_time_when_restoration_keeps_up() -> None:
    bench = Bench()
    for number in range(20):
        bench.put(number)
        assert bench.take() == [number]
        bench.buffer.measured(1, 20_000)
        bench.now_us += FRAME_US
    assert bench.dropped == 0


def test_falling_behind_is_noticed_where_pictures_come_at_their_rate() -> None:
    for budget_us, cost_us, behind in (
        (BUDGET_US, 50_000, True),
        (BUDGET_US, 30_000, False),
        (None, 50_000, False),
    ):
        bench = Bench(budget_us)
        for number in range(10):
            bench.put(number)
            assert not (number < 5 and bench.buffer.falls_behind)
            bench.take()
            bench.buffer.measured(1, cost_us)
        assert bench.buffer.falls_behind is behind
        bench.buffer.forget_cost()
        assert not bench.buffer.falls_behind


def test_a_backlog_is_restored_in_batches_in_order() -> None:
    bench = Bench()
    bench.put(*range(6))
    assert bench.take() == [0, 1, 2, 3]
    assert bench.take() == [4, 5]


def test_a_batch_is_no_larger_than_the_budget_allows_its_oldest_to_wait() -> None:
    bench = Bench()
    bench.put(0)
    bench.take()
    bench.buffer.measured(1, 90_000)
    bench.put(1, 2, 3, 4)
    bench.now_us = 200_000
    assert bench.take() == [1, 2]


def test_pictures_past_the_budget_are_dropped_oldest_first() -> None:
    bench = Bench(batch_max=1)
    bench.put(0, 1)
    bench.now_us = 300_000
    bench.put(2)
    bench.now_us = 450_000
    assert bench.take() == [2]
    assert bench.dropped == 2


def test_the_newest_is_shown_even_when_it_is_late() -> None:
    bench = Bench()
    bench.put(0)
    bench.now_us = 10 * BUDGET_US
    assert bench.take() == [0]
    assert bench.dropped == 0


@pytest.mark.parametrize("slowness", [1.5, 2, 5, 10, 40])
def test_a_slow_restorer_shows_fresh_pictures_however_slow_it_is(slowness: float) -> None:
    """Simulated time: latency stays within the budget and one inference."""
    cost_us = round(slowness * FRAME_US)
    bench, arrived, latencies = Bench(batch_max=1), 0, []
    while arrived < 500:
        while arrived * FRAME_US <= bench.now_us:
            bench.buffer.put(decoded(arrived, arrived_us=arrived * FRAME_US))
            arrived += 1
        (number,) = bench.take()
        bench.now_us += cost_us
        bench.buffer.measured(1, cost_us)
        latencies.append(bench.now_us - number * FRAME_US)
        if arrived * FRAME_US > bench.now_us:
            bench.now_us = arrived * FRAME_US
    assert max(latencies[3:]) <= max(BUDGET_US, cost_us) + FRAME_US
    assert bench.dropped + len(latencies) >= arrived - BUDGET_US // FRAME_US - 1


@pytest.mark.parametrize("slowness", [2, 5, 10])
@pytest.mark.parametrize("batch_max", [1, 4])
def test_an_overloaded_viewer_neither_falls_behind_nor_shows_old_pictures(
    slowness: int, batch_max: int
) -> None:
    """Simulated time, two minutes; the matrix: slope < 1 ms/min, 100 ms and one inference."""
    bench, arrived, batches = Bench(VIEWER_BUDGET_US, batch_max), 0, 0
    at_min: list[float] = []
    latency_ms: list[float] = []
    while bench.now_us < 120_000_000:
        while arrived * FRAME_US <= bench.now_us:
            bench.buffer.put(decoded(arrived, arrived_us=arrived * FRAME_US))
            arrived += 1
        known = batches >= COST_SAMPLES
        batches += 1
        numbers = bench.take()
        inference_us = slowness * FRAME_US * len(numbers)
        bench.now_us += inference_us
        bench.buffer.measured(len(numbers), inference_us)
        waited_us = bench.now_us - inference_us - numbers[0] * FRAME_US
        assert waited_us <= (100_000 if known else VIEWER_BUDGET_US)
        if known:
            at_min.append(bench.now_us / 60e6)
            latency_ms.append((waited_us + inference_us) / 1e3)
        bench.now_us = max(bench.now_us, arrived * FRAME_US)
    slope = trend(at_min, latency_ms)
    assert abs(slope.slope) + slope.uncertainty < 1


def test_an_overloaded_viewer_takes_short_batches() -> None:
    for cost_us, taken in ((30_000, [10, 11]), (50_000, [10])):  # pictures are 40 ms apart
        bench = Bench()
        for number in range(10):
            bench.put(number)
            bench.take()
            bench.buffer.measured(1, cost_us)
            bench.now_us += FRAME_US
        bench.put(10, 11)
        assert bench.take() == taken


def test_loading_a_network_once_does_not_look_like_a_slow_network() -> None:
    bench = Bench()
    bench.put(0)
    bench.take()
    bench.buffer.measured(1, 3_000_000)
    for _ in range(2):
        bench.buffer.measured(1, 20_000)
    bench.put(1, 2, 3)
    assert bench.take() == [1, 2, 3]


@pytest.mark.parametrize("other", [{"network_id": b"\1" * 8}, {"width": 256}])
def test_a_batch_holds_pictures_of_one_kind(other: dict[str, object]) -> None:
    bench = Bench()
    bench.put(0, 1)
    bench.buffer.put(decoded(2, **other))  # type: ignore[arg-type]
    assert [bench.take(), bench.take()] == [[0, 1], [2]]


def test_a_buffer_that_nobody_empties_stays_bounded() -> None:
    bench = Bench()
    bench.put(*range(CAPACITY + 10))
    assert bench.dropped == 10


def test_without_a_budget_the_writer_waits_and_nothing_is_dropped() -> None:
    bench = Bench(budget_us=None, batch_max=8)
    count = 3 * CAPACITY
    writer = threading.Thread(target=lambda: bench.put(*range(count)))
    writer.start()
    taken: list[int] = []
    while len(taken) < count:
        taken += bench.take()
        bench.now_us += 10 * BUDGET_US
    writer.join()
    assert taken == list(range(count))
    assert bench.dropped == 0


@pytest.mark.parametrize(("discard", "left"), [(False, [0, 1]), (True, [])])
def test_closing_lets_the_rest_out_unless_discarded(discard: bool, left: list[int]) -> None:
    bench = Bench()
    bench.put(0, 1)
    bench.buffer.close(discard=discard)
    assert bench.take() == left
    assert bench.take() == []


def test_closing_wakes_a_reader_that_waits() -> None:
    bench = Bench()
    done: list[list[int]] = []
    take: Callable[[], None] = lambda: done.append(bench.take())  # noqa: E731
    reader = threading.Thread(target=take)
    reader.start()
    bench.buffer.close(discard=False)
    reader.join(5)
    assert done == [[]]
