"""What denc itself sends, made once for the seeds of many targets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from unittest.mock import patch

import numpy as np
from aioice import stun
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtpPacket,
    pack_remb_fci,
)

from engines.carrier import CarrierEncoder
from engines.codebook import Codebook
from engines.frame import Planes
from engines.guide import Guide
from link import reports
from link.access_unit import AccessUnit
from link.fec import FecWindow
from link.header_extensions import extension_map, send_time
from link.history import rtx_payload
from link.nal import split_annexb
from link.packet import MediaPacket
from link.payload import packetize
from link.sender import MediaSender
from link.side_info import SideInfo, insert_side_info
from tests.fuzz.doubles import PASSWORD, USER_NAME, SilentTransport
from tests.fuzz.loop import event_loop, turns
from tests.fuzz.on.wire import SSRCS, VIDEO

WIDTH, HEIGHT, FPS, PICTURES = 128, 96, 25, 4
NOW_US = 1_700_000_000_000_000
TICKS = 90_000 // FPS
Seeds = Mapping[str, bytes]
GUIDE = Guide(b"\x12\x34", 0.5, tuple(range(-8, 8))).to_bytes()
INFO = SideInfo(WIDTH * 2, HEIGHT * 2, 2, 8, 30.25, b"networks", 7, NOW_US, float(FPS))


@cache
def codebook() -> Codebook:
    """A made-up codebook of 4 bits."""
    levels = np.linspace(3, 250, 16).round().astype(np.float32)
    return Codebook(4, (levels, levels + 0.25, levels - 0.5))


def side_infos() -> dict[str, SideInfo]:
    """One of each kind."""
    return {
        "own-short": INFO,
        "own-guide": replace(INFO, guide=GUIDE),
        "own-codebook": replace(INFO, bits=4, codebook=codebook().to_bytes()),
        "own-all": replace(INFO, bits=4, codebook=codebook().to_bytes(), guide=GUIDE),
    }


@cache
def access_units() -> tuple[AccessUnit, ...]:
    """A moving pattern through our carrier, with side information."""
    carrier = CarrierEncoder(
        WIDTH, HEIGHT, FPS, qp=32, preset="ultrafast", keyframe_interval=3, threads=1
    )
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    grain = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH))
    units = []
    for number in range(PICTURES):
        waves = 60 * np.sin((columns + 5 * number) / 17) + 40 * np.cos(rows / 11)
        y = (128 + waves + grain).astype(np.uint8)
        half = np.full((HEIGHT // 2, WIDTH // 2), 110 + number, np.uint8)
        for made in carrier.encode(Planes(y, half, half), number):
            info = replace(INFO, frame_number=number, guide=GUIDE if made.irap else None)
            units.append(AccessUnit(insert_side_info(made.data, info), number * TICKS, made.irap))
    carrier.close()
    return tuple(units)


def packets(max_payload_bytes: int) -> list[RtpPacket]:
    """The units as RTP."""
    made: list[RtpPacket] = []
    for unit in access_units():
        payloads = packetize(split_annexb(unit.data), max_payload_bytes)
        for at, payload in enumerate(payloads):
            number = (65_534 + len(made)) & 0xFFFF
            marker = int(at == len(payloads) - 1)
            made.append(RtpPacket(96, marker, number, unit.rtp_timestamp, SSRCS.media, payload))
    return made


def timed() -> Iterator[bytes]:
    """Packets that carry a number and the time of sending, 5 ms apart."""
    known = extension_map(VIDEO.transport_cc_id, VIDEO.send_time_id)
    for number, packet in enumerate(packets(400)):
        packet.extensions.transport_sequence_number = number
        packet.extensions.abs_send_time = send_time(number * 5_000)
        yield packet.serialize(known)


@cache
def sent() -> tuple[bytes, ...]:
    """What a MediaSender really sends of the units: RTP, reports and a goodbye."""

    async def send() -> list[bytes]:
        silent = SilentTransport()

        async def closed(reason: str) -> None:
            pass

        sender = MediaSender(
            silent.as_transport(), VIDEO, SSRCS, on_irap_request=lambda: None, on_closed=closed
        )
        sender._sequence = 65_534
        sender.start()
        for unit in access_units():
            sender.send(unit)
            await turns(20)
        await sender.close()
        return silent.sent

    with event_loop() as loop, patch("link.sender.unix_us", lambda: NOW_US):
        return tuple(loop.run(send()))


def rtcp() -> dict[str, bytes]:
    """Compound packets of a receiver."""
    report = RtcpReceiverInfo(SSRCS.media, 64, 10, 65_536, 90, reports.ntp_middle(1 << 40), 655)
    fir = SSRCS.media.to_bytes(4, "big") + b"\1\0\0\0"
    lists: dict[str, Sequence[AnyRtcpPacket]] = {
        "own-report": [RtcpRrPacket(3333, [report])],
        "own-nack": reports.nacks(3333, SSRCS.media, [1, 2, 3, 65_534, 65_535]),
        "own-pli": [reports.pli(3333, SSRCS.media)],
        "own-fir": [RtcpPsfbPacket(RTCP_PSFB_FIR, 3333, 0, fir)],
        "own-remb": [RtcpPsfbPacket(RTCP_PSFB_APP, 3333, 0, pack_remb_fci(250_000, [1111]))],
        "own-pli-other": [RtcpPsfbPacket(RTCP_PSFB_PLI, 3333, 4444)],
        "own-bye": [reports.bye([3333])],
    }
    return {name: reports.compound(3333, "c", items) for name, items in lists.items()}


def rtx() -> list[bytes]:
    """Retransmissions of the first packets."""
    again = [
        replace_payload(packet, rtx_payload(packet.sequence_number, packet.payload))
        for packet in packets(400)[:3]
    ]
    return [packet.serialize() for packet in again]


def repairs(first: int = 0) -> list[bytes]:
    """Repair packets over six packets."""
    window = FecWindow()
    for p in packets(400)[first : first + 6]:
        media = MediaPacket(p.sequence_number, p.timestamp, bool(p.marker), p.payload)
        window.add(media)
    made = [(number, *window.repair(number)) for number in range(3)]
    return [
        RtpPacket(98, 0, number, timestamp, SSRCS.fec, payload).serialize()
        for number, timestamp, payload in made
    ]


def replace_payload(packet: RtpPacket, payload: bytes) -> RtpPacket:
    """The packet as it goes over the RTX stream."""
    return RtpPacket(97, packet.marker, 5, packet.timestamp, SSRCS.rtx, payload)


def datagrams() -> Seeds:
    """STUN of a peer; what is signed by the target itself, without header; and other protocols."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction0")
    request.attributes = {
        "USERNAME": f"{USER_NAME}:{USER_NAME}",
        "PRIORITY": 1_853_824_767,
        "ICE-CONTROLLING": 1,
        "USE-CANDIDATE": None,
    }
    bare = bytes(request)
    request.add_message_integrity(PASSWORD.encode())
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, b"transaction0")
    answer.attributes = {"XOR-MAPPED-ADDRESS": ("127.0.0.1", 5000)}
    error = stun.Message(stun.Method.BINDING, stun.Class.ERROR, b"transaction0")
    error.attributes = {"ERROR-CODE": (487, "Role Conflict")}
    seeds = {
        "own-request": bytes(request),
        "own-attributes": bare[:2] + bare[20:],
        "own-answer-attributes": bytes(answer)[:2] + bytes(answer)[20:],
        "own-error-attributes": bytes(error)[:2] + bytes(error)[20:],
        "own-dtls": bytes.fromhex("16feff0000000000000000002a") + b"\1" + bytes(41),
        "own-rtp": packets(1200)[0].serialize(),
        "empty": b"",
    }
    answer.add_message_integrity(PASSWORD.encode())
    return seeds | {"own-answer": bytes(answer)}
