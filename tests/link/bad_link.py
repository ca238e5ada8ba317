"""A bad link between a WHIP client and a server: an HTTP proxy and a seeded UDP relay on 127.0.0.1.

The proxy rewrites the candidates of the SDP, so that every datagram goes through the relay:

    publish() -> proxy -> WhipServer          client socket -> relay -> server socket
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp import web


class BadLink:
    """Context manager; `url` goes to `publish`. Knobs apply to both directions from now on."""

    def __init__(self, server_port: int, seed: int) -> None:
        self.loss = 0.0  # share of datagrams lost
        self.reorder = 0.0  # share of datagrams delayed by `reorder_s`
        self.reorder_s = 0.02
        self.duplicate = 0.0
        self.dark = False  # nothing passes
        self.rewrite_offer: Callable[[str], str] = str
        self.client_address: tuple[str, int] | None = None
        self._server = f"http://127.0.0.1:{server_port}"
        self._random = random.Random(seed)
        self._transports: list[asyncio.DatagramTransport] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "BadLink":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._proxy)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/whip"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for transport in self._transports:
            transport.close()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _proxy(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        kept = {
            name: request.headers[name]
            for name in ("Content-Type", "Authorization")
            if name in request.headers
        }
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self._server + request.path_qs,
                data=self.rewrite_offer(_without_candidates(body)) if body else None,
                headers=kept,
            ) as response,
        ):
            answer = await response.text()
            if response.status == 201:
                answer = await self._relayed(answer)
            headers = {"Location": response.headers["Location"]} if response.status == 201 else {}
            return web.Response(status=response.status, text=answer, headers=headers)

    async def _relayed(self, sdp: str) -> str:
        """The answer with one candidate alone: the relay in front of the server's own."""
        line = next(
            line
            for line in sdp.splitlines()
            if line.startswith("a=candidate:") and " 127.0.0.1 " in line
        )
        port = int(line.split()[5])
        relay = await self.open(_ClientSide(self, ("127.0.0.1", port)), None)
        ours = line.replace(f" {port} ", f" {relay.get_extra_info('sockname')[1]} ")
        return _without_candidates(sdp) + ours + "\r\n"

    async def open(
        self, protocol: asyncio.DatagramProtocol, remote: tuple[str, int] | None
    ) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        local = None if remote else ("127.0.0.1", 0)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: protocol, local_addr=local, remote_addr=remote
        )
        self._transports.append(transport)
        return transport

    @property
    def server_side(self) -> asyncio.DatagramTransport:
        """A socket that the server takes for the client."""
        return next(t for t in self._transports if t.get_extra_info("peername"))

    def carry(self, data: bytes, transport: asyncio.DatagramTransport, address: Any = None) -> None:
        """Sends a datagram on, or does to it what a bad link does."""
        if self.dark or self._random.random() < self.loss:
            return
        copies = 2 if self._random.random() < self.duplicate else 1
        for _ in range(copies):
            if self._random.random() < self.reorder:
                loop = asyncio.get_running_loop()
                loop.call_later(self.reorder_s, self._send, data, transport, address)
            else:
                self._send(data, transport, address)

    def _send(self, data: bytes, transport: asyncio.DatagramTransport, address: Any) -> None:
        if not transport.is_closing():
            transport.sendto(data, address)


class _ClientSide(asyncio.DatagramProtocol):
    """What the client sends to; opens a socket towards the server for each of its addresses."""

    def __init__(self, link: BadLink, server: tuple[str, int]) -> None:
        self._link = link
        self._server = server
        self._sides: dict[Any, _ServerSide] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr not in self._sides:
            self._sides[addr] = side = _ServerSide(self._link, self.transport, addr)
            side.opening = asyncio.ensure_future(self._link.open(side, self._server))
        side = self._sides[addr]
        if side.transport is not None:
            self._link.client_address = addr
            self._link.carry(data, side.transport)


class _ServerSide(asyncio.DatagramProtocol):
    """What the server answers to, for one address of the client."""

    def __init__(self, link: BadLink, back: asyncio.DatagramTransport, client: Any) -> None:
        self._link = link
        self._back = back
        self._client = client
        self.transport: asyncio.DatagramTransport | None = None
        self.opening: asyncio.Future[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._link.carry(data, self._back, self._client)

    def error_received(self, exc: Exception) -> None:
        """The server's socket is closed: what a link does not know."""


def _without_candidates(sdp: str) -> str:
    kept = [
        line
        for line in sdp.splitlines()
        if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    ]
    return "\r\n".join(kept) + "\r\n"
