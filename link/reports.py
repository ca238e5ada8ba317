"""RTCP of one H.265 stream: reports, feedback and goodbye as bytes (RFC 3550, RFC 4585, RFC 5104).

Packets are built and parsed by `aiortc.rtp`; here stand the rules for what they say. Everything
goes out as a compound packet that begins with a report and the CNAME (RFC 3550, section 6.1).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
)

from link.sequence import RTP_CLOCK_HZ, difference, unwrap_sequence
from link.twcc import TransportFeedback

MAX_NACKS_PER_PACKET = 200  # 800 bytes at most, however they are spread
_NTP_EPOCH_OFFSET_S = 2_208_988_800  # 1900 to 1970
_NTP_ERA_S = 1 << 32  # the next one begins on 2036-02-07, 06:28:16 UTC
_NTP_MASK = (1 << 64) - 1
_SDES_CNAME = 1
_FIR_ENTRY_BYTES = 8
_JITTER_GAIN = 16  # RFC 3550, section 6.4.1


def ntp_time(unix_us: int) -> int:
    """NTP timestamp of 64 bits: seconds since the era began (1900, 2036) and their fraction."""
    seconds, rest_us = divmod(unix_us, 1_000_000)
    ntp = (seconds + _NTP_EPOCH_OFFSET_S) << 32 | (rest_us << 32) // 1_000_000
    return ntp & _NTP_MASK


def unix_time(ntp: int) -> int:
    """Unix time in us, 1968 to 2104, of an NTP timestamp of 64 bits (RFC 4330, section 3)."""
    seconds = ntp >> 32
    if seconds < _NTP_ERA_S // 2:
        seconds += _NTP_ERA_S
    return (seconds - _NTP_EPOCH_OFFSET_S) * 1_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000 >> 32)


def ntp_middle(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp, units of 1/65536 s, as LSR carries them."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_us(report: RtcpReceiverInfo, unix_us: int) -> int | None:
    """Round trip time that a report block tells (RFC 3550, section 6.4.1), us."""
    if not report.lsr:
        return None
    spent = difference(ntp_middle(ntp_time(unix_us)), report.lsr, 32) - report.dlsr
    return max(0, spent) * 1_000_000 >> 16


def compound(ssrc: int, cname: str, packets: Sequence[AnyRtcpPacket | TransportFeedback]) -> bytes:
    """`packets` with what a compound packet begins with: a report, if an empty one, and SDES."""
    sdes = RtcpSdesPacket([RtcpSourceInfo(ssrc, [(_SDES_CNAME, cname.encode())])])
    rest = list(packets)
    has_report = bool(rest) and isinstance(rest[0], (RtcpRrPacket, RtcpSrPacket))
    report = rest.pop(0) if has_report else RtcpRrPacket(ssrc)
    return b"".join(bytes(part) for part in [report, sdes, *rest])


def sender_report(
    ssrc: int, unix_us: int, rtp_timestamp: int, packets: int, octets: int
) -> RtcpSrPacket:
    """SR: the RTP timestamp that belongs to `unix_us`, and how much was sent."""
    mask = 0xFFFFFFFF
    info = RtcpSenderInfo(ntp_time(unix_us), rtp_timestamp & mask, packets & mask, octets & mask)
    return RtcpSrPacket(ssrc, info)


def nacks(ssrc: int, media_ssrc: int, sequences: Sequence[int]) -> list[RtcpRtpfbPacket]:
    """Generic NACKs (RFC 4585, section 6.2.1) of ascending sequence numbers, 16 bits each.

    Each fits a datagram and ends at the wrap of the numbers: aiortc cannot write one across it.
    """
    packets: list[RtcpRtpfbPacket] = []
    for sequence in sequences:
        lost = packets[-1].lost if packets else []
        if not lost or len(lost) == MAX_NACKS_PER_PACKET or sequence < lost[-1]:
            packets.append(RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc, media_ssrc, [sequence]))
        else:
            lost.append(sequence)
    return packets


def pli(ssrc: int, media_ssrc: int) -> RtcpPsfbPacket:
    """Picture loss indication (RFC 4585, section 6.3.1)."""
    return RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc, media_ssrc)


def bye(ssrcs: Sequence[int]) -> RtcpByePacket:
    """Goodbye (RFC 3550, section 6.6)."""
    return RtcpByePacket(list(ssrcs))


def fir_targets(packet: RtcpPsfbPacket) -> list[int]:
    """SSRCs that a full intra request asks (RFC 5104, section 4.3.1)."""
    whole = len(packet.fci) // _FIR_ENTRY_BYTES * _FIR_ENTRY_BYTES
    return [entry[0] for entry in struct.iter_unpack("!LBxxx", packet.fci[:whole])]


@dataclass
class RateLimit:
    """At most one `allow` per interval; the caller asks again later."""

    interval_us: int
    _last_us: int | None = None

    def allow(self, now_us: int) -> bool:
        if self._last_us is not None and now_us - self._last_us < self.interval_us:
            return False
        self._last_us = now_us
        return True


class ReceptionStatistics:
    """What a receiver report says of one source (RFC 3550, appendix A.1, A.3 and A.8)."""

    def __init__(self) -> None:
        self.received = 0  # retransmissions aside
        self._first: int | None = None
        self._highest = 0  # sequence number without wraps
        self._jitter = 0.0  # timestamp units
        self._transit: int | None = None
        self._reported = (0, 0)  # expected and received at the last report
        self._sender_report = (0, 0)  # LSR, when it came (us)

    @property
    def expected(self) -> int:
        return 0 if self._first is None else self._highest - self._first + 1

    @property
    def lost(self) -> int:
        """Packets that were sent and did not arrive (in their first transmission)."""
        return max(0, self.expected - self.received)

    @property
    def jitter_ms(self) -> float:
        return self._jitter * 1000 / RTP_CLOCK_HZ

    def add(self, sequence: int, timestamp: int, now_us: int) -> None:
        """A media packet came."""
        if self._first is None:
            self._first = self._highest = sequence
        self._highest = max(self._highest, unwrap_sequence(sequence, self._highest))
        self.received += 1
        arrival = now_us * RTP_CLOCK_HZ // 1_000_000
        transit = (arrival - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            deviation = abs(difference(transit, self._transit, 32))
            self._jitter += (deviation - self._jitter) / _JITTER_GAIN
        self._transit = transit

    def add_sender_report(self, ntp: int, now_us: int) -> None:
        self._sender_report = (ntp_middle(ntp), now_us)

    def report(self, ssrc: int, now_us: int) -> RtcpReceiverInfo:
        """The report block; its fraction lost counts from the last call on."""
        expected = self.expected - self._reported[0]
        lost = expected - (self.received - self._reported[1])
        self._reported = (self.expected, self.received)
        lsr, came_us = self._sender_report
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=min(255, max(0, lost) * 256 // expected) if expected > 0 else 0,
            packets_lost=clamp_packets_lost(self.lost),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            lsr=lsr,
            dlsr=((now_us - came_us << 16) // 1_000_000 & 0xFFFFFFFF) if lsr else 0,
        )
