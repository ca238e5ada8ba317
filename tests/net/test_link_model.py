"""The figures that the emulated link promises, measured on it."""

from __future__ import annotations

import random
from itertools import groupby, pairwise
from statistics import fmean, pstdev

import pytest

from tests.net.burst_loss import BurstLoss
from tests.net.knobs import Knobs
from tests.net.link_model import HEADER_BYTES, Drop, LinkModel, Passage
from tests.net.schedule import Phase, Schedule

SEED = 20
SIZE = 1000 - HEADER_BYTES  # 8000 bits on the link
COUNT = 20_000


def sent(
    model: LinkModel, count: int, interval_us: int = 1000, size: int = SIZE, first_us: int = 0
) -> list[Passage]:
    return [model.send(size, first_us + index * interval_us) for index in range(count)]


def steady(knobs: Knobs, count: int = COUNT, interval_us: int = 1000) -> list[Passage]:
    return sent(LinkModel(Schedule.steady(knobs), SEED), count, interval_us)


def delays_us(passages: list[Passage], interval_us: int = 1000) -> list[int]:
    return [p.arrivals_us[0] - index * interval_us for index, p in enumerate(passages)]


def test_the_default_link_is_perfect() -> None:
    passages = steady(Knobs(), 100)
    assert delays_us(passages) == [0] * 100
    assert all(p == Passage((i * 1000,), 0, 0) for i, p in enumerate(passages))


@pytest.mark.parametrize("percent", [1, 5, 20, 60])
def test_losses_alone_have_the_share_asked_for_and_follow_each_other_by_chance(
    percent: float,
) -> None:
    loss, knobs, count = BurstLoss(random.Random(SEED)), Knobs(loss_percent=percent), 300_000
    taken = [loss.takes(knobs) for _ in range(count)]
    lost = sum(taken) / count
    assert lost == pytest.approx(percent / 100, rel=0.1), f"seed {SEED}"
    pairs = sum(a and b for a, b in pairwise(taken)) / count
    assert pairs == pytest.approx(lost**2, rel=0.5), f"seed {SEED}"


@pytest.mark.parametrize("length", [3, 8, 20])
@pytest.mark.parametrize("percent", [5, 10])
def test_bursts_have_the_share_and_the_mean_length_asked_for(percent: int, length: int) -> None:
    loss, knobs = BurstLoss(random.Random(SEED)), Knobs(loss_percent=percent, avg_burst_loss=length)
    count = 2000 * length * 100 // percent  # 2000 bursts
    runs = [
        (lost, len(list(run))) for lost, run in groupby(loss.takes(knobs) for _ in range(count))
    ]
    bursts = [run for lost, run in runs if lost]
    assert sum(bursts) / count == pytest.approx(percent / 100, rel=0.1), f"seed {SEED}"
    assert fmean(bursts) == pytest.approx(length, rel=0.1), f"seed {SEED}"


def test_delay_and_jitter_have_the_mean_and_deviation_asked_for() -> None:
    knobs = Knobs(queue_delay_ms=100, delay_stddev_ms=15, allow_reordering=True)
    delays = delays_us(steady(knobs))
    assert fmean(delays) == pytest.approx(100_000, rel=0.01)
    assert pstdev(delays) == pytest.approx(15_000, rel=0.02)
    assert min(delays) >= 0


def test_jitter_keeps_the_order_unless_it_may_not() -> None:
    def arrivals(*, allow_reordering: bool) -> list[int]:
        knobs = Knobs(queue_delay_ms=50, delay_stddev_ms=15, allow_reordering=allow_reordering)
        return [p.arrivals_us[0] for p in steady(knobs, 2000)]

    kept, mixed = arrivals(allow_reordering=False), arrivals(allow_reordering=True)
    assert kept == sorted(kept)
    assert mixed != sorted(mixed)


def test_capacity_is_what_a_sender_of_more_gets_through() -> None:
    # 16 Mbit/s offered to 2 Mbit/s for 5 s
    passages = steady(Knobs(capacity_kbps=2000, queue_packets=10), 10_000, 500)
    through = [p.arrivals_us[0] for p in passages if p.arrivals_us]
    kbps = 8000 * len(through) / (through[-1] - 0) * 1000
    assert kbps == pytest.approx(2000, rel=0.001)


def test_a_full_queue_drops_and_never_holds_more_than_its_bound() -> None:
    passages = steady(Knobs(capacity_kbps=1000, queue_packets=32), 5000)
    assert max(p.queue_packets for p in passages) == 32
    assert {p.drop for p in passages if not p.arrivals_us} == {Drop.QUEUE}
    kept = [p for p in passages if p.arrivals_us]
    # 32 packets of 8 ms each at 1 Mbit/s
    assert max(p.queue_us for p in kept) == pytest.approx(32 * 8000, rel=0.04)
    assert 1 - len(kept) / len(passages) == pytest.approx(7 / 8, rel=0.02)


