"""Congestion control on a simulated path: the goals of the reliability matrix, in no time."""

import pytest
from simulated_path import Blink, Path, Policer, Second, run

from link.congestion import Bounds

WIDE = Bounds(30_000, 4_000_000)


def share_lost(seconds: list[Second]) -> float:
    arrived = sum(second.arrived_bps for second in seconds)
    return 1 - arrived / sum(second.sent_bps for second in seconds)


def used(seconds: list[Second]) -> float:
    return sum(second.arrived_bps for second in seconds) / len(seconds)


def test_a_wide_path_is_used_up_to_the_bound_within_three_seconds() -> None:
    seconds = run(Path(10e6), 6)
    assert seconds[2].target_bps == 2_000_000
    assert max(second.queue_us for second in seconds) < 50_000


def test_a_path_thinner_than_the_start_is_found() -> None:
    seconds = run(Path(150_000), 20)
    assert max(second.queue_us for second in seconds[4:]) < 400_000
    assert used(seconds[5:]) > 0.7 * 150_000


@pytest.mark.parametrize(
    ("before", "after", "within_s"), [(1e6, 0.6e6, 2), (2.5e6, 0.6e6, 3), (1e6, 0.15e6, 5)]
)
def test_after_a_drop_the_queue_is_gone_soon_and_the_path_used(
    before: float, after: float, within_s: int
) -> None:
    def drop(second: int, path: Path) -> None:
        path.capacity_bps = before if second < 12 else after

    seconds = run(Path(before), 24, bounds=WIDE, change=drop)
    assert max(second.queue_us for second in seconds[12 + within_s :]) < 400_000
    assert used(seconds[17:]) > 0.7 * after
    assert used(seconds[5:12]) > 0.7 * before


@pytest.mark.parametrize("drops_s", [11, 12, 13])  # beside a probe, and away from one
def test_a_steep_drop_is_felt_before_its_queue_has_come(drops_s: int) -> None:
    """What is sent in the first third of a second alone fills 1.2 s of it, 2.2 s with a probe."""

    def drop(second: int, path: Path) -> None:
        path.capacity_bps = 1e6 if second < drops_s else 0.15e6

    seconds = run(Path(1e6), drops_s + 9, bounds=Bounds(30_000, 1_700_000), change=drop)
    assert max(second.queue_us for second in seconds[drops_s + 3 :]) < 700_000
    assert used(seconds[drops_s + 3 :]) > 0.85 * 0.15e6


def test_new_room_is_found_within_ten_seconds() -> None:
    def rise(second: int, path: Path) -> None:
        path.capacity_bps = 0.3e6 if second < 10 else 2.5e6

    seconds = run(Path(0.3e6), 22, bounds=WIDE, change=rise)
    assert seconds[20].arrived_bps > 0.7 * 2.5e6


@pytest.mark.parametrize("rises_s", range(4, 12))
def test_new_room_is_found_within_three_seconds_whenever_it_comes(rises_s: int) -> None:
    def rise(second: int, path: Path) -> None:
        path.capacity_bps = 1e6 if second < rises_s else 2.5e6

    seconds = run(Path(1e6), rises_s + 4, start_bps=500_000, bounds=WIDE, change=rise)
    assert seconds[-1].arrived_bps > 0.7 * 2.5e6


@pytest.mark.parametrize("capacity", [0.5e6, 1e6, 2e6])
def test_a_short_queue_loses_little_of_our_making(capacity: float) -> None:
    seconds = run(Path(capacity, queue_bytes=32 * 1_200), 20, bounds=WIDE)
    assert share_lost(seconds) < 0.02
    assert used(seconds[3:]) > 0.7 * capacity


@pytest.mark.parametrize("loss", [0.05, 0.20])
def test_random_loss_is_not_taken_for_congestion(loss: float) -> None:
    seconds = run(Path(1e6, loss=loss), 25)
    assert used(seconds[8:]) > 0.6 * (1 - loss) * 1e6


@pytest.mark.parametrize("burst", [3, 8, 20])
def test_bursts_of_loss_are_not_taken_for_congestion(burst: float) -> None:
    bounds = Bounds(30_000, 1_000_000)
    path = Path(3e6, loss=0.1, burst=burst)
    runs = [run(path, 60, bounds=bounds, seed=seed)[5:] for seed in (1, 2, 3)]
    assert sum(sum(s.target_bps for s in r) / len(r) for r in runs) / len(runs) > 920_000


def test_a_policer_is_felt_by_its_loss() -> None:
    seconds = run(Path(0.5e6, queue_bytes=3_000), 20, bounds=WIDE)
    assert share_lost(seconds[5:]) < 0.1


@pytest.mark.parametrize("rate", [0.2e6, 0.5e6, 1e6])
@pytest.mark.parametrize("bucket_bytes", [3_000, 20_000, 100_000])
def test_a_policer_with_a_bucket_is_not_fed_for_nothing(rate: float, bucket_bytes: int) -> None:
    """Probes and growth find room until the bucket is empty; then only as much as fits counts."""
    path = Path(20e6, policer=Policer(rate, bucket_bytes))
    seconds = run(path, 60, start_bps=500_000, bounds=WIDE)
    assert share_lost(seconds[20:]) < 0.25
    assert used(seconds[20:]) > 0.35 * rate


