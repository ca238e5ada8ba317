"""A MediaTransport that keeps what is sent, for tests of one end alone."""

import struct
from typing import Any, cast

from aiortc.rtp import AnyRtcpPacket, RtcpPacket, RtpPacket, is_rtcp

from link.media_handler import MediaHandler
from link.transport import MediaTransport


def failing(*_: object) -> bytes:
    """Stands for what builds a report: aiortc packs fields without looking at their ranges."""
    raise struct.error("'Q' format requires 0 <= number")


class FakeTransport:
    def __init__(self) -> None:
        self.handler: MediaHandler | None = None
        self.rtp: list[RtpPacket] = []
        self.rtp_bytes: list[bytes] = []  # of the same packets
        self.rtcp: list[AnyRtcpPacket] = []
        self.rtt_us: int | None = None
        self.bytes_sent = self.datagrams_refused = 0
        self.closed = False

    def expect_extensions(self, transport_cc_id: int | None, send_time_id: int | None) -> None:
        self.extension_ids = transport_cc_id, send_time_id

    def attach(self, handler: MediaHandler) -> None:
        self.handler = handler

    async def send(self, packet: bytes) -> None:
        if is_rtcp(packet):
            self.rtcp += RtcpPacket.parse(packet)
        else:
            self.rtp.append(RtpPacket.parse(packet))
            self.rtp_bytes.append(packet)

    async def close(self) -> None:
        self.closed = True

    def sent(self, kind: type[Any]) -> list[Any]:
        return [packet for packet in self.rtcp if isinstance(packet, kind)]

    def as_transport(self) -> MediaTransport:
        return cast(MediaTransport, self)
