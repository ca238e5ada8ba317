"""A UDP relay in front of one server socket.

    client socket <-> _ClientSide  =up=>  _ServerSide <-> server socket
                                  <=down=

Each address of the client gets a socket of its own towards the server, as behind a NAT.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from tests.net.direction import Direction
from tests.net.place import LOCALHOST

Address = tuple[str, int]
SIDES_MAX = 64  # client addresses per session
EARLY_MAX = 64  # datagrams of a new address


class Relay:
    """Made by `open`; `close` ends it and every socket it opened."""

    def __init__(
        self, up: Direction, down: Direction, server: Address, host: str = LOCALHOST
    ) -> None:
        self.client_address: Address | None = None  # that spoke last
        self._up, self._down, self._server, self._host = up, down, server, host
        self._sides: dict[Address, _ServerSide] = {}
        self._front: asyncio.DatagramTransport | None = None
        self._opening: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Listens; the port that clients send to."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _ClientSide(self), local_addr=(self._host, 0)
        )
        return int(self._front.get_extra_info("sockname")[1])

    def close(self) -> None:
        """May be called twice."""
        for task in self._opening:
            task.cancel()
        for transport in (self._front, *(side.transport for side in self._sides.values())):
            if transport is not None:
                transport.close()

    @property
    def server_side(self) -> asyncio.DatagramTransport:
        """A socket that the server takes for the client."""
        return next(side.transport for side in self._sides.values() if side.transport)

    def from_client(self, data: bytes, client: Address) -> None:
        """Into the link."""
        side = self._sides.get(client)
        if side is None:
            if len(self._sides) >= SIDES_MAX:
                return
            self._sides[client] = side = _ServerSide(self, client)
            task = asyncio.ensure_future(self._connect(side))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        self.client_address = client
        self._up.carry(data, side.send)

    def from_server(self, data: bytes, client: Address) -> None:
        """Into the link, the other way."""
        self._down.carry(data, lambda arrived: self._to_client(arrived, client))

    async def _connect(self, side: _ServerSide) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: side, remote_addr=self._server)

    def _to_client(self, data: bytes, client: Address) -> None:
        if self._front is not None and not self._front.is_closing():
            self._front.sendto(data, client)


class _ClientSide(asyncio.DatagramProtocol):
    """What the client sends to."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._relay.from_client(data, addr)

    def error_received(self, exc: Exception) -> None:
        """The client's socket is closed: what a link does not know."""


class _ServerSide(asyncio.DatagramProtocol):
    """What the server answers to, for one address of the client."""

    def __init__(self, relay: Relay, client: Address) -> None:
        self._relay = relay
        self._client = client
        self._early: list[bytes] = []  # until the socket is open
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        for data in self._early:
            self.transport.sendto(data)
        self._early.clear()

    def send(self, data: bytes) -> None:
        if self.transport is None:
            if len(self._early) < EARLY_MAX:
                self._early.append(data)
        elif not self.transport.is_closing():
            self.transport.sendto(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._relay.from_server(data, self._client)

    def error_received(self, exc: Exception) -> None:
        """The server's socket is closed: what a link does not know."""
