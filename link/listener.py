"""A TCP port in front of an aiohttp application: few connections, and none for long.

aiohttp has no limit of connections and may wait for headers for ever. Signalling needs a few short
requests: a connection ends when its time is up, whatever it was doing: TLS, headers, body, answer.
What answers without end gives only so long until the first request (`request_s`).
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from dataclasses import dataclass

from aiohttp import web

from link.rate_limit import source_of

BACKLOG = 64
HANDSHAKE_TIMEOUT_S = 5.0
_ACCEPT_RETRY_S = 0.2  # when the process has no descriptor left


@dataclass(frozen=True)
class ConnectionLimits:
    """Of one listener."""

    total: int = 64
    each: int = 16  # of one address
    seconds: float | None = 20.0  # of one connection, its TLS handshake included; None: no limit
    request_s: float | None = None  # until `Listener.asked`; None: no limit


class _Watched(asyncio.Protocol):
    """aiohttp's protocol of one connection, when its first request came, and when it is over."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self.asked = asyncio.Event()
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self.asked.set()
        self.over.set()


class Listener:
    """Listens until `stop`; `tls` None is plain HTTP. `port` is the real one once started."""

    def __init__(
        self,
        server: web.Server,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        limits: ConnectionLimits,
    ) -> None:
        self.host = host or "0.0.0.0"
        self.port = port
        self._server = server
        self._tls = tls
        self._limits = limits
        self._sources: Counter[str] = Counter()
        self._connections: dict[asyncio.BaseProtocol, _Watched] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []

    async def start(self) -> None:
        """Raises OSError where the port cannot be had."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                listening = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(listening)
                listening.setblocking(False)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.bind((address[0], self.port, *address[2:]))
                listening.listen(BACKLOG)
                self.port = listening.getsockname()[1]
        except OSError:
            await self.stop()
            raise
        for listening in self._sockets:
            self._attend(listening)

    async def stop(self) -> None:
        """Stops listening; connections under way are ended by the application's runner."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()

    def asked(self, request: web.Request) -> None:
        """The headers of a request have come: `request_s` no longer ends its connection."""
        watched = self._connections.get(request.protocol)
        if watched is not None:
            watched.asked.set()

    async def close_connections(self) -> None:
        """Ends what is still connected."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _attend(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        """No coroutine: cancelling one may lose a client that has just come."""
        loop = asyncio.get_running_loop()
        try:
            accepted, address = listening.accept()
        except BlockingIOError:  # it has left again
            return
        except OSError:
            loop.remove_reader(listening)
            loop.call_later(_ACCEPT_RETRY_S, self._attend, listening)
            return
        accepted.setblocking(False)
        source = source_of(str(address[0]))
        full = self._sources.total() >= self._limits.total
        if full or self._sources[source] >= self._limits.each:
            accepted.close()
            return
        self._sources[source] += 1
        task = asyncio.ensure_future(self._serve(accepted, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, source: str) -> None:
        try:
            with contextlib.suppress(asyncio.TimeoutError, OSError):  # OSError: TLS errors too
                await asyncio.wait_for(self._connection(accepted), self._limits.seconds)
        finally:
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]

    async def _connection(self, accepted: socket.socket) -> None:
        """One connection, until either end closes it, or this is cancelled."""
        inner = self._server()
        watched = self._connections[inner] = _Watched(inner)
        transport: asyncio.Transport | None = None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: watched,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if self._tls else None,
            )
            await asyncio.wait_for(watched.asked.wait(), self._limits.request_s)
            await watched.over.wait()
        finally:
            del self._connections[inner]
            if transport is None:
                accepted.close()
            else:
                transport.abort()  # its time is up; what it was still to get is lost
