"""The media path's own limits, without a network."""

import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from aiortc.rtp import AnyRtcpPacket, RtpPacket

from link import reports
from link.transport import RECEIVE_BUFFER_BYTES, RTCP_MAX_BYTES, MediaTransport


class Handler:
    """Counts what arrives."""

    packets = 0

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None:
        raise AssertionError("no RTP was sent")

    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None:
        self.packets += len(list(packets))

    def on_closed(self, reason: str) -> None:
        """The test is over."""


@pytest.fixture
async def transport() -> AsyncIterator[MediaTransport]:
    transport = MediaTransport(controlling=False, loopback=False)
    yield transport
    await transport.close()


async def test_rtcp_larger_than_any_packet_is_refused_unread(transport: MediaTransport) -> None:
    handler = Handler()
    transport.attach(handler)
    nack = bytes(reports.nacks(1, 2, [number * 20 for number in range(200)])[0])
    await transport._dtls._handle_rtcp_data(nack * (1 + RTCP_MAX_BYTES // len(nack)))
    assert (handler.packets, transport.datagrams_refused) == (0, 1)
    await transport._dtls._handle_rtcp_data(nack)
    assert (handler.packets, transport.datagrams_refused) == (1, 1)


async def test_the_kernel_keeps_what_comes_while_we_are_busy(transport: MediaTransport) -> None:
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    await transport.gather()
    udp = transport._connection._protocols[0].transport.get_extra_info("socket")
    room = udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert room >= 2 * min(RECEIVE_BUFFER_BYTES, limit)  # Linux counts its own headers too
