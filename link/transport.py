"""The media path of one session: aiortc's ICE, DTLS and SRTP, composed and guarded.

The only file that may touch private names of aiortc and aioice (1.15 with 0.10 and 1.16 with 0.13).

    UDP port -> guard -> STUN  -> aioice
                     \\-> DTLS, SRTP, SRTCP of a checked peer -> RTCDtlsTransport -> MediaHandler

The guard takes what aioice and aiortc would stumble over: empty datagrams, garbage, STUN that the
peer did not sign, and everything else from addresses that no signed STUN message came from.
"""

import asyncio
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import aioice
import aioice.turn
from aiortc import (
    RTCCertificate,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceTransport,
)
from aiortc.rtp import RtcpPacket, RtpPacket

from link.clock import monotonic_us
from link.consent import PEER_SILENCE_MAX_US, Consent
from link.errors import NoMediaPath
from link.guard import Guard
from link.header_extensions import extension_map
from link.ice_servers import IceServer, aioice_arguments
from link.identity import DTLS_CIPHERS, Identity
from link.media_handler import MediaHandler
from link.sdp import MAX_CANDIDATES, TransportParameters, is_usable
from link.twcc import feedbacks_in

CONSENT_TICK_S = 0.1
DTLS_QUEUE_PACKETS = 4096
ICE_SERVERS_TIMEOUT_S = 2  # for STUN and TURN servers to answer; without them we go on
RECEIVE_BUFFER_BYTES = 1 << 20  # the system may give less; Linux gives 208 kB by itself
RTCP_MAX_BYTES = 2048  # no datagram of a network is larger; 64 kB of NACKs take 0.3 s to look up
_LOOPBACK = "127.0.0.1"
_MAX_PEER_ADDRESSES = 64


class _TurnTransport(aioice.turn.TurnTransport):
    """A path through a TURN server whose socket is closed when the server is given up:
    aioice 0.10 keeps it open for ever, one for each attempt."""

    async def _connect(self, protocol: asyncio.DatagramProtocol) -> None:
        try:
            await super()._connect(protocol)
        except asyncio.CancelledError:
            inner: Any = self
            inner._TurnTransport__inner_protocol.transport.close()
            raise


aioice.turn.TurnTransport = _TurnTransport  # type: ignore[misc]  # it has no other way in


class _Connection(aioice.Connection):
    """aioice's ICE agent with a guard at each socket, 127.0.0.1 as a candidate if wanted, and a
    faster consent check (aioice's takes 27 to 39 s to notice a dead peer)."""

    def __init__(
        self, *, controlling: bool, loopback: bool, ice_servers: Sequence[IceServer]
    ) -> None:
        super().__init__(ice_controlling=controlling, **aioice_arguments(ice_servers))
        self.datagrams_refused = 0
        self.consent = Consent(monotonic_us())
        self.consent_lost = False
        self._loopback = loopback
        self._peers: set[tuple[str, int]] = set()
        self._early: tuple[Any, tuple[str, int]] | None = None  # a way to the peer before ICE chose
        self.heard = asyncio.Event()  # a signed message of the peer

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        if self._loopback or not addresses:
            addresses = [*addresses, _LOOPBACK]
        found = await super().get_component_candidates(
            component, addresses, min(timeout, ICE_SERVERS_TIMEOUT_S)
        )
        for protocol in self._protocols:
            guard = Guard(protocol, self, monotonic_us)
            if isinstance(protocol.transport, _TurnTransport):
                relay: Any = protocol.transport
                relay._TurnTransport__inner_protocol.receiver = guard
            else:
                protocol.transport.set_protocol(guard)
                _enlarge(protocol.transport)
        return found

    def is_peer(self, address: tuple[str, int]) -> bool:
        """Whether a signed STUN message came from this address."""
        return address in self._peers

    def vouch_for(self, address: tuple[str, int], protocol: Any) -> None:
        if len(self._peers) < _MAX_PEER_ADDRESSES:
            self._peers.add(address)
        self._early = protocol, address
        self.heard.set()

    async def sendto(self, data: bytes, component: int) -> None:
        """Before ICE has chosen a path DTLS takes the one that the peer's last check came by, as
        our own check does: its handshake is a round trip sooner."""
        if self._early is None or self._nominated:
            await super().sendto(data, component)
        else:
            await self._early[0].send_data(data, self._early[1])

    async def recvfrom(self) -> tuple[bytes, int]:
        if self._early is None or self._nominated:
            return await super().recvfrom()
        if (received := await self._queue.get()) is None:
            raise ConnectionError("connection closed")
        return received

    def deliver(self, data: bytes, component: int) -> None:
        """A datagram that the guard let through; dropped when DTLS is too far behind."""
        if self._queue.qsize() < DTLS_QUEUE_PACKETS:
            super().data_received(data, component)
        else:
            self.datagrams_refused += 1

    def data_received(self, data: bytes | None, component: int | None) -> None:
        """What aioice takes for media on its own is refused; None (0.10) tells of the end."""
        if data is None:
            super().data_received(cast(Any, data), cast(Any, component))
        else:
            self.datagrams_refused += 1

    async def get_event(self) -> Any:
        """Never None: aiortc's monitor would spin on it without ever giving way."""
        return await super().get_event() or aioice.ConnectionClosed()

    async def query_consent(self) -> None:
        """Consent freshness (RFC 7675): ends the connection when the peer has gone."""
        while not self.consent.is_lost(monotonic_us()):
            if self.consent.probe_due(monotonic_us()):
                self.probe()
            await asyncio.sleep(CONSENT_TICK_S)
        self.consent_lost = True
        self._query_consent_task = None
        await self.close()

    def probe(self) -> None:
        """Sends a signed Binding request; the guard sees its answer."""
        assert self.remote_password is not None  # the agent is connected
        for pair in self._nominated.values():
            request = self.build_request(pair, nominate=False)
            request.add_message_integrity(self.remote_password.encode())
            self.consent.probed(request.transaction_id, monotonic_us())
            pair.protocol.send_stun(request, pair.remote_addr)

    async def close(self) -> None:
        """aioice 0.10 leaves its checks running, on sockets that are closed then."""
        self._early = None
        checks = [pair.task for pair in self._check_list if pair.task is not None]
        for check in checks:
            check.cancel()
        if checks:
            await asyncio.wait(checks)
        await super().close()