@pytest.mark.parametrize("length_ms", [300, 500, 800])
@pytest.mark.parametrize("every_s", [3, 7])
def test_short_outages_cost_nothing_but_themselves(length_ms: int, every_s: int) -> None:
    path = Path(3e6, dark_each=Blink(1_000_000 * every_s, 1_000 * length_ms))
    seconds = run(path, 40, bounds=Bounds(30_000, 1_000_000))
    assert min(second.target_bps for second in seconds[5:]) > 800_000


@pytest.mark.parametrize("length_ms", [150, 250, 400])
@pytest.mark.parametrize("every_ms", [1510, 3030])
def test_a_scan_is_not_taken_for_a_thin_path(length_ms: int, every_ms: int) -> None:
    """A radio that looks for other cells holds everything up, and then it all comes at once."""
    path = Path(5e6, one_way_us=20_000, stalled_each=Blink(1_000 * every_ms, 1_000 * length_ms))
    seconds = run(path, 40, bounds=Bounds(30_000, 1_000_000))
    assert min(second.target_bps for second in seconds[5:]) > 250_000
    assert sum(second.target_bps for second in seconds[5:]) / len(seconds[5:]) > 500_000


def test_packets_that_are_overtaken_are_not_lost() -> None:
    seconds = run(Path(3e6, overtaken=0.1), 30, bounds=Bounds(30_000, 1_000_000))
    assert min(second.target_bps for second in seconds[5:]) == 1_000_000


def test_jitter_is_not_taken_for_a_queue() -> None:
    assert used(run(Path(1e6, jitter_us=15_000), 20)[8:]) > 0.6e6


def test_a_blackout_does_not_cost_the_rate() -> None:
    def dark(second: int, path: Path) -> None:
        path.dark = 10 <= second < 12

    seconds = run(Path(1e6), 18, change=dark)
    assert seconds[11].target_bps < 0.5 * seconds[9].target_bps  # nobody knows what it meets
    assert used(seconds[13:]) > 0.7e6
    assert max(second.queue_us for second in seconds[12:]) < 200_000


def test_lost_feedback_costs_less_than_a_third() -> None:
    clean = used(run(Path(1e6), 20)[5:])
    assert used(run(Path(1e6, feedback_loss=0.2), 20)[5:]) > 0.7 * clean


def test_a_peer_that_speaks_only_remb_gets_what_fits() -> None:
    """Its estimate grows by 8% a second, and only to what it sees come times 1.5."""
    seconds = run(Path(8e6), 40, remb=True)
    assert seconds[-1].target_bps == 2_000_000
    assert max(second.queue_us for second in seconds) < 50_000


def test_rembs_of_a_thin_path_are_obeyed() -> None:
    seconds = run(Path(200_000), 30, remb=True)
    assert max(second.queue_us for second in seconds[4:]) < 200_000
    assert used(seconds[5:]) > 0.7 * 200_000


def test_after_a_drop_rembs_let_the_queue_go() -> None:
    def drop(second: int, path: Path) -> None:
        path.capacity_bps = 1e6 if second < 20 else 0.3e6

    seconds = run(Path(1e6), 40, remb=True, change=drop)
    assert max(second.queue_us for second in seconds[20:]) < 1_000_000
    assert max(second.queue_us for second in seconds[25:]) < 150_000
    assert used(seconds[25:]) > 0.7 * 0.3e6


def test_without_probes_it_grows_all_the_same() -> None:
    seconds = run(Path(5e6), 20, probes=False)
    assert seconds[-1].target_bps > 1.5 * seconds[1].target_bps


@pytest.mark.parametrize(("before_ms", "after_ms"), [(10, 60), (10, 160), (50, 300)])
@pytest.mark.parametrize("jitter_us", [0, 10_000])
def test_a_path_that_becomes_longer_is_not_taken_for_a_queue_for_good(
    before_ms: int, after_ms: int, jitter_us: int
) -> None:
    """A hand-over from Wi-Fi to a mobile network: delay that no lower rate takes away."""

    def lengthen(second: int, path: Path) -> None:
        path.one_way_us = 1000 * (before_ms if second < 10 else after_ms)

    bounds = Bounds(30_000, 1_000_000)
    seconds = run(Path(3e6, jitter_us=jitter_us), 40, bounds=bounds, change=lengthen)
    assert all(second.target_bps > 800_000 for second in seconds[16:])


def test_a_path_that_becomes_longer_and_thinner_is_used_without_a_queue() -> None:
    def change(second: int, path: Path) -> None:
        path.one_way_us = 10_000 if second < 10 else 150_000
        path.capacity_bps = 3e6 if second < 10 else 0.5e6

    seconds = run(Path(3e6), 40, bounds=Bounds(30_000, 1_000_000), change=change)
    assert max(second.queue_us for second in seconds[16:]) < 400_000
    assert used(seconds[16:]) > 0.7 * 0.5e6
