"""Who is not the peer, or plays what the peer once sent, at the media port of a running session."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tests.net.direction import Deliver, Direction
from tests.net.emulated_link import EmulatedLink

KEPT = 64  # datagrams of the peer, to be played again
TURN_S = 0.005
HOSTILE = (
    b"",
    b"\0",
    bytes(20),
    b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),  # STUN request without signature
    b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x20\x00\x04abcd",  # short address
    b"\x16\xfe\xfd" + bytes(10),  # DTLS record, empty
    b"\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\2\2\x28",  # DTLS alert in the clear: handshake failure
    b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x10" + b"\1" * 16,  # ClientHello, garbage
    b"\x80\x60" + bytes(30),  # SRTP, not authentic
    b"\x80\xc8" + bytes(30),  # SRTCP, not authentic
    b"\xff" * 1400,
    bytes(range(256)) * 4,
)


class Tap:
    """Keeps the last datagrams that a direction was given."""

    def __init__(self, direction: Direction) -> None:
        self.datagrams: deque[bytes] = deque(maxlen=KEPT)
        self._carry = direction.carry
        direction.carry = self._keep  # type: ignore[method-assign]

    def _keep(self, data: bytes, deliver: Deliver) -> None:
        self.datagrams.append(data)
        self._carry(data, deliver)


class Attacker:
    """Sends to the server's media port: as a stranger, and from the address of the peer."""

    def __init__(self, link: EmulatedLink) -> None:
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.connect(link.server_side.get_extra_info("peername"))
        # asyncio swallows empty datagrams on their way out: a copy of the relay's socket does not
        self._peer = socket.socket(
            fileno=os.dup(link.server_side.get_extra_info("socket").fileno())
        )
        for place in (self._stranger, self._peer):
            place.setblocking(False)

    async def flood(self, seconds: float, per_s: float, datagrams: Sequence[bytes]) -> int:
        """Half of them from each address; how many were sent."""
        start, sent = time.monotonic(), 0
        while (spent_s := time.monotonic() - start) < seconds:
            while sent < spent_s * per_s:
                place = self._peer if sent % 2 else self._stranger
                with suppress(BlockingIOError, ConnectionRefusedError):
                    place.send(datagrams[sent // 2 % len(datagrams)])
                sent += 1
            await asyncio.sleep(TURN_S)
        return sent

    def close(self) -> None:
        self._stranger.close()
        self._peer.close()
