"""The receiving end of a session: RTP in, access units out, feedback sent.

the peer -> SRTP -> (RTX unwrapped) -> JitterBuffer -> UnitQueue -> receive()
           repair packets -> FecDecoder -^ |
NACK, PLI, receiver reports <--------------+
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import astuple, replace

from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpRrPacket, RtcpSrPacket, RtpPacket

from link import reports
from link.access_unit import AccessUnit
from link.clock import monotonic_us, unix_us
from link.errors import SessionEnded, WireError
from link.fec import parse_repair
from link.fec_decoder import FecDecoder
from link.history import parse_rtx
from link.jitter import JitterBuffer, JitterCounts
from link.packet import MediaPacket
from link.peer_clock import PeerClock, SentReport
from link.remb import RembEstimator
from link.sdp import VideoParameters
from link.session_life import CLOSED_HERE, SessionLife
from link.stats import ReceiverStats
from link.transport import MediaTransport
from link.twcc import ArrivalLog, Feedback, TransportFeedback
from link.unit_queue import UnitQueue

MAX_QUEUED_UNITS = 64
MAX_QUEUED_BYTES = 16 << 20
PLI_INTERVAL_US = 300_000
DENC_PLI_INTERVAL_US = 25_000  # denc bounds its IRAPs itself
IRAP_ARRIVES_US = 300_000  # from its latest packet on: until then none is asked for, of denc
REPORT_INTERVAL_US = 500_000  # keeps the sender's own probing quiet
FEEDBACK_TICK_S = 0.01  # of retry timers
ARRIVALS_US = (50_000, 100_000)  # between reports of arrivals: of several packets, of any
ARRIVALS_SEVERAL = 4
SOURCE_SILENCE_US = 500_000  # then another SSRC may take over
REPAIRS_CEASED_US = 500_000  # without one: none is waited for

logger = logging.getLogger(__name__)


class MediaReceiver:
    """Made by `link.whip_server`, connected; everything runs on one event loop."""

    def __init__(
        self,
        transport: MediaTransport,
        video: VideoParameters,
        *,
        on_closed: Callable[[str], Awaitable[None]],
        peer_id: str = "",
        peer_name: str = "",
    ) -> None:
        """`peer_id` is the same whenever the same box comes back."""
        self.peer_id, self.peer_name = peer_id, peer_name
        self.peer_network_ids = video.network_ids
        self._transport = transport
        self._video = video
        self._on_session_closed = on_closed
        self._life = SessionLife(self._clean_up)
        self._ssrc = secrets.randbits(32)
        self._cname = secrets.token_hex(8)
        self._media_ssrc: int | None = None
        self._media_us = 0  # arrival of the last packet from it
        self._is_denc = video.fec_payload_type is not None  # who speaks our error correction
        self._jitter = JitterBuffer(eager=self._is_denc)
        self._fec = FecDecoder()
        self._repair_us = 0  # arrival of the last repair packet
        self._earlier = JitterCounts()  # of sources before the present one
        self._statistics = reports.ReceptionStatistics()
        self._clock = PeerClock()
        self._sent: SentReport | None = None
        self._arrivals = ArrivalLog()
        self._arrivals_us = 0  # when they were reported last
        self._remb = RembEstimator()
        self._units = UnitQueue(MAX_QUEUED_UNITS, MAX_QUEUED_BYTES)
        self._ready = asyncio.Event()
        self._urgent = asyncio.Event()  # there is something to ask for
        self._gap = False  # units in front of the next one to be queued were dropped here
        self._irap_asked = False
        self._pli_limit = reports.RateLimit(
            DENC_PLI_INTERVAL_US if self._is_denc else PLI_INTERVAL_US
        )
        self._report_limit = reports.RateLimit(REPORT_INTERVAL_US)
        self._bytes = self._packets = self._nacks = self._plis = self._dropped = self._repaired = 0
        transport.expect_extensions(video.transport_cc_id, video.send_time_id)
        transport.attach(self)

    def start(self) -> None:
        """Begins to send feedback; packets are taken from the start on."""
        self._life.spawn(self._feedback_loop())

    async def receive(self) -> AccessUnit:
        """The next access unit, in order. Raises SessionEnded when no more will come.

        Units wait in a bounded queue; when nobody takes them the oldest go, up to an IRAP, and
        the next one has `gap_before`. For one caller at a time.
        """
        while True:
            unit = self._units.pop()
            if unit is not None:
                return unit
            if self._life.reason is not None:
                raise SessionEnded(self._life.reason)
            self._ready.clear()
            await self._ready.wait()

    def request_irap(self) -> None:
        """Asks the sender for an IRAP, again and again at a bounded rate until one comes."""
        self._irap_asked = True

    def stats(self) -> ReceiverStats:
        counts = self._counts()
        rtt_us = self._transport.rtt_us
        return ReceiverStats(
            bytes_received=self._bytes,
            packets_received=self._packets,
            packets_lost=counts.packets_lost,
            packets_recovered=counts.packets_recovered,
            nacks_sent=self._nacks,
            plis_sent=self._plis,
            units=counts.units,
            units_lost=counts.units_lost + self._dropped,
            jitter_ms=self._statistics.jitter_ms,
            rtt_ms=None if rtt_us is None else rtt_us / 1000,
            queue_units=len(self._units),
            datagrams_refused=self._transport.datagrams_refused,
            packets_repaired=self._repaired,
            clock=self._clock.estimate(),
            sent=self._sent,
        )

    async def wait_closed(self) -> str:
        """Waits for the end of the session; why it ended, for the user."""
        return await self._life.wait()

    async def close(self) -> None:
        """Says goodbye and closes everything; may be called twice."""
        self.end(CLOSED_HERE)
        await self._life.wait()

    def end(self, reason: str) -> None:
        """Lets the session end for `reason`; `wait_closed` tells when it has."""
        self._life.end(reason)
        self._ready.set()

    async def is_alive(self, timeout_s: float) -> bool:
        """Whether the peer gives a sign of life within `timeout_s`."""
        return self._life.reason is None and await self._transport.is_alive(timeout_s)

    # what arrives: MediaHandler

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None:
        self._packets += 1
        self._bytes += len(packet.payload)
        number = packet.extensions.transport_sequence_number
        if number is not None:
            self._arrivals.add(number, now_us)
        self._remb.add(packet, now_us)
        if packet.payload_type == self._video.payload_type:
            if self._is_our_source(packet.ssrc, now_us):
                self._media_us = now_us
                self._statistics.add(packet.sequence_number, packet.timestamp, now_us)
                self._add(packet, packet.sequence_number, packet.payload, now_us)
        elif packet.payload_type == self._video.rtx_payload_type:
            try:
                sequence, payload = parse_rtx(packet.payload)
            except WireError:
                return  # padding that probes bandwidth
            self._add(packet, sequence, payload, now_us)
        elif packet.payload_type == self._video.fec_payload_type:
            self._on_repair(packet, now_us)

    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and packet.ssrc == self._media_ssrc:
                self._on_sender_report(packet, now_us)
            elif isinstance(packet, RtcpByePacket) and self._concerns_us(packet):
                self.end("the sender said goodbye")

    def _on_sender_report(self, packet: RtcpSrPacket, now_us: int) -> None:
        info = packet.sender_info
        self._statistics.add_sender_report(info.ntp_timestamp, now_us)
        self._sent = SentReport(reports.unix_time(info.ntp_timestamp), info.rtp_timestamp)
        if self._transport.rtt_us is not None:
            here_us = unix_us() - (monotonic_us() - now_us)
            self._clock.add(self._sent.unix_us, here_us, self._transport.rtt_us)

    def on_feedback(self, feedback: Feedback, now_us: int) -> None:
        """Nothing is sent that it could be about."""

    def on_closed(self, reason: str) -> None:
        self.end(reason)

    def _concerns_us(self, packet: RtcpByePacket) -> bool:
        return self._media_ssrc is None or self._media_ssrc in packet.sources

    def _is_our_source(self, ssrc: int, now_us: int) -> bool:
        """One SSRC at a time: another one counts once the first is silent (a restarted sender)."""
        if ssrc == self._media_ssrc:
            return True
        if self._media_ssrc is not None and now_us - self._media_us < SOURCE_SILENCE_US:
            return False
        if self._media_ssrc is not None:
            logger.info("the sender changed its SSRC")
            self._earlier = self._counts()
            self._jitter, self._fec = JitterBuffer(eager=self._is_denc), FecDecoder()
            self._gap = True
        self._pli_limit.allow(now_us)  # a stream begins with an IRAP: give it time to arrive
        self._media_ssrc = ssrc
        self._statistics = reports.ReceptionStatistics()
        return True

    def _counts(self) -> JitterCounts:
        pairs = zip(astuple(self._earlier), astuple(self._jitter.counts), strict=True)
        return JitterCounts(*(before + now for before, now in pairs))

    def _add(self, packet: RtpPacket, sequence: int, payload: bytes, now_us: int) -> None:
        before = self._jitter.missing_packets, self._jitter.irap_wanted
        restarts = self._jitter.restarts
        media = MediaPacket(sequence, packet.timestamp, bool(packet.marker), payload)
        self._jitter.add(media, now_us)
        if self._jitter.restarts > restarts:
            self._fec = FecDecoder()
        if self._video.fec_payload_type is not None:
            self._restore(self._fec.add(media), now_us)
        self._put_out(now_us)
        if (self._jitter.missing_packets, self._jitter.irap_wanted) > before:
            self._urgent.set()

    def _on_repair(self, packet: RtpPacket, now_us: int) -> None:
        try:
            repair = parse_repair(packet.sequence_number, packet.payload)
        except WireError:
            return
        self._repair_us = now_us
        self._restore(self._fec.add_repair(repair), now_us)
        self._jitter.on_repair(repair.base, repair.count, packet.timestamp, now_us)
        self._put_out(now_us)
        if self._jitter.missing_packets:
            self._urgent.set()

    def _restore(self, packets: Iterable[MediaPacket], now_us: int) -> None:
        """Packets that error correction gave back."""
        for packet in packets:
            self._repaired += self._jitter.add(packet, now_us, restored=True)

    def _put_out(self, now_us: int) -> None:
        while (unit := self._jitter.pop(now_us)) is not None:
            if self._gap:
                unit = replace(unit, gap_before=True)
            dropped = self._units.put(unit)
            self._dropped += dropped
            self._gap = dropped > 0
            self._irap_asked = (self._irap_asked and not unit.irap) or self._units.needs_irap
            self._ready.set()

    # what leaves

    async def _feedback_loop(self) -> None:
        while True:
            now_us = monotonic_us()
            self._put_out(now_us)
            packets: list[AnyRtcpPacket | TransportFeedback] = list(self._feedback(now_us))
            packets += self._arrival_report(now_us)
            if self._report_limit.allow(now_us):
                packets.insert(0, self._report(now_us))
            for packet in packets:
                await self._transport.send(reports.compound(self._ssrc, self._cname, [packet]))
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), FEEDBACK_TICK_S)
            self._urgent.clear()

    def _feedback(self, now_us: int) -> list[AnyRtcpPacket]:
        if self._transport.rtt_us is not None:
            self._jitter.set_rtt(self._transport.rtt_us)
        if now_us - self._repair_us > REPAIRS_CEASED_US:
            self._jitter.repairs_ceased()
        packets: list[AnyRtcpPacket] = []
        media_ssrc = self._media_ssrc or 0
        remb = self._remb.take(self._ssrc, media_ssrc)
        if remb is not None:
            packets.append(remb)
        missing = self._jitter.missing(now_us)
        if missing and self._video.nack:
            self._nacks += len(missing)
            packets += reports.nacks(self._ssrc, media_ssrc, missing)
        wanted = self._irap_asked or self._jitter.irap_wanted or self._jitter.counts.units == 0
        wanted = wanted and self._media_ssrc is not None and not self._irap_arrives(now_us)
        if wanted and self._pli_limit.allow(now_us):
            self._plis += 1
            packets.append(reports.pli(self._ssrc, media_ssrc))
        return packets

    def _irap_arrives(self, now_us: int) -> bool:
        """Whether the IRAP that is asked for may be on its last way. Others than denc may put in
        front of every picture what begins an IRAP of denc's."""
        irap_us = self._jitter.irap_us
        return self._is_denc and irap_us is not None and now_us - irap_us < IRAP_ARRIVES_US

    def _arrival_report(self, now_us: int) -> list[TransportFeedback]:
        several = len(self._arrivals) >= ARRIVALS_SEVERAL
        if now_us - self._arrivals_us < ARRIVALS_US[0 if several else 1]:
            return []
        feedback = self._arrivals.take()
        if feedback is None:
            return []
        self._arrivals_us = now_us
        return [TransportFeedback(self._ssrc, self._media_ssrc or 0, feedback)]

    def _report(self, now_us: int) -> RtcpRrPacket:
        if self._media_ssrc is None:
            return RtcpRrPacket(self._ssrc)
        return RtcpRrPacket(self._ssrc, [self._statistics.report(self._media_ssrc, now_us)])

    async def _clean_up(self, reason: str) -> None:
        self._ready.set()
        try:
            goodbye = [reports.bye([self._ssrc])]
            await self._transport.send(reports.compound(self._ssrc, self._cname, goodbye))
        finally:
            await self._transport.close()
            await self._on_session_closed(reason)
