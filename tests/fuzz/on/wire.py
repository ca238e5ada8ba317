"""Datagrams, RTP, RTX and RTCP: what anybody (STUN) or the peer (the rest) may send."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from unittest.mock import patch

import aioice
from aioice.ice import StunProtocol
from aiortc.rtp import RtpPacket

from link import reports
from link.access_unit import AccessUnit
from link.assembly import assemble
from link.clock import monotonic_us
from link.datagram import STUN_COOKIE, STUN_HEADER_BYTES, datagram_kind, stun_is_signed
from link.errors import WireError
from link.fec import Repair, parse_repair
from link.fec_decoder import EQUATIONS_MAX, KNOWN_MAX_PACKETS, FecDecoder
from link.guard import Guard
from link.history import parse_rtx, rtx_payload
from link.jitter import DEFAULT_MAX_BYTES, DEFAULT_MAX_PACKETS, JitterBuffer
from link.nal import join_annexb, split_annexb
from link.packet import MediaPacket
from link.payload import Depayloader, leading_nal
from link.receiver import MediaReceiver
from link.sdp import VideoParameters
from link.sdp_text import Ssrcs
from link.sender import MediaSender
from link.transport import MediaTransport, _Connection
from tests.fuzz.doubles import PASSWORD, USER_NAME, DatagramSink, SilentTransport
from tests.fuzz.frames import split_frames
from tests.fuzz.loop import Loop, event_loop, turns
from tests.fuzz.target import SEQUENCE_LIMIT_MS, Form, Run, Target, plain

VIDEO = VideoParameters(
    "0", 96, 97, True, True, True, (), transport_cc_id=3, send_time_id=4, fec_payload_type=98
)
SSRCS = Ssrcs(1111, 2222, "cname", 3333)
PEER = ("127.0.0.1", 5000)
_INTEGRITY_BYTES = 24
_TICK_US = 1000  # of the flags of a frame: what passes before it


def signed_stun(data: bytes) -> bytes:
    """A STUN message of any type and attributes, as the peer would have signed it."""
    kind = int.from_bytes(data[:2], "big") & 0x3FFF
    body = data[2 : len(data) - (len(data) - 2) % 4] if len(data) > 2 else b""
    header = struct.pack("!HH", kind, len(body) + _INTEGRITY_BYTES) + STUN_COOKIE + b"transaction!"
    integrity: bytes = aioice.stun.message_integrity(header + body, PASSWORD.encode())
    return header + body + struct.pack("!HH", 8, 20) + integrity


async def _guard(data: bytes) -> None:
    """As it came, and as it would be if the peer had signed it, by both roles."""
    connection = _Connection(controlling=bool(data[:1] > b"\x7f"), loopback=False, ice_servers=())
    connection._local_username, connection._local_password = USER_NAME, PASSWORD
    connection.remote_username, connection.remote_password = USER_NAME, PASSWORD
    connection._early_checks_done = True
    protocol = StunProtocol(connection)
    protocol.local_candidate = aioice.Candidate("f", 1, "udp", 1, "127.0.0.1", 5001, "host")
    protocol.connection_made(DatagramSink(protocol))
    connection._protocols.append(protocol)
    guard = Guard(protocol, connection, monotonic_us)
    guard.datagram_received(data, PEER)
    guard.datagram_received(signed_stun(data), PEER)
    guard.datagram_received(data, PEER)
    await turns(2)
    await connection.close()


@contextmanager
def _datagrams() -> Iterator[Run]:
    with event_loop() as loop:

        def run(data: bytes) -> None:
            datagram_kind(data)
            if len(data) >= STUN_HEADER_BYTES:
                stun_is_signed(data, PASSWORD.encode())
            loop.run(_guard(data))

        yield run


def _depayload(data: bytes) -> None:
    depayloader = Depayloader()
    payloads = [body for _, body in split_frames(data)]
    for payload in payloads:
        leading_nal(payload)
        try:
            nals = depayloader.push(payload)
        except WireError:
            continue
        assert all(len(nal) >= 2 for nal in nals)
    for whole in (assemble(payloads), assemble(payloads[:1])):
        if whole:
            split_annexb(join_annexb(whole))


def _media_and_repairs(data: bytes) -> Iterator[tuple[int, int, MediaPacket | Repair]]:
    """Time, RTP timestamp and content of each frame that is an RTP packet."""
    now_us = 0
    for flags, body in split_frames(data):
        now_us += flags * _TICK_US
        try:
            packet = RtpPacket.parse(body)
        except ValueError:
            continue
        number, timestamp, payload = packet.sequence_number, packet.timestamp, packet.payload
        if packet.payload_type != VIDEO.fec_payload_type:
            yield now_us, timestamp, MediaPacket(number, timestamp, bool(packet.marker), payload)
            continue
        try:
            yield now_us, timestamp, parse_repair(number, payload)
        except WireError:
            continue


def _jitter(data: bytes) -> None:
    """Packets, repairs and pauses through a jitter buffer; its bounds hold, its NACKs can be
    written, and what never comes is given up."""
    jitter = JitterBuffer()
    for now_us, timestamp, item in _media_and_repairs(data):
        if isinstance(item, Repair):
            jitter.on_repair(item.base, item.count, timestamp, now_us)
        else:
            jitter.add(item, now_us)
        while (unit := jitter.pop(now_us)) is not None:
            assert unit.data
        for nack in reports.nacks(1, 2, jitter.missing(now_us)):
            bytes(nack)
        assert jitter.held_packets <= DEFAULT_MAX_PACKETS
        assert jitter.held_bytes <= DEFAULT_MAX_BYTES


def _rtx(data: bytes) -> None:
    sequence, payload = parse_rtx(RtpPacket.parse(data).payload)
    assert parse_rtx(rtx_payload(sequence, payload)) == (sequence, payload)
    assemble([payload])


def _fec(data: bytes) -> None:
    """Media and repair packets through the decoder; its bounds hold."""
    decoder = FecDecoder()
    for _, _, item in _media_and_repairs(data):
        found = decoder.add_repair(item) if isinstance(item, Repair) else decoder.add(item)
        assert len(found) <= EQUATIONS_MAX
        assert len(decoder) <= EQUATIONS_MAX
        assert len(decoder._known) <= KNOWN_MAX_PACKETS


class _Clock:
    """The media plane's clock, moved by the input."""

    now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