class _Certificate(RTCCertificate):
    """Also takes peers whose certificate is RSA: aiortc's suites are for ECDSA alone, and
    GStreamer's webrtcbin has RSA. With our own ECDSA certificate they count in the client role."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(DTLS_CIPHERS)
        return context


def _enlarge(transport: asyncio.BaseTransport) -> None:
    """What strangers send must not push out the peer's packets while this process is busy."""
    udp = transport.get_extra_info("socket")
    if udp is not None:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


class _Dtls(RTCDtlsTransport):
    """aiortc's DTLS and SRTP; decrypted packets go to the media transport, not to a router."""

    def __init__(self, ice: RTCIceTransport, consent: Consent, certificate: RTCCertificate) -> None:
        super().__init__(ice, [_Certificate(certificate._key, certificate._cert)])
        self._consent = consent
        self.handler: MediaHandler | None = None
        self.extensions = extension_map(None, None)
        self.packets_malformed = 0

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        now_us = monotonic_us()
        self._consent.heard(now_us)
        try:
            packet = RtpPacket.parse(data, self.extensions)
        except (ValueError, struct.error):
            self.packets_malformed += 1
            return
        if self.handler is not None:
            self.handler.on_rtp(packet, now_us)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        now_us = monotonic_us()
        self._consent.heard(now_us)
        try:
            if len(data) > RTCP_MAX_BYTES:
                raise ValueError("RTCP packet is too large")
            packets = RtcpPacket.parse(data)
        except (ValueError, struct.error):
            self.packets_malformed += 1
            return
        if self.handler is not None:
            self.handler.on_rtcp(packets, now_us)
            for feedback in feedbacks_in(data):
                self.handler.on_feedback(feedback, now_us)


