"""The sender alone: what it answers to feedback, and what it never does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)
from fake_transport import FakeTransport, failing
from h265 import access_units
from pair import Irap, until

from link import reports
from link.clock import monotonic_us
from link.fec import parse_repair
from link.fec_decoder import FecDecoder
from link.header_extensions import extension_map, send_time
from link.irap_limit import ROUND_TRIP_MAX_US
from link.packet import MediaPacket
from link.sdp import VideoParameters
from link.sdp_text import Ssrcs
from link.sender import MAX_QUEUED_RETRANSMISSIONS, MediaSender

SSRCS = Ssrcs(1111, 2222, "cname", 5555)
PEER = 3333
VIDEO = VideoParameters("0", 96, 97, True, True, True, (b"networks",))
NUMBERED = replace(VIDEO, transport_cc_id=3)
TIMED = replace(VIDEO, send_time_id=4)


class Bench:
    """A sender on a fake transport."""

    def __init__(self, video: VideoParameters = VIDEO) -> None:
        self.transport, self.irap = FakeTransport(), Irap()
        self.ends: list[str] = []
        self.sender = MediaSender(
            self.transport.as_transport(),
            video,
            SSRCS,
            on_irap_request=self.irap,
            on_closed=self.on_closed,
        )
        self.sender.start()

    async def on_closed(self, reason: str) -> None:
        self.ends.append(reason)

    def feed(self, *packets: object) -> None:
        self.sender.on_rtcp(packets, monotonic_us())  # type: ignore[arg-type]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.sender.close()


async def test_packets_carry_the_stream_and_reports_its_clock(bench: Bench) -> None:
    units = access_units(5)
    for unit in units:
        bench.sender.send(replace(unit, rtp_timestamp=unit.rtp_timestamp + (1 << 32)))
    assert await until(lambda: sum(p.marker for p in bench.transport.rtp) == 5, 1)
    packets = bench.transport.rtp
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(len(numbers))]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(SSRCS.media, 96)}
    assert [p.timestamp for p in packets if p.marker] == [unit.rtp_timestamp for unit in units]
    await asyncio.sleep(1.05)
    [report] = bench.transport.sent(RtcpSrPacket)
    assert report.sender_info.packet_count == len(packets)
    assert report.sender_info.rtp_timestamp - packets[-1].timestamp == pytest.approx(
        90_000, rel=0.3
    )


@pytest.mark.parametrize("rtx", [97, None])
async def test_a_nack_brings_the_packet_again_once_per_burst(rtx: int | None) -> None:
    bench = Bench(replace(VIDEO, rtx_payload_type=rtx))
    bench.sender.send(access_units(1)[0])
    assert await until(lambda: bool(bench.transport.rtp), 1)
    first = bench.transport.rtp[0]
    await asyncio.sleep(0.02)
    for _ in range(20):
        bench.feed(*reports.nacks(PEER, SSRCS.media, [first.sequence_number]))
    bench.feed(*reports.nacks(PEER, 4444, [first.sequence_number]))  # of another stream
    bench.feed(*reports.nacks(PEER, SSRCS.media, [(first.sequence_number + 9000) & 0xFFFF]))
    count = len(bench.transport.rtp)
    assert await until(lambda: len(bench.transport.rtp) > count, 1)
    await asyncio.sleep(0.02)
    assert len(bench.transport.rtp) == count + 1
    again = bench.transport.rtp[-1]
    if rtx is not None:
        assert (again.ssrc, again.payload_type) == (SSRCS.rtx, rtx)
        again = unwrap_rtx(again, 96, SSRCS.media)
    assert again.serialize() == first.serialize()
    assert bench.sender.stats().packets_retransmitted == 1
    await bench.sender.close()


async def resent(bench: Bench) -> None:
    """Lets the first packet leave again."""
    await asyncio.sleep(0.02)
    bench.feed(*reports.nacks(PEER, SSRCS.media, [bench.transport.rtp[0].sequence_number]))
    assert await until(lambda: bench.sender.stats().packets_retransmitted > 0, 1)


def transport_numbers(bench: Bench) -> list[int | None]:
    known = extension_map(NUMBERED.transport_cc_id, None)
    packets = [RtpPacket.parse(data, known) for data in bench.transport.rtp_bytes]
    return [packet.extensions.transport_sequence_number for packet in packets]


@pytest.mark.parametrize("watched", [True, False])
async def test_a_peer_that_speaks_only_remb_hears_when_each_packet_left(watched: bool) -> None:
    bench = Bench(TIMED)
    if watched:
        bench.sender.set_max_bitrate(2_000_000)
    before_us = monotonic_us()
    bench.sender.send(access_units(1)[0])
    assert await until(lambda: any(packet.marker for packet in bench.transport.rtp), 1)
    await resent(bench)
    known = extension_map(None, 4)
    packets = [RtpPacket.parse(data, known) for data in bench.transport.rtp_bytes]
    times = [packet.extensions.abs_send_time or 0 for packet in packets]
    since_us = [(at - send_time(before_us) & 0xFFFFFF) * 1_000_000 >> 18 for at in times]
    assert since_us == sorted(since_us)
    assert 0 <= since_us[0] < since_us[-1] <= monotonic_us() - before_us
    assert packets[-1].payload_type == VIDEO.rtx_payload_type  # as of now, not of the first time
    await bench.sender.close()


def test_the_time_of_sending_wraps_every_64_seconds() -> None:
    assert (send_time(0), send_time(500_000), send_time(64_000_000)) == (0, 1 << 17, 0)
    assert send_time(63_999_999) == (1 << 24) - 1


@pytest.mark.parametrize("video", [NUMBERED, TIMED])
@pytest.mark.parametrize("watched", ["before", "between"])
async def test_without_rtx_a_packet_leaves_again_byte_for_byte(
    watched: str, video: VideoParameters
) -> None:
    bench = Bench(replace(video, rtx_payload_type=None))
    if watched == "before":
        bench.sender.set_max_bitrate(2_000_000)
    first, second = access_units(2)
    bench.sender.send(first)
    assert await until(lambda: any(packet.marker for packet in bench.transport.rtp), 1)
    bench.sender.set_max_bitrate(2_000_000)
    await resent(bench)
    assert bench.transport.rtp_bytes[-1] == bench.transport.rtp_bytes[0]
    if video is NUMBERED:
        before = transport_numbers(bench)
        bench.sender.send(second)
        assert await until(lambda: len(bench.transport.rtp) > len(before), 1)
        used = [number for number in before[:-1] if number is not None]
        assert transport_numbers(bench)[len(before)] == len(used)  # the copy took none
    await bench.sender.close()


async def test_with_rtx_what_leaves_again_takes_a_transport_number_of_its_own() -> None:
    bench = Bench(NUMBERED)
    bench.sender.set_max_bitrate(2_000_000)
    bench.sender.send(access_units(1)[0])
    assert await until(lambda: bool(bench.transport.rtp), 1)
    await resent(bench)
    assert SSRCS.rtx in {packet.ssrc for packet in bench.transport.rtp}
    assert transport_numbers(bench) == list(range(len(bench.transport.rtp)))
    await bench.sender.close()


async def test_a_storm_of_nacks_is_bounded(bench: Bench) -> None:
    bench.sender.set_max_bitrate(50_000)
    bench.feed(*reports.nacks(PEER, SSRCS.media, list(range(65_536))))
    assert bench.sender.stats().queue_packets <= MAX_QUEUED_RETRANSMISSIONS


async def test_pli_and_fir_ask_for_an_irap_at_a_bounded_rate(bench: Bench) -> None:
    assert bench.irap.requests == 1  # the stream has to begin with one
    await asyncio.sleep(0.35)
    fir = SSRCS.media.to_bytes(4, "big") + b"\1\0\0\0"
    for _ in range(50):
        bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, SSRCS.media))
        bench.feed(RtcpPsfbPacket(RTCP_PSFB_FIR, PEER, 0, fir))
        bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, 4444))  # of another stream
    assert bench.irap.requests == 2
    assert bench.sender.stats().plis == 100
    await asyncio.sleep(0.35)
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_FIR, PEER, 0, fir))
    assert bench.irap.requests == 3


async def test_only_a_pli_that_leads_to_an_irap_makes_retransmissions_stale(bench: Bench) -> None:
    bench.sender.send(access_units(1)[0])
    assert await until(lambda: any(packet.marker for packet in bench.transport.rtp), 1)
    await asyncio.sleep(0.35)
    number = bench.transport.rtp[0].sequence_number
    for again, requests in ((0, 2), (1, 2)):
        bench.feed(*reports.nacks(PEER, SSRCS.media, [number]))
        bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, SSRCS.media))
        await asyncio.sleep(0.05)
        assert bench.sender.stats().packets_retransmitted == again
        assert bench.irap.requests == requests


async def test_no_second_irap_leaves_before_the_first_can_have_come(bench: Bench) -> None:
    bench.transport.rtt_us = 600_000
    await asyncio.sleep(0.35)
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, SSRCS.media))
    assert bench.irap.requests == 1  # that of the start is on its way
    bench.transport.rtt_us = 100_000
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, SSRCS.media))
    assert bench.irap.requests == 2


async def test_a_round_trip_that_nobody_believes_holds_no_irap_back(bench: Bench) -> None:
    bench.transport.rtt_us = 3_600_000_000
    await asyncio.sleep(ROUND_TRIP_MAX_US / 1e6 + 0.2)
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_PLI, PEER, SSRCS.media))
    assert bench.irap.requests == 2


async def test_reports_and_remb_are_read(bench: Bench) -> None:
    block = RtcpReceiverInfo(SSRCS.media, 64, 10, 100, 0, 0, 0)
    bench.feed(RtcpRrPacket(PEER, [block, replace(block, ssrc=4444, fraction_lost=255)]))
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_APP, PEER, 0, pack_remb_fci(250_000, [SSRCS.media])))
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_APP, PEER, 0, b"REMB"))
    bench.feed(RtcpPsfbPacket(RTCP_PSFB_APP, PEER, 0, b"REMB\xff\0\0\0"))
    stats = bench.sender.stats()
    assert (stats.fraction_lost, stats.remb_bps, stats.rtt_ms) == (0.25, 250_000, None)


async def test_a_goodbye_ends_it_and_is_answered_with_one(bench: Bench) -> None:
    bench.feed(RtcpByePacket([PEER]))
    assert await asyncio.wait_for(bench.sender.wait_closed(), 1) == "the receiver said goodbye"
    assert bench.ends == ["the receiver said goodbye"]
    assert bench.transport.sent(RtcpByePacket)
    assert bench.transport.closed
    assert not bench.sender.send(access_units(1)[0])


async def test_the_transport_is_closed_though_the_last_report_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    monkeypatch.setattr("link.reports.compound", failing)
    await bench.sender.close()
    assert bench.transport.closed
    assert len(bench.ends) == 1


async def test_reports_go_on_after_the_turn_of_the_ntp_era(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("link.sender.unix_us", lambda: 2_200_000_000_000_000)  # 2039
    bench = Bench()
    bench.sender.send(access_units(1)[0])
    assert await until(lambda: bool(bench.transport.rtp), 1)
    await bench.sender.close()
    assert bench.ends == ["closed here"]
    times = [report.sender_info.ntp_timestamp for report in bench.transport.sent(RtcpSrPacket)]
    assert {reports.unix_time(ntp) for ntp in times} == {2_200_000_000_000_000}


async def test_repair_packets_give_a_lost_packet_back_and_take_transport_numbers() -> None:
    video = replace(VIDEO, fec_payload_type=98, transport_cc_id=3)
    bench = Bench(video)
    bench.sender.set_max_bitrate(2_000_000)  # nothing is known of the path: there are some repairs
    for unit in access_units(12):
        bench.sender.send(unit)
        await asyncio.sleep(0.005)
    assert await until(lambda: any(p.payload_type == 98 for p in bench.transport.rtp), 1)
    packets = bench.transport.rtp
    at = next(n for n, p in enumerate(packets) if p.payload_type == 98)
    media = [p for p in packets[:at] if p.payload_type == 96]
    assert packets[at].ssrc == SSRCS.fec
    decoder = FecDecoder()
    for p in media[:-1]:
        decoder.add(MediaPacket(p.sequence_number, p.timestamp, bool(p.marker), p.payload))
    back = decoder.add_repair(parse_repair(packets[at].sequence_number, packets[at].payload))
    assert [(p.sequence, p.payload, p.marker) for p in back] == [
        (media[-1].sequence_number, media[-1].payload, bool(media[-1].marker))
    ]
    assert bench.sender.stats().packets_repair >= 1
    await bench.sender.close()


async def test_a_peer_that_takes_no_repairs_gets_none() -> None:
    bench = Bench(replace(VIDEO, transport_cc_id=3))
    bench.sender.set_max_bitrate(2_000_000)
    for unit in access_units(12):
        bench.sender.send(unit)
    await asyncio.sleep(0.2)
    assert {p.payload_type for p in bench.transport.rtp} <= {96, 97}
    assert bench.sender.stats().packets_repair == 0
    await bench.sender.close()
