"""What a socket takes: STUN that the peer signed, and anything else from where that came from."""

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from link.datagram import DatagramKind, datagram_kind, stun_is_signed, stun_transaction_id


class Guard(asyncio.DatagramProtocol):
    """Stands between a UDP socket and aioice's protocol."""

    def __init__(self, inner: Any, connection: Any, clock: Callable[[], int]) -> None:
        self._inner = inner  # aioice's protocol of one socket
        self._connection = connection  # the ICE agent, as `link.transport` makes it
        self._clock = clock  # us

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
        connection.vouch_for(address, self._inner)
        connection.consent.answered(stun_transaction_id(data), self._clock())
        try:
            self._inner.datagram_received(data, address)
        except (AssertionError, LookupError, ValueError, struct.error):
            connection.datagrams_refused += 1  # signed, and yet no STUN that aioice understands

    def error_received(self, exc: Exception) -> None:
        self._inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
