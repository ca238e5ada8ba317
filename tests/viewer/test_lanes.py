"""Several streams in one buffer: whose turn it is, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from made_pictures import decoded

from viewer.buffer import COST_SAMPLES, LatentBuffer
from viewer.picture import Decoded

FRAME_US = 40_000
BUDGET_US = 400_000
SMALL, LARGE = (192, 112), (384, 224)


class Bench:
    """A restorer that takes what it is told, fed by streams of 25 pictures a second."""

    def __init__(self, cost_us: Callable[[Decoded], int], lanes: int = 2, batch_max: int = 4):
        self.now_us = 0
        self.cost_us = cost_us
        self.dropped = [0] * lanes
        self.latencies_us: list[list[int]] = [[] for _ in range(lanes)]
        self.put = [0] * lanes
        self.buffer = LatentBuffer(
            budget_us=BUDGET_US,
            batch_max=batch_max,
            clock=lambda: self.now_us,
            dropped=self._drop,
            lanes=lanes,
        )

    def picture(self, lane: int, size: tuple[int, int] = SMALL) -> Decoded:
        number = self.put[lane]
        self.put[lane] += 1
        made = decoded(number, arrived_us=self.now_us, width=size[0], height=size[1])
        return replace(made, place=lane)

    def run(self, seconds: float, sizes: dict[int, tuple[int, int]], every_us: int = FRAME_US):
        """These lanes get pictures for so long, and what waits is restored."""
        end_us, due_us = self.now_us + round(seconds * 1e6), self.now_us
        while self.now_us < end_us:
            while due_us <= self.now_us:
                for lane, size in sizes.items():
                    picture = replace(self.picture(lane, size), arrived_us=due_us)
                    self.buffer.put(picture)
                due_us += every_us
            while self.now_us < due_us and any(len(lane) for lane in self.buffer._lanes):
                batch = self.buffer.take()
                took_us = sum(map(self.cost_us, batch))
                self.now_us += took_us
                self.buffer.measured(len(batch), took_us)
                for picture in batch:
                    self.latencies_us[picture.place].append(self.now_us - picture.arrived_us)
            self.now_us = max(self.now_us, min(due_us, end_us))

    def _drop(self, lane: int, pictures: int) -> None:
        self.dropped[lane] += pictures


def by_size(large_us: int, small_us: int) -> Callable[[Decoded], int]:
    return lambda picture: large_us if picture.latent.source_width == LARGE[0] else small_us


@pytest.mark.parametrize("large_us", [60_000, 120_000, 300_000])
def test_a_stream_that_is_too_large_costs_only_itself_pictures(large_us: int) -> None:
    bench = Bench(by_size(large_us, 5_000))
    bench.run(20, {0: SMALL, 1: LARGE})
    assert bench.dropped[0] <= 1, "at most before it is known how long a large one takes"
    assert max(bench.latencies_us[0][20:]) <= large_us + 2 * 5_000 * 4
    assert bench.dropped[1] > 100
    share = len(bench.latencies_us[1]) * large_us / bench.now_us
    assert share > 0.8, "what the small stream leaves is the large one's"


def test_a_stream_that_just_does_not_fit_beside_a_large_one_gets_its_half() -> None:
    """As measured with `lite` on two cores: 320x180 beside 848x480."""
    bench = Bench(by_size(333_000, 47_000))
    bench.run(20, {0: SMALL, 1: LARGE}, every_us=80_000)
    assert len(bench.latencies_us[0]) * 47_000 / bench.now_us > 0.4
    assert max(bench.latencies_us[0][20:]) <= BUDGET_US + 2 * 47_000


def test_two_streams_that_are_too_large_get_the_same() -> None:
    bench = Bench(by_size(80_000, 80_000))
    bench.run(20, {0: SMALL, 1: LARGE})
    few, many = sorted(map(len, bench.latencies_us))
    assert many - few <= 0.1 * many
    assert max(max(late[20:]) for late in bench.latencies_us) <= BUDGET_US + 80_000


def test_alike_pictures_of_several_streams_come_as_one_batch() -> None:
    bench = Bench(lambda picture: 1000, lanes=3)
    for lane in (0, 1, 2):
        bench.buffer.put(bench.picture(lane))
    assert [picture.place for picture in bench.buffer.take()] == [0, 1, 2]
    bench.buffer.put(bench.picture(0))
    bench.buffer.put(bench.picture(1, LARGE))
    assert [picture.place for picture in bench.buffer.take()] == [0]
    assert [picture.place for picture in bench.buffer.take()] == [1]


def test_each_stream_stays_in_order_whatever_the_batches_are() -> None:
    bench, seen = Bench(lambda picture: 1000, lanes=2, batch_max=3), {0: [], 1: []}
    for _ in range(6):
        for lane in (0, 1, 1):
            bench.buffer.put(bench.picture(lane))
        for picture in bench.buffer.take():
            seen[picture.place].append(picture.latent.number)
    bench.buffer.close(discard=False)
    while batch := bench.buffer.take():
        for picture in batch:
            seen[picture.place].append(picture.latent.number)
    assert seen == {0: list(range(6)), 1: list(range(12))}


def test_the_pace_of_a_stream_is_of_the_time_that_the_others_leave() -> None:
    bench = Bench(by_size(20_000, 10_000))
    bench.run(3, {0: SMALL, 1: LARGE})
    bench.buffer.put(bench.picture(0))
    bench.buffer.take()
    pace = bench.buffer.pace
    assert (pace.cost_us, pace.spacing_us) == (10_000, pytest.approx(FRAME_US / 2))
    bench.run(3, {0: SMALL})
    assert bench.buffer.pace.spacing_us == FRAME_US, "a stream that ended costs nothing"


def test_alike_streams_share_their_pace() -> None:
    bench = Bench(lambda picture: 10_000)
    bench.run(3, {0: SMALL, 1: SMALL})
    assert bench.buffer.pace.spacing_us == FRAME_US / 2
    assert bench.buffer.pace.load == pytest.approx(0.5)


def test_a_lane_that_was_idle_cannot_take_all_the_time_it_did_not_use() -> None:
    bench = Bench(by_size(30_000, 30_000), batch_max=1)
    bench.run(10, {0: SMALL})
    before = len(bench.latencies_us[0])
    bench.run(10, {0: SMALL, 1: LARGE})
    assert len(bench.latencies_us[0]) - before > 0.9 * len(bench.latencies_us[1])


def test_a_source_that_changes_its_size_for_ever_leaves_nothing_behind() -> None:
    bench = Bench(lambda picture: 1000)
    for width in range(64, 264, 4):
        bench.buffer.put(bench.picture(0, (width, 112)))
        bench.buffer.take()
        for _ in range(COST_SAMPLES):
            bench.buffer.measured(1, 1000)
    assert len(bench.buffer._costs_us) <= 3
