"""Rate control: what it does to QPs alone, and what x265 makes of it."""

import math

import numpy as np
import pytest

from engines.carrier import CarrierEncoder
from engines.frame import Planes
from engines.rate_control import BITS_PER_QP, CREDIT_S, IRAP_SHARE_S, RateControl
from engines.rated_carrier import QP_HIGH, RatedEncoder

FPS = 25.0
STEP_US = 40_000
RATE = 100_000


def control(bitrate_bps: float = RATE) -> RateControl:
    return RateControl(bitrate_bps, FPS, places=4, low=-20, high=15, first=0.0)


class Codec:
    """Costs exp(c - r * offset) bits, c as told; an IRAP six times that."""

    def __init__(self, rate: RateControl) -> None:
        self.rate = rate
        self.number = 0
        self.offset = 0.0

    def run(self, pictures: int, complexity: float, *, step_us: int = STEP_US) -> list[float]:
        """Bits of each picture."""
        bits = []
        for _ in range(pictures):
            now_us = self.number * step_us
            place = self.number % 4 if self.number else -1
            self.offset = self.rate.offset(place, now_us)
            cost = math.exp(complexity - BITS_PER_QP * self.offset) * (6 if place < 0 else 1)
            self.rate.coded(place, self.offset, round(cost), now_us)
            bits.append(cost)
            self.number += 1
        return bits


def test_the_rate_is_kept_at_any_complexity() -> None:
    for complexity in (7.0, 8.5, 9.5):
        bits = Codec(control()).run(250, complexity)
        assert sum(bits[75:]) / 7 == pytest.approx(RATE, rel=0.05)


def test_a_new_rate_holds_from_the_next_picture_on() -> None:
    codec = Codec(control())
    codec.run(100, 8.5)
    codec.rate.set_bitrate(RATE / 4)
    assert sum(codec.run(10, 8.5)) / 10 * FPS < 1.1 * RATE / 4


def test_quality_does_not_jump_when_nothing_changes() -> None:
    codec = Codec(control())
    codec.run(100, 8.5)
    offsets = []
    for _ in range(50):
        codec.run(1, 8.5)
        offsets.append(codec.offset)
    assert np.ptp(offsets) <= 1.0


def test_pictures_that_come_more_rarely_may_cost_more() -> None:
    codec = Codec(control())
    bits = codec.run(200, 9.0, step_us=3 * STEP_US)
    assert sum(bits[50:]) / (150 * 3 / FPS) == pytest.approx(RATE, rel=0.1)


def test_what_is_saved_in_quiet_times_is_bounded() -> None:
    codec = Codec(control())
    codec.run(100, 1.0)
    assert codec.rate.debt_s(100 * STEP_US) == pytest.approx(-CREDIT_S)


def test_a_known_irap_is_held_to_its_share() -> None:
    rate = control()
    rate.coded(-1, 0.0, 80_000, 0)
    rate.coded(0, 0.0, 4_000, STEP_US)
    offset = rate.offset(-1, 2 * STEP_US)
    expected = 80_000 * math.exp(-BITS_PER_QP * offset)
    assert expected <= 1.02 * IRAP_SHARE_S * RATE


def test_a_rate_that_falls_far_stops_pictures_for_a_second_at_most() -> None:
    rate = control(10 * RATE)
    rate.coded(-1, 0.0, 2 * RATE, 0)
    assert rate.debt_s(0) == pytest.approx(0.2)
    for bitrate_bps in (3 * RATE, RATE, RATE / 3, RATE / 10):
        rate.set_bitrate(bitrate_bps)
    assert rate.debt_s(0) == pytest.approx(1.0)


def test_a_debt_of_one_rate_is_paid_in_full() -> None:
    rate = control()
    rate.coded(-1, 0.0, 3 * RATE, 0)
    for _ in range(25):
        rate.set_bitrate(RATE)
    assert rate.debt_s(0) == pytest.approx(3.0)


def moving(number: int, width: int = 320, height: int = 192) -> Planes:
    rows, columns = np.mgrid[:height, :width]
    wave = 60 * np.sin((columns + 3.3 * number) / 9) * np.cos((rows - 2.2 * number) / 7)
    wave += 25 * np.sin((columns * rows + 900 * number) / 4_000)
    noise = np.random.default_rng(number).normal(0, 3, (height, width))
    y = np.clip(128 + wave + noise, 16, 235).astype(np.uint8)
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    return Planes(y, chroma, chroma)


def coded(encoder: RatedEncoder, first: int, count: int) -> list[int]:
    """Bits of each picture."""
    return [
        8 * len(picture.data)
        for number in range(first, first + count)
        for picture in encoder.encode(moving(number), number, number * STEP_US)
    ]


@pytest.mark.parametrize("restored", [True, False])
def test_x265_follows_the_rate_without_an_irap(restored: bool) -> None:
    encoder = RatedEncoder(
        320, 192, FPS, bitrate_bps=300_000, preset="veryfast", restored=restored, threads=1
    )
    before = coded(encoder, 0, 75)
    encoder.set_bitrate(100_000)
    after = coded(encoder, 75, 50)
    assert sum(before[25:]) / 2 == pytest.approx(300_000, rel=0.25)
    assert sum(after[10:]) / 1.6 == pytest.approx(100_000, rel=0.25)


def test_the_qp_told_is_that_of_a_plain_encoder_at_the_same_bits() -> None:
    encoder = RatedEncoder(320, 192, FPS, bitrate_bps=60_000, preset="veryfast", threads=1)
    pictures = [
        picture
        for number in range(60)
        for picture in encoder.encode(moving(number), number, number * STEP_US)
    ]
    assert all(12 <= picture.qp <= QP_HIGH for picture in pictures)
    told = round(sum(picture.qp for picture in pictures[20:]) / 40)
    plain = CarrierEncoder(320, 192, FPS, crf=told, steered=True, preset="veryfast", threads=1)
    at_qp = [len(p.data) for n in range(60) for p in plain.encode(moving(n), n)]
    bits = sum(len(picture.data) for picture in pictures[20:])
    assert bits == pytest.approx(sum(at_qp[20:]), rel=0.5)  # three QPs