class MediaTransport:
    """One encrypted path for RTP and RTCP.

    In order: `attach` a handler, `gather`, exchange SDP, `connect`, `send`, `close`. `loopback`
    adds 127.0.0.1 to the candidates, for a peer on this machine. DTLS shows the certificate of
    `identity`, or one for this session alone. The first STUN and the first TURN server of
    `ice_servers` are asked for addresses, others never.
    """

    def __init__(
        self,
        *,
        controlling: bool,
        loopback: bool,
        identity: Identity | None = None,
        ice_servers: Sequence[IceServer] = (),
    ) -> None:
        certificate = (
            RTCCertificate.generateCertificate() if identity is None else identity.dtls_certificate
        )
        self._connection = _Connection(
            controlling=controlling, loopback=loopback, ice_servers=ice_servers
        )
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._gatherer._connection = self._connection
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = _Dtls(self._ice, self._connection.consent, certificate)
        self._dtls.on("statechange", self._on_state)
        self._remote_candidates = 0
        self._closing = False
        self.bytes_sent = 0

    @property
    def rtt_us(self) -> int | None:
        """Round trip of the last answered consent check, us."""
        return self._connection.consent.rtt_us

    @property
    def datagrams_refused(self) -> int:
        """Datagrams that the guard kept out, and packets that did not parse."""
        return self._connection.datagrams_refused + self._dtls.packets_malformed

    @property
    def ice_user_name(self) -> str:
        return self._connection.local_username

    @property
    def is_connected(self) -> bool:
        return self._dtls.state == "connected"

    async def gather(self) -> TransportParameters:
        """Opens the sockets; what the peer needs to know of them (DTLS role left open)."""
        await self._gatherer.gather()
        prints = self._dtls.getLocalParameters().fingerprints
        return TransportParameters(
            self._gatherer.getLocalParameters(),
            RTCDtlsParameters([item for item in prints if item.algorithm == "sha-256"], "auto"),
            tuple(self._gatherer.getLocalCandidates()),
        )

    def answer(self, ours: TransportParameters, offer: TransportParameters) -> TransportParameters:
        """Our parameters with the DTLS role that fits the offer (RFC 8842, section 5.3)."""
        role = "server" if offer.dtls.role == "client" else "client"
        return replace(ours, dtls=RTCDtlsParameters(ours.dtls.fingerprints, role))

    async def connect(self, remote: TransportParameters, role: str, timeout_s: float) -> None:
        """ICE, then DTLS in `role` ("client" or "server"). Raises NoMediaPath."""
        self._dtls._set_role(role)
        await self.add_candidates(remote.candidates)
        try:
            await asyncio.wait_for(self._connect(remote), timeout_s)
        except asyncio.TimeoutError:
            step = "DTLS handshake" if self._ice.state == "completed" else "ICE check"
            message = f"no media path: no {step} succeeded within {timeout_s:g} s (UDP blocked?)"
            raise NoMediaPath(message) from None

    async def _connect(self, remote: TransportParameters) -> None:
        dtls = asyncio.ensure_future(self._handshake(remote.dtls))
        try:
            await self._ice.start(remote.ice)
            if self._ice.state != "completed":
                raise NoMediaPath("no media path: every ICE check failed (UDP blocked?)")
            await dtls
        finally:
            dtls.cancel()
        if self._dtls.state != "connected":
            raise NoMediaPath("the DTLS handshake failed: the peer is not who its SDP says")

    async def _handshake(self, remote: RTCDtlsParameters) -> None:
        """Beside our own ICE checks, from the peer's first on."""
        await self._connection.heard.wait()
        await self._dtls.start(remote)

    async def add_candidates(self, candidates: Iterable[RTCIceCandidate]) -> None:
        """Remote candidates, from SDP or trickled.

        Only UDP at an IP address: a name (mDNS) is not looked up, its owner shows its address by
        its own checks. The end of candidates is never told to aioice, which would fail at once
        where none is usable instead of waiting for those checks.
        """
        for candidate in candidates:
            if is_usable(candidate) and self._remote_candidates < MAX_CANDIDATES:
                self._remote_candidates += 1
                await self._ice.addRemoteCandidate(candidate)

    def expect_extensions(self, transport_cc_id: int | None, send_time_id: int | None) -> None:
        """Reads numbers or times of sending of what arrives, at the ids that were agreed on."""
        self._dtls.extensions = extension_map(transport_cc_id, send_time_id)

    def attach(self, handler: MediaHandler) -> None:
        """`handler` gets what arrives. Before `connect`: the peer may send at once."""
        self._dtls.handler = handler

    async def send(self, packet: bytes) -> None:
        """Encrypts and sends one RTP or RTCP packet; lost silently once the path is closed."""
        try:
            await self._dtls._send_rtp(packet)
        except ConnectionError:
            return
        self.bytes_sent += len(packet)

    async def is_alive(self, timeout_s: float) -> bool:
        """Whether the peer gives a sign of life within `timeout_s`, being asked for one."""
        asked_us = monotonic_us()
        while monotonic_us() - asked_us < timeout_s * 1e6:
            if self.is_connected:
                self._connection.probe()
            await asyncio.sleep(timeout_s / 5)
            if self._connection.consent.last_heard_us > asked_us:
                return True
        return False

    def _on_state(self) -> None:
        if self._dtls.state != "closed" or self._closing or self._dtls.handler is None:
            return
        silent = self._connection.consent_lost
        self._dtls.handler.on_closed(
            f"no sign of the peer for {PEER_SILENCE_MAX_US / 1e6:.1f} s"
            if silent
            else "the peer closed the connection"
        )

    async def close(self) -> None:
        """Ends DTLS and ICE and closes the sockets; may be called at any time, and twice."""
        self._closing = True
        pump = self._dtls._task
        await self._dtls.stop()
        await self._ice.stop()
        if pump is not None:
            await asyncio.gather(pump, return_exceptions=True)
