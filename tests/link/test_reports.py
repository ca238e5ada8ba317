"""What RTCP says: statistics, round trip times, feedback."""

import random
from datetime import datetime, timezone

import pytest
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
)

from link import reports
from link.sequence import RTP_CLOCK_HZ

US, MEDIA = 0x11111111, 0x22222222


def test_a_compound_packet_begins_with_a_report_and_the_cname() -> None:
    packets = RtcpPacket.parse(reports.compound(US, "cname", [reports.bye([US])]))
    assert [type(packet) for packet in packets] == [RtcpRrPacket, RtcpSdesPacket, RtcpByePacket]
    report = reports.sender_report(US, 1_000_000, 1 << 33, 1 << 32, 5)
    packets = RtcpPacket.parse(reports.compound(US, "cname", [report]))
    assert [type(packet) for packet in packets] == [RtcpSrPacket, RtcpSdesPacket]


def test_nacks_name_every_packet_across_the_wrap_and_fit_datagrams() -> None:
    lost = [*range(64_000, 65_536, 3), 0, 1, 40]
    packets = [reports.compound(US, "cname", [p]) for p in reports.nacks(US, MEDIA, lost)]
    named = []
    for data in packets:
        assert len(data) < 1000
        [_, _, nack] = RtcpPacket.parse(data)
        assert isinstance(nack, RtcpRtpfbPacket)
        named += nack.lost
    assert named == lost
    assert reports.nacks(US, MEDIA, []) == []


def test_a_full_intra_request_names_its_targets() -> None:
    entry = MEDIA.to_bytes(4, "big") + b"\7\0\0\0"
    assert reports.fir_targets(RtcpPsfbPacket(RTCP_PSFB_FIR, US, 0, entry)) == [MEDIA]
    assert reports.fir_targets(RtcpPsfbPacket(RTCP_PSFB_FIR, US, 0, entry[:7])) == []


@pytest.mark.parametrize("after_us", [-(1 << 40), -1_000_000, -1, 0, 1, 1_000_000, 1 << 40])
def test_times_come_back_on_both_sides_of_the_turn_of_the_ntp_era(after_us: int) -> None:
    turn_us = 1_000_000 * int(datetime(2036, 2, 7, 6, 28, 16, tzinfo=timezone.utc).timestamp())
    ntp = reports.ntp_time(turn_us + after_us)
    assert (ntp >> 63) == (after_us < 0)
    assert reports.unix_time(ntp) == pytest.approx(turn_us + after_us, abs=1)
    assert bytes(reports.sender_report(US, turn_us + after_us, 0, 0, 0))


def test_reports_measure_the_round_trip_across_the_turn_of_the_ntp_era() -> None:
    statistics = reports.ReceptionStatistics()
    sent_us = (2**32 - 2_208_988_800) * 1_000_000 - 20_000
    statistics.add_sender_report(reports.ntp_time(sent_us), 0)
    rtt_us = reports.round_trip_us(statistics.report(MEDIA, 30_000), sent_us + 80_000)
    assert rtt_us == pytest.approx(50_000, abs=50)


def test_reports_measure_the_round_trip() -> None:
    statistics = reports.ReceptionStatistics()
    sent_us = 1_700_000_000_123_456
    statistics.add_sender_report(reports.ntp_time(sent_us), 5_000_000)
    block = statistics.report(MEDIA, 5_700_000)  # 700 ms later
    rtt_us = reports.round_trip_us(block, sent_us + 780_000)
    assert rtt_us == pytest.approx(80_000, abs=50)
    assert reports.round_trip_us(RtcpReceiverInfo(MEDIA, 0, 0, 0, 0, 0, 0), sent_us) is None


def test_loss_is_counted_across_the_wrap_of_sequence_numbers() -> None:
    seed, statistics = 5, reports.ReceptionStatistics()
    rng = random.Random(seed)
    numbers = [n for n in range(65_000, 67_000) if rng.random() > 0.25 or n in (65_000, 66_999)]
    for number in numbers:
        statistics.add(number & 0xFFFF, 0, 0)
    block = statistics.report(MEDIA, 0)
    assert statistics.expected == 2000
    assert block.packets_lost == statistics.lost == 2000 - len(numbers), seed
    assert block.fraction_lost == (2000 - len(numbers)) * 256 // 2000
    assert block.highest_sequence == 66_999
    assert statistics.report(MEDIA, 0).fraction_lost == 0  # since the last report


def test_jitter_of_an_even_stream_is_nothing_and_of_an_uneven_one_its_deviation() -> None:
    even, uneven = reports.ReceptionStatistics(), reports.ReceptionStatistics()
    for number in range(2000):
        timestamp = number * RTP_CLOCK_HZ // 25
        even.add(number, timestamp, number * 40_000)
        uneven.add(number, timestamp, number * 40_000 + (number % 2) * 8000)
    assert even.jitter_ms < 0.1
    assert uneven.jitter_ms == pytest.approx(8, abs=0.5)


def test_a_rate_limit_lets_one_through_per_interval() -> None:
    limit = reports.RateLimit(100)
    assert [now for now in range(0, 350, 10) if limit.allow(now)] == [0, 100, 200, 300]
