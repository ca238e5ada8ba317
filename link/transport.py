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
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

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
from aiortc.rtp import AnyRtcpPacket, RtcpPacket, RtpPacket

from link.consent import PEER_SILENCE_MAX_US, Consent
from link.datagram import DatagramKind, datagram_kind, stun_is_signed, stun_transaction_id
from link.errors import NoMediaPath
from link.ice_servers import IceServer, aioice_arguments
from link.identity import Identity
from link.sdp import MAX_CANDIDATES, TransportParameters
from link.twcc import Feedback, extension_map, feedbacks_in

CONSENT_TICK_S = 0.1
DTLS_QUEUE_PACKETS = 4096
ICE_SERVERS_TIMEOUT_S = 2  # for STUN and TURN servers to answer; without them we go on
RECEIVE_BUFFER_BYTES = 1 << 20  # the system may give less; Linux gives 208 kB by itself
RTCP_MAX_BYTES = 2048  # no datagram of a network is larger; 64 kB of NACKs take 0.3 s to look up
_LOOPBACK = "127.0.0.1"
_MAX_PEER_ADDRESSES = 64


def monotonic_us() -> int:
    """The clock of the whole media plane, us."""
    return time.monotonic_ns() // 1000


class MediaHandler(Protocol):
    """Who gets what arrives; called on the event loop, must not raise."""

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None: ...
    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None: ...
    def on_feedback(self, feedback: Feedback, now_us: int) -> None: ...
    def on_closed(self, reason: str) -> None: ...


class _Guard(asyncio.DatagramProtocol):
    """Stands between a UDP socket and aioice's protocol."""

    def __init__(self, inner: Any, connection: "_Connection") -> None:
        self._inner = inner
        self._connection = connection

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        address = (addr[0], addr[1])
        kind = datagram_kind(data)
        if kind in (DatagramKind.STUN_REQUEST, DatagramKind.STUN_ANSWER):
            self._stun(data, address, kind is DatagramKind.STUN_REQUEST)
        elif kind is DatagramKind.GARBAGE or not self._connection.is_peer(address):
            self._connection.datagrams_refused += 1
        else:
            self._connection.deliver(data, self._inner.local_candidate.component)

    def _stun(self, data: bytes, address: tuple[str, int], request: bool) -> None:
        """Only signed messages go on: aioice 0.10 checks a signature only where there is one."""
        connection = self._connection
        password = connection.local_password if request else connection.remote_password
        if password is None or not stun_is_signed(data, password.encode()):
            connection.datagrams_refused += 1
            return
        connection.vouch_for(address)
        connection.consent.answered(stun_transaction_id(data), monotonic_us())
        try:
            self._inner.datagram_received(data, address)
        except (AssertionError, LookupError, ValueError, struct.error):
            connection.datagrams_refused += 1  # signed, and yet no STUN that aioice understands

    def error_received(self, exc: Exception) -> None:
        self._inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)


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

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        if self._loopback or not addresses:
            addresses = [*addresses, _LOOPBACK]
        found = await super().get_component_candidates(
            component, addresses, min(timeout, ICE_SERVERS_TIMEOUT_S)
        )
        for protocol in self._protocols:
            guard = _Guard(protocol, self)
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

    def vouch_for(self, address: tuple[str, int]) -> None:
        if len(self._peers) < _MAX_PEER_ADDRESSES:
            self._peers.add(address)

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
        checks = [pair.task for pair in self._check_list if pair.task is not None]
        for check in checks:
            check.cancel()
        if checks:
            await asyncio.wait(checks)
        await super().close()


def _enlarge(transport: asyncio.BaseTransport) -> None:
    """What strangers send must not push out the peer's packets while this process is busy."""
    udp = transport.get_extra_info("socket")
    if udp is not None:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


class _Dtls(RTCDtlsTransport):
    """aiortc's DTLS and SRTP; decrypted packets go to the media transport, not to a router."""

    def __init__(self, ice: RTCIceTransport, consent: Consent, certificate: RTCCertificate) -> None:
        super().__init__(ice, [certificate])
        self._consent = consent
        self.handler: MediaHandler | None = None
        self.extensions = extension_map(None)
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
        await self._ice.start(remote.ice)
        if self._ice.state != "completed":
            raise NoMediaPath("no media path: every ICE check failed (UDP blocked?)")
        await self._dtls.start(remote.dtls)
        if self._dtls.state != "connected":
            raise NoMediaPath("the DTLS handshake failed: the peer is not who its SDP says")

    async def add_candidates(self, candidates: Iterable[RTCIceCandidate]) -> None:
        """Remote candidates, from SDP or trickled.

        Only UDP at an IP address: a name (mDNS) is not looked up, its owner shows its address by
        its own checks. The end of candidates is never told to aioice, which would fail at once
        where none is usable instead of waiting for those checks.
        """
        for candidate in candidates:
            if _is_usable(candidate) and self._remote_candidates < MAX_CANDIDATES:
                self._remote_candidates += 1
                await self._ice.addRemoteCandidate(candidate)

    def expect_transport_numbers(self, extension_id: int | None) -> None:
        """Reads the transport-wide numbers of what arrives, at the header extension agreed on."""
        self._dtls.extensions = extension_map(extension_id)

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


def _is_usable(candidate: RTCIceCandidate) -> bool:
    return (
        candidate.protocol.lower() == "udp"
        and candidate.component == 1
        and 0 < candidate.port < 1 << 16
        and not candidate.ip.endswith(".local")
    )
