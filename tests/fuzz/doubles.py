"""What stands in for sockets and encryption, so that inputs reach the code behind them."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from aiortc import RTCDtlsFingerprint, RTCDtlsParameters, RTCIceCandidate, RTCIceParameters

from link.errors import Unreachable
from link.sdp import TransportParameters
from link.transport import MediaTransport

USER_NAME, PASSWORD = "user", "p" * 22
FINGERPRINT = ":".join(["AB"] * 32)


def parameters(role: str = "auto") -> TransportParameters:
    """How a made-up end is reached."""
    return TransportParameters(
        RTCIceParameters(USER_NAME, PASSWORD),
        RTCDtlsParameters([RTCDtlsFingerprint("sha-256", FINGERPRINT)], role),
        (RTCIceCandidate(1, "f", "127.0.0.1", 5000, 1, "udp", "host"),),
    )


class SilentTransport:
    """A MediaTransport without a network: takes what is sent, never connects."""

    rtt_us: int | None = 30_000
    bytes_sent = datagrams_refused = 0
    ice_user_name = USER_NAME
    is_connected = False

    def __init__(self, **_: object) -> None:
        self.sent: list[bytes] = []

    def expect_extensions(self, transport_cc_id: int | None, send_time_id: int | None) -> None:
        """Nothing will arrive."""

    def attach(self, handler: object) -> None:
        """Nothing will arrive."""

    async def gather(self) -> TransportParameters:
        return parameters()

    def answer(self, ours: TransportParameters, offer: TransportParameters) -> TransportParameters:
        return MediaTransport.answer(cast(MediaTransport, self), ours, offer)

    async def connect(self, remote: TransportParameters, role: str, timeout_s: float) -> None:
        raise Unreachable("there is no network here")

    async def add_candidates(self, candidates: Iterable[RTCIceCandidate]) -> None:
        for _ in candidates:
            pass

    async def send(self, packet: bytes) -> None:
        self.sent.append(packet)

    async def is_alive(self, timeout_s: float) -> bool:
        return False

    async def close(self) -> None:
        """Nothing is open."""

    def as_transport(self) -> MediaTransport:
        """For the type checker."""
        return cast(MediaTransport, self)


class WaitingTransport(SilentTransport):
    """One that goes on connecting, so that its session stays."""

    async def connect(self, remote: TransportParameters, role: str, timeout_s: float) -> None:
        await asyncio.Event().wait()


class DatagramSink(asyncio.DatagramTransport):
    """Where a STUN protocol sends its answers."""

    def __init__(self, protocol: asyncio.DatagramProtocol) -> None:
        super().__init__()
        self._protocol: asyncio.DatagramProtocol | None = protocol

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Into nothing."""

    def close(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(None)