def test_under_capacity_a_datagram_waits_for_its_own_bits_alone() -> None:
    passages = steady(Knobs(capacity_kbps=1000, queue_delay_ms=30), 100, 10_000)
    assert set(delays_us(passages, 10_000)) == {8000 + 30_000}


def test_a_link_of_no_capacity_lets_nothing_leave() -> None:
    assert {p.drop for p in steady(Knobs(capacity_kbps=0), 10)} == {Drop.QUEUE}


def test_a_drop_of_capacity_slows_what_is_already_in_the_queue() -> None:
    fast, slow = Knobs(capacity_kbps=8000), Knobs(capacity_kbps=800)
    model = LinkModel(Schedule((Phase(0.010, fast), Phase(1, slow))), SEED)
    model.begin(0)
    passages = [model.send(SIZE, 0) for _ in range(12)]  # each 1 ms, then 10 ms
    assert [p.arrivals_us[0] for p in passages] == [*range(1000, 11_000, 1000), 20_000, 30_000]


def test_phases_switch_on_time_and_the_last_one_stays() -> None:
    model = LinkModel(
        Schedule((Phase(1, Knobs()), Phase(0.5, Knobs(blackout=True)), Phase(1, Knobs()))), SEED
    )
    assert model.send(SIZE, 5_000_000).drop is None  # the first phase holds until it begins
    model.begin(10_000_000)
    passages = sent(model, 4000, first_us=10_000_000)
    dark = [index for index, p in enumerate(passages) if p.drop is Drop.BLACKOUT]
    assert dark == list(range(1000, 1500))


def test_repeated_phases_begin_again() -> None:
    schedule = Schedule((Phase(0.9, Knobs()), Phase(0.1, Knobs(blackout=True))), repeats=True)
    model = LinkModel(schedule, SEED)
    model.begin(0)
    dark = [index for index, p in enumerate(sent(model, 3000)) if p.drop]
    assert dark == [*range(900, 1000), *range(1900, 2000), *range(2900, 3000)]


def test_reordered_datagrams_are_late_and_hold_up_nobody() -> None:
    knobs = Knobs(queue_delay_ms=10, reorder_percent=5, reorder_delay_ms=20)
    delays = delays_us(steady(knobs))
    late = [delay for delay in delays if delay > 10_000]
    assert len(late) / COUNT == pytest.approx(0.05, rel=0.1), f"seed {SEED}"
    assert max(late) <= 30_000
    assert fmean(late) == pytest.approx(20_000, rel=0.05)
    assert set(delays) - set(late) == {10_000}


def test_lost_datagrams_do_not_arrive_and_are_told_from_those_without_a_place() -> None:
    passages = steady(Knobs(loss_percent=20), 1000)
    assert {p.drop for p in passages if not p.arrivals_us} == {Drop.LOSS}
    assert 150 < sum(not p.arrivals_us for p in passages) < 250, f"seed {SEED}"


def test_duplicates_arrive_twice_at_the_share_asked_for() -> None:
    passages = steady(Knobs(duplicate_percent=1))
    twice = sum(len(p.arrivals_us) == 2 for p in passages)
    assert twice / COUNT == pytest.approx(0.01, rel=0.15), f"seed {SEED}"


def test_the_same_seed_gives_the_same_link_and_another_seed_another() -> None:
    knobs = Knobs(loss_percent=10, avg_burst_loss=3, delay_stddev_ms=5, reorder_percent=5)
    first, again, other = (sent(LinkModel(Schedule.steady(knobs), seed), 500) for seed in (1, 1, 2))
    assert first == again != other


def test_knobs_that_are_set_hold_from_then_on() -> None:
    model = LinkModel(Schedule.steady(Knobs()), SEED)
    model.set_knobs(Knobs(blackout=True))
    assert model.send(SIZE, 0).drop is Drop.BLACKOUT
    model.set_knobs(Knobs())
    assert model.send(SIZE, 1).drop is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss_percent": 101},
        {"loss_percent": -1},
        {"queue_packets": 0},
        {"queue_delay_ms": -1},
        {"capacity_kbps": float("nan")},
        {"avg_burst_loss": 0.5},
        {"loss_percent": 80, "avg_burst_loss": 2},  # bursts of 2 leave more than 20% between them
        {"loss_percent": 100, "avg_burst_loss": 3},
    ],
)
def test_a_link_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Knobs(**wrong)  # type: ignore[arg-type]
