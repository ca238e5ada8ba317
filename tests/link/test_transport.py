"""The media path's own limits, without a network."""

import asyncio
import datetime
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from aiortc import RTCCertificate
from aiortc.rtp import AnyRtcpPacket, RtpPacket
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from link import reports
from link.transport import RECEIVE_BUFFER_BYTES, RTCP_MAX_BYTES, MediaTransport, _Connection


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


class Protocol:
    """Where a datagram went."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    async def send_data(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address))


async def test_dtls_goes_where_the_peers_signed_check_came_from_and_nowhere_else() -> None:
    connection, protocol = (
        _Connection(controlling=False, loopback=False, ice_servers=()),
        Protocol(),
    )
    with pytest.raises(ConnectionError):
        await connection.sendto(b"\x16", 1)
    with pytest.raises(ConnectionError):
        await connection.recvfrom()
    connection.vouch_for(("127.0.0.1", 5000), protocol)
    await connection.sendto(b"\x16hello", 1)
    assert protocol.sent == [(b"\x16hello", ("127.0.0.1", 5000))]
    connection.deliver(b"\x16answer", 1)
    assert await connection.recvfrom() == (b"\x16answer", 1)
    await connection.close()
    with pytest.raises(ConnectionError):
        await connection.sendto(b"\x16", 1)


def rsa_certificate() -> RTCCertificate:
    """As GStreamer's webrtcbin makes them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    # aiortc's annotation knows EC keys alone
    return RTCCertificate(key, builder.sign(key, hashes.SHA256()))  # type: ignore[arg-type]


@pytest.mark.parametrize("peer_role", ["server", "client"])
async def test_a_peer_with_an_rsa_certificate_is_taken_in_either_role(
    peer_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = MediaTransport(controlling=False, loopback=True)
    with monkeypatch.context() as patch:
        patch.setattr(RTCCertificate, "generateCertificate", rsa_certificate)
        peer = MediaTransport(controlling=True, loopback=True)
    try:
        our_side, peer_side = await ours.gather(), await peer.gather()
        role = "client" if peer_role == "server" else "server"
        await asyncio.gather(ours.connect(peer_side, role, 5), peer.connect(our_side, peer_role, 5))
        assert ours.is_connected
        assert peer.is_connected
    finally:
        await asyncio.gather(ours.close(), peer.close())


async def test_the_kernel_keeps_what_comes_while_we_are_busy(transport: MediaTransport) -> None:
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    await transport.gather()
    udp = transport._connection._protocols[0].transport.get_extra_info("socket")
    room = udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert room >= 2 * min(RECEIVE_BUFFER_BYTES, limit)  # Linux counts its own headers too
