"""The receiver alone: its queue, its feedback, and senders that behave oddly."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)
from fake_transport import FakeTransport, failing
from h265 import TICKS, access_units
from pair import until

from link.access_unit import AccessUnit
from link.clock import monotonic_us
from link.errors import SessionEnded
from link.fec import FecWindow
from link.header_extensions import send_time
from link.nal import split_annexb
from link.packet import MediaPacket
from link.payload import packetize
from link.receiver import MAX_QUEUED_UNITS, MediaReceiver
from link.sdp import VideoParameters

MEDIA, RTX = 1111, 2222
VIDEO = VideoParameters("0", 49, 50, True, True, True, (), fec_payload_type=51)


def packets_of(
    units: Sequence[AccessUnit], first: int = 65_530, ssrc: int = MEDIA
) -> list[RtpPacket]:
    packets = []
    for unit in units:
        payloads = packetize(split_annexb(unit.data), 600)
        for payload in payloads:
            number = (first + len(packets)) & 0xFFFF
            packets.append(RtpPacket(49, 0, number, unit.rtp_timestamp, ssrc, payload))
        packets[-1].marker = 1
    return packets


class Bench:
    """A receiver on a fake transport."""

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.receiver = MediaReceiver(
            self.transport.as_transport(), VIDEO, on_closed=self.on_closed
        )
        self.receiver.start()

    async def on_closed(self, reason: str) -> None:
        self.reason = reason

    def feed(self, packets: Sequence[RtpPacket]) -> None:
        for packet in packets:
            self.receiver.on_rtp(packet, monotonic_us())

    async def take(self) -> list[AccessUnit]:
        units = []
        while self.receiver.stats().queue_units:
            units.append(await self.receiver.receive())
        return units


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.receiver.close()


async def test_missing_packets_are_asked_for_and_taken_from_rtx(bench: Bench) -> None:
    units = access_units(4)
    packets = packets_of(units)
    lost = packets.pop(3)
    bench.feed(packets)
    assert await until(lambda: bool(bench.transport.sent(RtcpRtpfbPacket)), 0.5)
    nack = bench.transport.sent(RtcpRtpfbPacket)[0]
    assert (nack.media_ssrc, nack.lost) == (MEDIA, [lost.sequence_number])
    bench.feed([RtpPacket(50, 0, 1, 0, RTX, b""), wrap_rtx(lost, 50, 2, RTX)])  # padding first
    assert [unit.rtp_timestamp for unit in await bench.take()] == [0, TICKS, 2 * TICKS, 3 * TICKS]
    stats = bench.receiver.stats()
    assert (stats.packets_recovered, stats.units, stats.units_lost) == (1, 4, 0)


async def test_reports_name_the_source_twice_a_second(bench: Bench) -> None:
    bench.feed(packets_of(access_units(2)))
    await asyncio.sleep(0.6)
    reports = [report for report in bench.transport.sent(RtcpRrPacket) if report.reports]
    assert len(reports) == 1
    assert reports[0].reports[0].ssrc == MEDIA


@pytest.mark.parametrize("pause_us", [0, 3_600_000_000])  # an hour: no walk through it either
async def test_times_of_sending_are_answered_with_remb(bench: Bench, pause_us: int) -> None:
    """100 packets a second of 664 bytes; what is estimated lies between half and twice that."""
    now_us = monotonic_us() - 20_000_000 - pause_us
    for index in range(1000):
        at_us = now_us + index * 10_000 + (pause_us if index >= 500 else 0)
        packet = RtpPacket(50, 0, index, 0, RTX, bytes(600))
        packet.extensions.abs_send_time = send_time(at_us)
        bench.receiver.on_rtp(packet, at_us + 50_000)
    assert await until(lambda: bool(bench.transport.sent(RtcpPsfbPacket)), 1)
    (remb,) = [p for p in bench.transport.sent(RtcpPsfbPacket) if p.fmt == RTCP_PSFB_APP]
    bitrate_bps, sources = unpack_remb_fci(remb.fci)
    assert 250_000 < bitrate_bps < 1_100_000
    assert len(sources) == 1


async def test_a_request_for_an_irap_is_repeated_until_one_comes(bench: Bench) -> None:
    units = access_units(26)
    bench.feed(packets_of(units[:25]))
    await asyncio.sleep(0.35)
    assert not bench.transport.sent(RtcpPsfbPacket)
    bench.receiver.request_irap()
    await asyncio.sleep(0.5)
    asked = len(bench.transport.sent(RtcpPsfbPacket))
    assert 8 <= asked <= 20
    irap = packets_of(units)[len(packets_of(units[:25])) :]
    for packet in irap[:3]:  # it is on its way, slowly
        bench.feed([packet])
        await asyncio.sleep(0.2)
    bench.feed(irap[3:])
    await asyncio.sleep(0.5)
    assert len(bench.transport.sent(RtcpPsfbPacket)) == asked


async def test_units_that_nobody_takes_are_dropped_up_to_an_irap(bench: Bench) -> None:
    units = access_units(3 * MAX_QUEUED_UNITS, keyframe_interval=25)
    bench.feed(packets_of(units))
    stats = bench.receiver.stats()
    assert stats.queue_units <= MAX_QUEUED_UNITS
    taken = await bench.take()
    assert len(taken) + stats.units_lost == len(units)
    numbers = [unit.rtp_timestamp // TICKS for unit in taken]
    for before, number, unit in zip([-1, *numbers], numbers, taken, strict=False):
        assert number == before + 1 or unit.irap
    assert any(unit.gap_before for unit in taken)


async def test_another_source_takes_over_when_the_first_is_silent(bench: Bench) -> None:
    units = access_units(3)
    bench.feed(packets_of(units))
    bench.feed(packets_of(units, 20_000, ssrc=3333))  # a second layer, say
    assert len(await bench.take()) == 3
    await asyncio.sleep(0.55)
    bench.feed(packets_of(units, 20_000, ssrc=3333))
    assert len(await bench.take()) == 3
    bench.receiver.on_rtcp([RtcpByePacket([MEDIA])], 0)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(bench.receiver.receive(), 0.05)
    bench.receiver.on_rtcp([RtcpByePacket([3333])], 0)
    with pytest.raises(SessionEnded, match="goodbye"):
        await bench.receiver.receive()


async def test_what_came_before_the_end_is_still_given(bench: Bench) -> None:
    bench.feed(packets_of(access_units(2)))
    await bench.receiver.close()
    assert len([await bench.receiver.receive() for _ in range(2)]) == 2
    for _ in range(2):
        with pytest.raises(SessionEnded, match="closed here"):
            await bench.receiver.receive()
    assert bench.transport.sent(RtcpByePacket)
    assert bench.transport.closed


async def test_the_transport_is_closed_though_the_goodbye_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    monkeypatch.setattr("link.reports.bye", failing)
    await bench.receiver.close()
    assert bench.transport.closed
    assert bench.reason == "closed here"


async def test_packets_of_other_formats_and_garbage_are_ignored(bench: Bench) -> None:
    bench.feed([RtpPacket(payload_type, 1, 5, 0, 9, b"garbage") for payload_type in range(128)])
    bench.feed([RtpPacket(49, 1, number, 0, 9, bytes([number])) for number in range(200)])
    assert bench.receiver.stats().units == 0
    await asyncio.sleep(0.55)
    bench.feed(packets_of(access_units(2)))
    assert len(await bench.take()) == 2


def repair_of(packets: Sequence[RtpPacket], number: int = 1) -> RtpPacket:
    window = FecWindow()
    for p in packets:
        window.add(MediaPacket(p.sequence_number, p.timestamp, bool(p.marker), p.payload))
    timestamp, payload = window.repair(number)
    return RtpPacket(51, 0, number, timestamp, 7777, payload)


async def test_what_error_correction_restores_is_not_asked_for(bench: Bench) -> None:
    packets = packets_of(access_units(4))
    lost = packets[-1]  # the tail: no later packet tells of it
    bench.feed([*packets[:-1], repair_of(packets[-4:])])
    assert len(await bench.take()) == 4
    await asyncio.sleep(0.08)
    assert not bench.transport.sent(RtcpRtpfbPacket)
    stats = bench.receiver.stats()
    assert (stats.packets_repaired, stats.packets_recovered, stats.packets_lost) == (1, 0, 0)
    bench.feed([lost])  # late after all
    assert bench.receiver.stats().units == 4


async def test_a_repair_that_does_not_suffice_tells_what_is_missing_at_once(bench: Bench) -> None:
    packets = packets_of(access_units(6))
    bench.feed([*packets[:-2], repair_of(packets[-5:])])
    assert await until(lambda: bool(bench.transport.sent(RtcpRtpfbPacket)), 0.5)
    nack = bench.transport.sent(RtcpRtpfbPacket)[0]
    assert nack.lost == [p.sequence_number for p in packets[-2:]]
    bench.feed([wrap_rtx(packets[-1], 50, 2, RTX)])  # one of them, and the repair does the rest
    assert len(await bench.take()) == 6


async def test_holes_wait_a_moment_for_repairs_while_there_are_some(bench: Bench) -> None:
    packets = packets_of(access_units(6))
    bench.feed([*packets[:5], repair_of(packets[2:5])])
    bench.feed([*packets[6:8]])
    await asyncio.sleep(0.005)
    assert not bench.transport.sent(RtcpRtpfbPacket)
    bench.feed([repair_of(packets[3:8], 2)])
    await asyncio.sleep(0.05)
    assert not bench.transport.sent(RtcpRtpfbPacket)


@pytest.mark.parametrize("first", [5_000, 40_000])  # behind and ahead of the numbers before
async def test_error_correction_goes_on_when_the_sender_begins_anew(
    bench: Bench, first: int
) -> None:
    bench.feed(packets_of(access_units(2), first=20_000))
    later = [replace(u, rtp_timestamp=u.rtp_timestamp + 90_000) for u in access_units(4)]
    packets = packets_of(later, first=first)
    bench.feed([*packets[:-1], repair_of(packets[-4:])])
    assert len(await bench.take()) == 6
    assert bench.receiver.stats().packets_repaired == 1


async def test_damaged_repairs_are_ignored(bench: Bench) -> None:
    bench.feed(packets_of(access_units(2)))
    bench.feed([RtpPacket(51, 0, n, 0, 7777, bytes(n)) for n in range(40)])
    far = (0).to_bytes(2, "big") + b"\x40" + bytes(200)
    bench.feed([RtpPacket(51, 0, 99, 0, 7777, far)])
    assert len(await bench.take()) == 2
