"""Random loss and bursts: the goals of the reliability matrix, in virtual time."""

import pytest
from simulated_stream import stream

# Five packets a picture: the goals of `make net`. One: few packets tell little of what is lost,
# and a single freeze is 1% of the run.
GOALS = {5: {0.01: 0.1, 0.05: 1, 0.1: 2, 0.2: 5}, 1: {0.01: 1.2, 0.05: 2.4, 0.1: 3, 0.2: 5}}


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("packets", GOALS)
def test_random_loss_hardly_freezes_anything(loss: float, packets: int) -> None:
    for seed in (1, 2):
        outcome = stream(loss, 100_000, 20, packets=packets, fec=True, seed=seed)
        assert outcome.frozen_percent <= GOALS[packets][loss], f"seed {seed}: {outcome}"
        assert outcome.shown_percent > 97, f"seed {seed}: {outcome}"


@pytest.mark.parametrize(
    ("burst", "loss", "goal_ms"),
    [(3, 0.05, 500), (3, 0.1, 500), (8, 0.05, 800), (8, 0.1, 800), (20, 0.05, 1500)],
)
def test_bursts_of_loss_are_over_soon(burst: float, loss: float, goal_ms: float) -> None:
    for seed in (1, 2, 3):
        outcome = stream(loss, 100_000, 60, packets=4, fec=True, seed=seed, burst=burst)
        assert outcome.longest_freeze_ms <= goal_ms, f"seed {seed}: {outcome}"
        assert outcome.shown_percent > 95, f"seed {seed}: {outcome}"


@pytest.mark.parametrize("rtt_us", [300_000, 600_000])
def test_at_a_long_round_trip_it_freezes_a_tenth_of_what_it_did(rtt_us: int) -> None:
    with_fec = stream(0.05, rtt_us, 20, packets=5, fec=True)
    without = stream(0.05, rtt_us, 20, packets=5, fec=False)
    assert with_fec.frozen_percent < without.frozen_percent / 10


def test_a_clean_path_and_a_short_one_are_not_charged() -> None:
    assert stream(0, 100_000, 20, packets=5, fec=True).repair_share < 0.02
    assert stream(0.05, 20_000, 20, packets=5, fec=True).repair_share == 0