async def _nobody(reason: str) -> None:
    """`on_closed` of a session that nobody waits for."""


async def _receive(transport: MediaTransport, clock: _Clock, data: bytes) -> None:
    """Decrypted RTP and RTCP, told apart as in SRTP, into a receiver."""
    silent = SilentTransport()
    receiver = MediaReceiver(silent.as_transport(), VIDEO, on_closed=_nobody)
    transport.attach(receiver)
    for flags, body in split_frames(data):
        clock.now_us += flags * _TICK_US
        if len(body) > 1 and 192 <= body[1] <= 208:
            await transport._dtls._handle_rtcp_data(body)
        else:
            await transport._dtls._handle_rtp_data(body, 0)
    receiver.start()
    await turns(3)
    receiver.stats()
    await receiver.close()


async def _send(transport: MediaTransport, unit: AccessUnit, data: bytes) -> None:
    """RTCP of the receiver into a sender that has something in its history."""
    silent = SilentTransport()
    sender = MediaSender(
        silent.as_transport(), VIDEO, SSRCS, on_irap_request=lambda: None, on_closed=_nobody
    )
    sender._sequence = 65_534
    transport.attach(sender)
    sender.start()
    sender.send(unit)
    await turns(3)
    for _, body in split_frames(data):
        await transport._dtls._handle_rtcp_data(body)
        await transport._dtls._handle_rtp_data(body, 0)
    await turns(3)
    sender.stats()
    await sender.close()


@contextmanager
def _media(loop: Loop) -> Iterator[tuple[MediaTransport, _Clock]]:
    clock = _Clock()

    async def made() -> MediaTransport:
        return MediaTransport(controlling=False, loopback=False, ice_servers=())

    with patch("link.transport.monotonic_us", clock):
        transport = loop.run(made())
        transport.expect_extensions(VIDEO.transport_cc_id, VIDEO.send_time_id)
        yield transport, clock
        loop.run(transport.close())


@contextmanager
def _receiver() -> Iterator[Run]:
    with event_loop() as loop, _media(loop) as (transport, clock):
        yield lambda data: loop.run(_receive(transport, clock, data))


@contextmanager
def _sender() -> Iterator[Run]:
    slice_, small = b"\x26\x01\x80" + b"\x55" * 3000, b"\x02\x01\x80"
    unit = AccessUnit(join_annexb([slice_, small]), 0, True)
    with event_loop() as loop, _media(loop) as (transport, _):
        yield lambda data: loop.run(_send(transport, unit, data))


_RTX_ERRORS = cast(tuple[type[Exception], ...], (ValueError, struct.error))
TARGETS = (
    Target("datagram", _datagrams, (), 4_000, max_bytes=1500),
    Target(
        "depayload",
        plain(_depayload),
        (),
        6_000,
        Form.FRAMES,
        max_bytes=16_384,
        limit_ms=SEQUENCE_LIMIT_MS,
    ),
    Target(
        "jitter",
        plain(_jitter),
        (),
        6_000,
        Form.FRAMES,
        max_bytes=16_384,
        limit_ms=SEQUENCE_LIMIT_MS,
    ),
    Target(
        "fec",
        plain(_fec),
        (),
        4_000,
        Form.FRAMES,
        max_bytes=16_384,
        limit_ms=SEQUENCE_LIMIT_MS,
    ),
    Target("rtx", plain(_rtx), _RTX_ERRORS, 40_000, max_bytes=1500),
    Target(
        "receiver", _receiver, (), 2_500, Form.FRAMES, max_bytes=16_384, limit_ms=SEQUENCE_LIMIT_MS
    ),
    Target("sender", _sender, (), 2_500, Form.FRAMES, limit_ms=SEQUENCE_LIMIT_MS),
)
