"""Frame number and capture time of every access unit, from side information now and then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_streams import FPS, START_US, TICKS, coded

from engines.codebook import Codebook
from engines.guide import GUIDE_SIZE, Guide
from link.access_unit import AccessUnit
from link.errors import SideInfoError
from link.side_info import SideInfo, insert_side_info
from viewer.timeline import Stamped, Timeline

NOW_US = 42
SLICE = b"\0\0\0\1\x02\x01\x80\x55"


def stamp(units: list[AccessUnit]) -> list[Stamped]:
    timeline = Timeline()
    return [timeline.stamp(u, n, len(u.data), NOW_US)[0] for n, u in enumerate(units)]


def unit(timestamp: int, **fields: object) -> AccessUnit:
    """An access unit with side information if fields are given."""
    data = SLICE
    if fields:
        known = {
            "source_width": 640, "source_height": 360, "scale": 2, "bits": 8, "qp": 30.0,
            "network_id": bytes(8), "frame_number": 0, "captured_us": START_US, "fps": float(FPS),
        }  # fmt: skip
        data = insert_side_info(SLICE, SideInfo(**(known | fields)))  # type: ignore[arg-type]
    return AccessUnit(data, timestamp % 2**32, irap=bool(fields))


@pytest.mark.parametrize("first_timestamp", [0, 2**31 - 3 * TICKS, 2**32 - 3 * TICKS])
def test_number_and_capture_time_follow_the_rtp_clock_across_its_wrap(first_timestamp: int) -> None:
    stamped = stamp(coded(10, first=7, first_timestamp=first_timestamp))
    assert [s.number for s in stamped] == list(range(7, 17))
    assert [s.captured_us for s in stamped] == [START_US + n * 40_000 for n in range(7, 17)]


def test_a_lost_frame_leaves_a_hole_in_the_numbers() -> None:
    units = coded(6)
    assert [s.number for s in stamp(units[:2] + units[4:])] == [0, 1, 4, 5]


def test_numbers_rise_when_frames_come_faster_than_the_nominal_rate() -> None:
    units = [unit(0, frame_number=5), unit(100), unit(200), unit(3 * TICKS)]
    assert [s.number for s in stamp(units)] == [5, 6, 7, 8]


def test_an_rtp_timestamp_that_steps_back_gives_an_earlier_capture_time() -> None:
    units = [unit(0, frame_number=0), unit(3 * TICKS), unit(2 * TICKS)]
    assert [s.captured_us - START_US for s in stamp(units)] == [0, 120_000, 80_000]


def test_plain_h265_counts_frames_and_starts_its_clock_at_arrival() -> None:
    stamped = stamp([unit(n * TICKS) for n in range(3)])
    assert all(s.info is None for s in stamped)
    assert [s.number for s in stamped] == [0, 1, 2]
    assert [s.captured_us for s in stamped] == [NOW_US, NOW_US + 40_000, NOW_US + 80_000]


def test_the_codebook_holds_until_another_comes_or_the_network_changes() -> None:
    levels = Codebook.uniform(4)
    units = [
        unit(0, bits=4, codebook=levels.to_bytes()),
        unit(TICKS),
        unit(2 * TICKS, bits=4),
        unit(3 * TICKS, bits=6),
    ]
    assert [s.codebook.bits for s in stamp(units)] == [4, 4, 4, 6]


def test_a_guide_holds_until_another_comes_or_an_irap_brings_none() -> None:
    one, two = (Guide(b"me", 1.0, (n,) * GUIDE_SIZE) for n in (1, 2))
    units = [
        unit(0, guide=one.to_bytes()),
        unit(TICKS),
        replace(unit(2 * TICKS, guide=two.to_bytes()), irap=False),
        replace(unit(3 * TICKS, qp=20.0), irap=False),
        unit(4 * TICKS, qp=22.0),
        unit(5 * TICKS),
    ]
    assert [s.guide for s in stamp(units)] == [one, one, two, two, None, None]


def test_a_guide_that_is_garbage_leaves_the_last_side_information() -> None:
    timeline, guide = Timeline(), Guide(b"me", 1.0, (3,) * GUIDE_SIZE)
    timeline.stamp(unit(0, qp=20.0, guide=guide.to_bytes()), 0, 1, NOW_US)
    broken = replace(unit(TICKS, qp=40.0, guide=b"\xff" * 5), irap=False)
    stamped, error = timeline.stamp(broken, 1, 1, NOW_US)
    assert isinstance(error, SideInfoError)
    assert stamped.info is not None
    assert (stamped.info.qp, stamped.guide) == (20.0, guide)


@pytest.mark.parametrize("codebook", [b"\xff" * 20, Codebook.uniform(5).to_bytes()])
def test_a_codebook_that_is_garbage_leaves_the_last_side_information(codebook: bytes) -> None:
    timeline = Timeline()
    timeline.stamp(unit(0, qp=20.0), 0, 1, NOW_US)
    stamped, error = timeline.stamp(unit(TICKS, qp=40.0, codebook=codebook), 1, 1, NOW_US)
    assert isinstance(error, SideInfoError)
    assert stamped.info is not None
    assert (stamped.info.qp, stamped.number) == (20.0, 1)


def test_a_flipped_bit_in_the_side_information_is_noticed() -> None:
    first = coded(1)[0]
    position = first.data.index(b"\xa3\xd5\xc7\xe1") + 20
    flipped = bytearray(first.data)
    flipped[position] ^= 0x10
    stamped, error = Timeline().stamp(replace(first, data=bytes(flipped)), 0, 1, NOW_US)
    assert isinstance(error, SideInfoError)
    assert stamped.info is None
