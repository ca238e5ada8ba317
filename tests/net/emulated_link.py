"""A bad link between a WHIP client and a server.

    client -> HTTP proxy -> WhipServer           client socket -> relay -> server socket

The proxy rewrites the candidates of the SDP, so that every datagram goes through the relay. The
exchange itself takes the time of two round trips, and waits while the link is dark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp import web

from tests.net.direction import Direction, monotonic_us
from tests.net.knobs import Knobs
from tests.net.link_model import LinkModel
from tests.net.place import HERE, Place
from tests.net.relay import Address, Relay
from tests.net.schedule import CLEAN, Schedule

DARK_POLL_S = 0.05
ROUND_TRIPS = 2  # of TCP and HTTP before an answer is there
SESSIONS_MAX = 1000
_KEPT = ("Content-Type", "Authorization", "If-Match")


class EmulatedLink:
    """Async context manager; `url` is where the client publishes to.

    `up` is from the client to the server (media), `down` the way back (feedback). Every session
    that is opened while it runs shares the one link, as after a reconnect.
    """

    def __init__(
        self,
        server_port: int,
        seed: int,
        up: Schedule = CLEAN,
        down: Schedule | None = None,
        *,
        place: Place = HERE,
    ) -> None:
        self._place = place
        self.up = Direction(LinkModel(up, seed))
        self.down = Direction(LinkModel(up if down is None else down, seed + 1))
        self.rewrite_offer: Callable[[str], str] = str
        self.offers_us: list[int] = []  # when each offer came, by the link's clock
        self.relays: list[Relay] = []  # one a session that was answered
        self.last_offer = ""  # as the server got it
        self.server_url = f"http://{place.receiver_host}:{server_port}"
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> EmulatedLink:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._proxy)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        host = self._place.relay_host
        await web.TCPSite(self._runner, host, 0).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}/whip"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for relay in self.relays:
            relay.close()
        self.up.close()
        self.down.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def server_side(self) -> asyncio.DatagramTransport:
        """A socket that the server takes for the client."""
        return self.relays[-1].server_side

    @property
    def client_address(self) -> Address | None:
        """Of the client's socket that spoke last."""
        return self.relays[-1].client_address

    def begin(self) -> int:
        """The first phase begins now; the time, by the link's clock."""
        now_us = monotonic_us()
        self.up.model.begin(now_us)
        self.down.model.begin(now_us)
        return now_us

    def set_schedule(self, both: Schedule) -> None:
        """The link is like the first phase from now on, and like the others after `begin`."""
        self.up.model.set_schedule(both)
        self.down.model.set_schedule(both)

    def set_knobs(self, up: Knobs, down: Knobs | None = None) -> None:
        """The link is like this from now on, both ways unless told otherwise."""
        self.up.model.set_knobs(up)
        self.down.model.set_knobs(up if down is None else down)

    async def _proxy(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        if request.method == "POST" and len(self.offers_us) < SESSIONS_MAX:
            self.offers_us.append(monotonic_us())
        await self._travel()
        if request.transport is None or request.transport.is_closing():
            raise web.HTTPServiceUnavailable  # the client has not waited
        try:
            return await self._forward(request, body)
        except (aiohttp.ClientError, OSError) as error:
            raise web.HTTPBadGateway(text=str(error)) from error

    async def _travel(self) -> None:
        """What the way there and back takes of an HTTP exchange."""
        models = (self.up.model, self.down.model)
        while any(model.knobs(monotonic_us()).blackout for model in models):  # noqa: ASYNC110
            await asyncio.sleep(DARK_POLL_S)
        there_and_back_ms = sum(model.knobs(monotonic_us()).queue_delay_ms for model in models)
        await asyncio.sleep(ROUND_TRIPS * there_and_back_ms / 1000)

    async def _forward(self, request: web.Request, body: str) -> web.Response:
        if body and request.method == "POST":
            self.last_offer = body = self.rewrite_offer(_without_candidates(body))
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self.server_url + request.path_qs,
                data=body or None,
                headers={name: request.headers[name] for name in _KEPT if name in request.headers},
            ) as response,
        ):
            answer = await response.text()
            if response.status == 201:
                answer = await self._relayed(answer)
            headers = {name: response.headers[name] for name in _BACK if name in response.headers}
            return web.Response(status=response.status, text=answer, headers=headers)

    async def _relayed(self, sdp: str) -> str:
        """The answer with one candidate alone: the relay in front of the server's own."""
        host, ours = self._place.receiver_host, self._place.relay_host
        line = next(
            line
            for line in sdp.splitlines()
            if line.startswith("a=candidate:") and f" {host} " in line
        )
        port = line.split()[5]
        relay = Relay(self.up, self.down, (host, int(port)), ours)
        self.relays.append(relay)
        line = line.replace(f" {host} {port} ", f" {ours} {await relay.open()} ")
        return f"{_without_candidates(sdp)}{line}\r\n"


_BACK = ("Location", "ETag", "Retry-After", "WWW-Authenticate")


def _without_candidates(sdp: str) -> str:
    kept = [
        line
        for line in sdp.splitlines()
        if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    ]
    return "\r\n".join(kept) + "\r\n"
