"""The sending end of a session: access units in, RTP out, feedback answered.

send() -> UnitQueue -> packetize -+-> Pacer -> SRTP -> the peer
    retransmissions, repairs -----+     |                 |
               probes ------------+     |                 v
                                        |    feedback -> PathControl -> on_bitrate, the pacer
                                        +-> SendHistory <- NACK
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
)

from link import reports
from link.access_unit import AccessUnit
from link.clock import monotonic_us, unix_us
from link.errors import WireError
from link.header_extensions import extension_map, send_time
from link.history import SendHistory, rtx_payload
from link.irap_limit import IrapLimit
from link.nal import split_annexb
from link.pacer import Pacer
from link.packet import MediaPacket
from link.path_control import PathControl
from link.payload import DEFAULT_MAX_PAYLOAD_BYTES, packetize
from link.protection import Protection, RepairPacket
from link.remb import parse_remb
from link.sdp import VideoParameters
from link.sdp_text import Ssrcs
from link.sequence import RTP_CLOCK_HZ
from link.session_life import CLOSED_HERE, SessionLife
from link.stats import SenderStats
from link.transport import MediaTransport
from link.twcc import Feedback
from link.unit_queue import UnitQueue

DEFAULT_PACING_BPS = 20_000_000  # until set_max_bitrate
CONTROL_TICK_S = 0.05
BITRATE_STEP = 0.02  # a change of the encoder's rate that is worth telling
PADDING_PACKETS = 8  # of the last ones: what a probe sends again
REPORT_INTERVAL_S = 1.0
MAX_QUEUED_RETRANSMISSIONS = 512
_OUTER_BYTES = 16 + 28  # SRTP tag, UDP and IPv4
_HEADER_BYTES = 12 + _OUTER_BYTES  # what pacing counts on top of a payload


class MediaSender:
    """Made by `link.whip_client.publish`, connected; everything runs on one event loop.

    `on_closed` gets the reason once everything is closed, whichever end closed it.
    """

    def __init__(
        self,
        transport: MediaTransport,
        video: VideoParameters,
        ssrcs: Ssrcs,
        *,
        on_irap_request: Callable[[], None],
        on_closed: Callable[[str], Awaitable[None]],
        on_bitrate: Callable[[int], None] = lambda bitrate_bps: None,
    ) -> None:
        self.peer_network_ids = video.network_ids
        self._transport = transport
        self._video = video
        self._ssrcs = ssrcs
        self._on_irap_request = on_irap_request
        self._on_bitrate = on_bitrate
        self._on_session_closed = on_closed
        self._life = SessionLife(self._clean_up)
        self._units = UnitQueue()
        self._media: deque[MediaPacket] = deque()
        self._retransmissions: deque[MediaPacket] = deque()
        self._history = SendHistory()
        self._padding: deque[MediaPacket] = deque()
        self._repairs: deque[RepairPacket] = deque()
        self._protection: Protection | None = None
        self._pacer = Pacer(DEFAULT_PACING_BPS)
        self._path: PathControl | None = None
        self._told_bps = 0
        self._extensions = extension_map(video.transport_cc_id, video.send_time_id)
        self._irap_limit = IrapLimit()
        self._wake = asyncio.Event()
        self._sequence = secrets.randbits(16)
        self._rtx_sequence = secrets.randbits(16)
        self._last_sent: tuple[int, int] | None = None  # RTP timestamp, Unix time in us
        self._octets = self._packets = self._retransmitted = self._repair = 0
        self._nacks = self._plis = self._dropped = 0
        self._fraction_lost = 0.0
        self._rtt_us: int | None = None
        self._remb_bps: int | None = None
        transport.attach(self)

    def start(self) -> None:
        """Begins to send; asks for the IRAP that a stream has to begin with."""
        self._life.spawn(self._send_loop())
        self._life.spawn(self._report_loop())
        self._request_irap()

    def send(self, unit: AccessUnit) -> bool:
        """Queues a unit; never blocks.

        False when an access unit was lost: the queue was full (see UnitQueue for which units go),
        or this one waits in vain for the IRAP before it. An IRAP is asked for then.
        """
        if self._life.reason is not None:
            return False
        dropped = self._units.put(unit)
        self._dropped += dropped
        if self._units.needs_irap:
            self._request_irap()
        self._wake.set()
        return dropped == 0

    def set_max_bitrate(self, bitrate_bps: int) -> None:
        """The most that the encoder will use. From now on the path is watched, packets leave at
        its pace, and `on_bitrate` hears what the encoder may use, at once and after changes."""
        if self._path is not None:
            self._path.set_most(bitrate_bps)
        else:
            self._path = PathControl(
                bitrate_bps,
                has_feedback=self._video.transport_cc_id is not None,
                may_probe=self._video.rtx_payload_type is not None,
            )
            if self._video.fec_payload_type is not None:
                self._protection = Protection(self._path.fec_share, secrets.randbits(16))
            self._life.spawn(self._control_loop(self._path))

    def stats(self) -> SenderStats:
        waiting = len(self._units) + self._units.size_bytes // DEFAULT_MAX_PAYLOAD_BYTES
        rtt_us = self._round_trip_us()
        return SenderStats(
            bytes_sent=self._transport.bytes_sent,
            packets_sent=self._packets,
            packets_retransmitted=self._retransmitted,
            nacks=self._nacks,
            plis=self._plis,
            rtt_ms=None if rtt_us is None else rtt_us / 1000,
            fraction_lost=self._fraction_lost,
            queue_packets=waiting + len(self._media) + len(self._retransmissions),
            units_dropped=self._dropped,
            remb_bps=self._remb_bps,
            target_bps=None if self._path is None else self._path.target_bps,
            media_bps=None if self._path is None else self._path.media_bps,
            datagrams_refused=self._transport.datagrams_refused,
            packets_repair=self._repair,
        )

    def _round_trip_us(self) -> int | None:
        return self._rtt_us if self._rtt_us is not None else self._transport.rtt_us

    async def wait_closed(self) -> str:
        """Waits for the end of the session; why it ended, for the user."""
        return await self._life.wait()

    async def close(self) -> None:
        """Says goodbye and closes everything; may be called twice."""
        self._life.end(CLOSED_HERE)
        await self._life.wait()

    # what arrives: MediaHandler

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None:
        """Nothing is received on a send-only stream."""

    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None:
        for packet in packets:
            if isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
                self._on_report(packet.reports)
            elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
                self._on_nack(packet, now_us)
            elif isinstance(packet, RtcpPsfbPacket):
                self._on_payload_feedback(packet)
            elif isinstance(packet, RtcpByePacket):
                self._life.end("the receiver said goodbye")

    def on_feedback(self, feedback: Feedback, now_us: int) -> None:
        if self._path is not None:
            self._path.on_feedback(feedback, now_us)

    def on_closed(self, reason: str) -> None:
        self._life.end(reason)

    def _on_report(self, blocks: Iterable[RtcpReceiverInfo]) -> None:
        for block in blocks:
            if block.ssrc == self._ssrcs.media:
                self._fraction_lost = block.fraction_lost / 256
                rtt_us = reports.round_trip_us(block, unix_us())
                self._rtt_us = self._rtt_us if rtt_us is None else rtt_us
                if self._path is not None:
                    self._path.on_report(self._fraction_lost, monotonic_us())

    def _on_nack(self, packet: RtcpRtpfbPacket, now_us: int) -> None:
        if packet.media_ssrc != self._ssrcs.media:
            return
        self._nacks += len(packet.lost)
        self._history.set_rtt(self._round_trip_us() or 0)
        for sequence in packet.lost:
            if len(self._retransmissions) >= MAX_QUEUED_RETRANSMISSIONS:
                break
            found = self._history.get(sequence & 0xFFFF, now_us)
            if found is not None and self._fits(len(found.payload), now_us):
                self._retransmissions.append(found)
        self._wake.set()

    def _fits(self, payload_bytes: int, now_us: int) -> bool:
        """Whether the path takes it beside the media. What is left out is asked for again."""
        return self._path is None or self._path.may_add(payload_bytes + _HEADER_BYTES, now_us)

    def _on_payload_feedback(self, packet: RtcpPsfbPacket) -> None:
        is_pli = packet.fmt == RTCP_PSFB_PLI and packet.media_ssrc == self._ssrcs.media
        is_fir = packet.fmt == RTCP_PSFB_FIR and self._ssrcs.media in reports.fir_targets(packet)
        if is_pli or is_fir:
            self._plis += 1
            if self._request_irap():
                self._retransmissions.clear()  # stale: the peer waits for an IRAP now
        elif (remb_bps := parse_remb(packet)) is not None:
            self._remb_bps = remb_bps
            if self._path is not None:
                self._path.on_remb(remb_bps)

    def _request_irap(self) -> bool:
        """False while the last one may still be on its way."""
        allowed = self._irap_limit.allow(monotonic_us(), self._round_trip_us() or 0)
        if allowed:
            self._on_irap_request()
        return allowed

    # what leaves

    async def _send_loop(self) -> None:
        while True:
            queue: deque[MediaPacket] | deque[RepairPacket] = self._retransmissions or self._repairs
            queue = queue or self._next_media() or self._next_padding()
            if not queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            size = len(queue[0].payload) + _HEADER_BYTES
            delay_us = self._pacer.delay_us(size, monotonic_us())
            if delay_us:
                await asyncio.sleep(delay_us / 1e6)
                continue  # a retransmission may have come, and goes first
            self._pacer.spend(size, monotonic_us())
            packet = queue.popleft()
            if isinstance(packet, RepairPacket):
                await self._send_repair(packet)
            elif queue is self._media:
                await self._send_first(packet)
            else:
                await self._send_again(packet)

    def _next_media(self) -> deque[MediaPacket]:
        """Packets of the access unit under way, or of the next one; empty when there is none."""
        while not self._media and (unit := self._units.pop()) is not None:
            try:
                payloads = packetize(split_annexb(unit.data))
            except WireError:
                payloads = []
            if not payloads:
                self._dropped += 1  # no access unit
            timestamp = unit.rtp_timestamp & 0xFFFFFFFF
            for index, payload in enumerate(payloads, start=1):
                is_last = index == len(payloads)
                self._media.append(MediaPacket(self._sequence, timestamp, is_last, payload))
                self._sequence = (self._sequence + 1) & 0xFFFF
        return self._media

    def _next_padding(self) -> deque[MediaPacket]:
        """Of a probe that is under way: packets that were sent, once more."""
        if self._path is None or not self._path.wants_padding:
            self._padding.clear()
        elif not self._padding:
            self._padding.extend(self._history.recent(PADDING_PACKETS))
        return self._padding

    async def _send_first(self, packet: MediaPacket) -> None:
        now_us = monotonic_us()
        number = None if self._path is None else self._path.next_number
        packet = replace(packet, transport_number=number, send_time=send_time(now_us))
        self._history.add(packet, now_us)
        if self._protection is not None:
            repairs = self._protection.add(packet, now_us)
            self._repairs += [r for r in repairs if self._fits(len(r.payload), now_us)]
        self._packets += 1
        self._octets += len(packet.payload)
        self._last_sent = packet.timestamp, unix_us()
        await self._send_rtp(self._rtp(packet), len(packet.payload))

    async def _send_again(self, packet: MediaPacket) -> None:
        """By RTX; without it byte for byte as it was: SRTP takes its nonce from SSRC and sequence
        number, and under one nonce nothing else may be signed (RFC 7714, section 8.4)."""
        self._retransmitted += 1
        if self._video.rtx_payload_type is None:
            data = self._rtp(packet).serialize(self._extensions)
            if self._path is not None:
                self._path.sent_again(len(data) + _OUTER_BYTES)
            await self._transport.send(data)
            return
        rtx = RtpPacket(
            payload_type=self._video.rtx_payload_type,
            marker=int(packet.marker),
            sequence_number=self._rtx_sequence,
            timestamp=packet.timestamp,
            ssrc=self._ssrcs.rtx,
            payload=rtx_payload(packet.sequence, packet.payload),
        )
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        await self._send_rtp(rtx, 0)

    async def _send_repair(self, packet: RepairPacket) -> None:
        self._repair += 1
        fec = RtpPacket(
            payload_type=self._video.fec_payload_type or 0,
            sequence_number=packet.number,
            timestamp=packet.timestamp,
            ssrc=self._ssrcs.fec,
            payload=packet.payload,
        )
        await self._send_rtp(fec, 0)

    async def _send_rtp(self, packet: RtpPacket, media_bytes: int) -> None:
        """`media_bytes` of it are media sent for the first time."""
        if self._path is not None:
            packet.extensions.transport_sequence_number = self._path.next_number
        if packet.extensions.abs_send_time is None:
            packet.extensions.abs_send_time = send_time(monotonic_us())
        data = packet.serialize(self._extensions)
        if self._path is not None:
            self._path.sent(len(data) + _OUTER_BYTES, media_bytes, monotonic_us())
        await self._transport.send(data)

    def _rtp(self, packet: MediaPacket) -> RtpPacket:
        rtp = RtpPacket(
            payload_type=self._video.payload_type,
            marker=int(packet.marker),
            sequence_number=packet.sequence,
            timestamp=packet.timestamp,
            ssrc=self._ssrcs.media,
            payload=packet.payload,
        )
        rtp.extensions.transport_sequence_number = packet.transport_number
        rtp.extensions.abs_send_time = packet.send_time
        return rtp

    async def _control_loop(self, path: PathControl) -> None:
        while True:
            now_us = monotonic_us()
            path.on_tick(now_us)
            self._pacer.set_bitrate(path.pacing_bps, now_us)
            media_bps = path.media_bps
            if abs(media_bps - self._told_bps) > BITRATE_STEP * self._told_bps:
                self._told_bps = media_bps
                self._on_bitrate(media_bps)
            self._wake.set()  # of a probe
            await asyncio.sleep(CONTROL_TICK_S)

    async def _report_loop(self) -> None:
        while True:
            await self._send_rtcp([])
            await asyncio.sleep(REPORT_INTERVAL_S)

    async def _send_rtcp(self, packets: list[AnyRtcpPacket]) -> None:
        ssrcs = self._ssrcs
        if self._last_sent is not None:
            timestamp, sent_us = self._last_sent
            now_us = unix_us()
            timestamp += (now_us - sent_us) * RTP_CLOCK_HZ // 1_000_000
            report = reports.sender_report(
                ssrcs.media, now_us, timestamp, self._packets, self._octets
            )
            packets = [report, *packets]
        await self._transport.send(reports.compound(ssrcs.media, ssrcs.cname, packets))

    async def _clean_up(self, reason: str) -> None:
        try:
            await self._send_rtcp([reports.bye([self._ssrcs.media])])
        finally:
            await self._transport.close()
            await self._on_session_closed(reason)
