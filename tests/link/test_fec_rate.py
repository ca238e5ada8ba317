"""How much error correction there is: nothing where it is not needed, enough where it is."""

import random

import pytest

from link.fec_rate import FecRate, share_needed
from link.packet import MediaPacket
from link.protection import CREDIT_MAX, Protection
from link.sent_log import Fate, SentPacket

RTT_US = 100_000
STEP_US = 8_000  # between packets


def fates(loss: float, count: int, first: int = 0, seed: int = 1) -> list[Fate]:
    rng = random.Random(seed)
    packets = [SentPacket(n, 1000, n * STEP_US) for n in range(first, first + count)]
    return [Fate(p, None if rng.random() < loss else p.sent_us) for p in packets]


def test_a_clean_path_is_not_charged_once_it_is_known() -> None:
    rate = FecRate()
    assert 0 < rate.share(RTT_US, 125) < 0.4  # nobody knows yet
    rate.on_fates(fates(0, 120))
    assert rate.share(RTT_US, 125) == 0


def test_a_short_round_trip_needs_none() -> None:
    rate = FecRate()
    rate.on_fates(fates(0.1, 400))
    assert rate.share(20_000, 125) == 0
    assert rate.share(60_000, 125) > 0


def test_it_grows_with_loss_and_round_trip_and_is_bounded() -> None:
    shares = []
    for loss in (0.02, 0.05, 0.1, 0.2):
        rate = FecRate()
        rate.on_fates(fates(loss, 500))
        assert rate.share(RTT_US, 125) <= rate.share(400_000, 125) <= 1
        shares.append(rate.share(RTT_US, 125))
    assert shares == sorted(shares)
    assert 0.15 < shares[1] < 0.45
    assert share_needed(0.9, 20, 3) == 1


def test_it_goes_off_later_than_it_came_on() -> None:
    rate = FecRate()
    rate.on_fates(fates(0, 500))
    one_lost = fates(0, 500, first=500)
    one_lost[-2] = Fate(one_lost[-2].packet, None)
    rate.on_fates(one_lost)
    assert rate.share(RTT_US, 125) == 0  # one loss in 500 packets is not yet a rate
    rate.on_fates(fates(0.05, 500, first=1000))
    assert rate.share(RTT_US, 125) > 0.15
    two_lost = fates(0, 500, first=1500)
    two_lost[-3:-1] = [Fate(fate.packet, None) for fate in two_lost[-3:-1]]
    rate.on_fates(two_lost)
    assert rate.share(RTT_US, 125) > 0
    rate.on_fates(fates(0, 600, first=2000))
    assert rate.share(RTT_US, 125) == 0


def test_an_outage_is_no_loss_rate() -> None:
    rate = FecRate()
    rate.on_fates(fates(0, 300) + fates(1, 100, first=300) + fates(0, 100, first=400))
    assert rate.share(RTT_US, 125) == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_repairs_come_behind_pictures_in_the_share_wanted(share: float) -> None:
    protection = Protection(lambda packets_per_s: share, 65_530)
    made = []
    for n in range(1000):
        packet = MediaPacket(n & 0xFFFF, n // 3 * 3600, n % 3 == 2, b"x" * 50)
        repairs = protection.add(packet, n // 3 * 40_000)
        assert packet.marker or not repairs
        made += repairs
    assert len(made) == pytest.approx(share * 1000, abs=3)
    assert [r.number for r in made] == [(65_530 + n) & 0xFFFF for n in range(len(made))]


def test_a_huge_picture_does_not_bring_repairs_without_bound() -> None:
    protection = Protection(lambda packets_per_s: 1.0, 0)
    packets = [MediaPacket(n, 0, n == 999, b"x") for n in range(1000)]
    assert sum(len(protection.add(packet, 0)) for packet in packets) == CREDIT_MAX
