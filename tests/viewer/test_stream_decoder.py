"""What is shown, and asked for, when access units are lost, damaged or unexpected."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from made_streams import coded, frame

from daemon.figures import Figures
from link.access_unit import AccessUnit
from link.nal import join_annexb, nal_type, split_annexb
from viewer.decoder import IRAP_REQUEST_INTERVAL_US, StreamDecoder
from viewer.picture import Decoded
from viewer.timeline import Timeline


class Bench:
    """A decoder with its clock, its figures and the IRAPs it asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.now_us = 0
        self.figures = Figures()
        self.decoder = StreamDecoder(self._ask, self.figures, lambda: self.now_us)
        self.timeline = Timeline()
        self.sequence = 0

    def feed(self, units: Iterable[AccessUnit]) -> list[Decoded]:
        shown = []
        for unit in units:
            self.now_us += 40_000
            self.sequence += 1
            stamped, _ = self.timeline.stamp(unit, self.sequence, len(unit.data), 0)
            shown += self.decoder.decode(stamped)
        return shown

    def count(self, name: str) -> object:
        return self.figures.snapshot().get(name, 0)

    def _ask(self) -> None:
        self.asked += 1


@pytest.fixture
def bench() -> Bench:
    return Bench()


def numbers(shown: list[Decoded]) -> list[int]:
    return [picture.latent.number for picture in shown]


def after_gap(units: list[AccessUnit]) -> list[AccessUnit]:
    return [replace(units[0], gap_before=True), *units[1:]]


def test_every_access_unit_gives_its_picture_at_once(bench: Bench) -> None:
    for number, unit in enumerate(coded(12)):
        assert numbers(bench.feed([unit])) == [number]
    assert bench.asked == 0


def test_a_latent_carries_what_its_side_information_says(bench: Bench) -> None:
    picture = bench.feed(coded(2, width=200, height=120, scale=2))[1]
    latent = picture.latent
    assert (latent.source_width, latent.source_height, latent.scale) == (200, 120, 2)
    assert (latent.planes.width, latent.planes.height) == (104, 64)
    assert (latent.qp, picture.irap) == (20.0, False)


def test_joining_in_the_middle_shows_nothing_before_an_irap(bench: Bench) -> None:
    assert numbers(bench.feed(coded(20)[3:])) == list(range(10, 20))
    assert bench.asked == 1


def test_after_a_gap_nothing_is_shown_until_the_next_irap(bench: Bench) -> None:
    units = coded(20)
    bench.feed(units[:3])
    assert numbers(bench.feed(after_gap(units[5:]))) == list(range(10, 20))
    assert bench.count("frames_lost") == 5


def test_access_units_dropped_in_this_process_count_as_a_gap(bench: Bench) -> None:
    units = coded(15)
    bench.feed(units[:3])
    bench.sequence += 1
    assert numbers(bench.feed(units[4:])) == list(range(10, 15))


def test_iraps_are_asked_for_at_a_bounded_rate(bench: Bench) -> None:
    units = coded(60, keyframe_interval=250)
    bench.feed(after_gap(units[1:]))
    assert 2 <= bench.asked <= 1 + 59 * 40_000 // IRAP_REQUEST_INTERVAL_US


def test_a_reference_that_is_missing_is_noticed_without_being_told(bench: Bench) -> None:
    units = coded(40, keyframe_interval=30)
    shown = numbers(bench.feed(units[:3] + units[4:]))
    assert shown[:3] == [0, 1, 2]
    assert shown[-10:] == list(range(30, 40))
    assert 3 not in shown


@pytest.mark.parametrize("cut", [7, 30, 0.5, 0.9])
def test_a_truncated_irap_is_survived(bench: Bench, cut: float) -> None:
    units = coded(20)
    length = int(cut if cut > 1 else len(units[0].data) * cut)
    units[0] = replace(units[0], data=units[0].data[:length])
    assert numbers(bench.feed(units))[-10:] == list(range(10, 20))


def test_noise_instead_of_access_units_is_survived(bench: Bench) -> None:
    seed = 7
    rng = random.Random(seed)
    units = coded(20)
    for index in rng.sample(range(10), 5):
        noise = b"\0\0\0\1" + rng.randbytes(rng.randrange(1, 400))
        units[index] = replace(units[index], data=noise)
    assert numbers(bench.feed(units))[-10:] == list(range(10, 20)), f"seed {seed}"


def test_empty_access_units_are_survived(bench: Bench) -> None:
    units = coded(20)
    units[4] = replace(units[4], data=b"")
    assert numbers(bench.feed(units))[-10:] == list(range(10, 20))


def test_plain_h265_is_passed_through_with_one_message(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        shown = bench.feed(coded(12, scale=1, side_info=False))
    assert numbers(shown) == list(range(12))
    assert {(p.latent.scale, p.network_id) for p in shown} == {(1, bytes(8))}
    assert sum("plain H.265" in record.getMessage() for record in caplog.records) == 1
    difference = shown[5].latent.planes.y.astype(int) - frame(5).planes.y
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize(
    "change",
    [
        {"width": 256, "height": 128},
        {"scale": 4},
        {"network_id": b"\1" * 8},
        {"width": 128, "height": 256, "scale": 3},
    ],
)
def test_a_change_of_the_stream_at_an_irap_is_followed(
    bench: Bench, change: dict[str, object]
) -> None:
    wanted = {"width": 192, "height": 112, "scale": 2, "network_id": bytes(8)} | change
    bench.feed(coded(4))
    shown = bench.feed(coded(4, first=4, **change))  # type: ignore[arg-type]
    assert numbers(shown) == [4, 5, 6, 7]
    for picture in shown:
        latent = picture.latent
        assert (latent.source_width, latent.source_height) == (wanted["width"], wanted["height"])
        assert (latent.scale, picture.network_id) == (wanted["scale"], wanted["network_id"])


def test_side_information_of_another_size_is_not_believed(bench: Bench) -> None:
    small, large = coded(1)[0], coded(1, width=640, height=360)[0]
    nals = [nal for nal in split_annexb(small.data) if nal_type(nal) == 39]
    rest = [nal for nal in split_annexb(large.data) if nal_type(nal) != 39]
    swapped = replace(large, data=join_annexb([*rest[:3], *nals, *rest[3:]]))
    (picture,) = bench.feed([swapped])
    assert (picture.latent.source_width, picture.latent.scale) == (320, 1)
    assert bench.count("side_info_errors") == 1
