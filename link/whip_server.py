"""A WHIP endpoint (RFC 9725): the viewer's side of the signalling.

    OPTIONS /whip        204, CORS, Accept-Post
    POST    /whip        201 answer, Location, ETag, Link | 400 401 403 413 415 422 429 503
    PATCH   /whip/SECRET 204 trickled candidates          | 401 404 412 415 422 (restart) 428 429
    DELETE  /whip/SECRET 200                              | 401 404 429

An offer takes a place among the few that may connect at once; a place among the sessions is taken
by the DTLS handshake alone, so that claiming to be somebody blocks nobody. A session that does not
show life when another streamer comes is taken over; one whose peer is silent ends within 3 s.
"""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

from aiohttp import web

from link.errors import LinkError, SignallingError, WireError
from link.ice_servers import IceServer, link_values
from link.identity import Identity, clean_name
from link.listener import ConnectionLimits, Listener
from link.rate_limit import source_of
from link.request_body import read_body
from link.sdp import SDP_MAX_BYTES, NoH265Error, PeerDescription, parse_candidates, parse_offer
from link.sdp_text import make_answer
from link.transport import MediaTransport
from link.whip_door import STREAM_HEADER, TOKEN_NEEDED, Door, Gate, Limits, refusal
from link.whip_session import OnSession, WhipSession, peer_id

DEFAULT_PORT = 8889
WHIP_PATH = "/whip"
TAKEOVER_PATIENCE_S = 1.0
RETRY_AFTER_S = 1
SHUTDOWN_TIMEOUT_S = 1.0  # of HTTP connections
CONSUMER_TIMEOUT_S = 5.0
MAX_CONNECTING = 4  # offers whose peers have not proven yet who they are
RECHECK_S = 2.0  # a box that is forgotten is out by then
MAX_CONNECTING_EACH = 2  # of one address: the newest
_SDP_TYPE = "application/sdp"
_TRICKLE_TYPE = "application/trickle-ice-sdpfrag"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Location, Retry-After",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "OPTIONS, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
    "Accept-Post": _SDP_TYPE,
    "Accept-Patch": _TRICKLE_TYPE,
}
logger = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WhipServer:
    """Takes H.265 publishers; `on_session` gets the receiver of each, in a task of its own.

    `on_session` should return when `receive` raises SessionEnded (it may let it through); when it
    returns earlier, the session is closed. The next session may begin before it has returned.
    `host` "" or "0.0.0.0" is every interface, `port` 0 any free one. With an `identity` the server
    speaks HTTPS. `gate` decides which boxes may come, a `token` lets in who shows it; with neither
    everybody may. `plain`: host and port of a second listener, of plain HTTP, for the token alone.
    `ice_servers` are asked for addresses, and told to those who may come.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        token: str | None,
        network_ids: Sequence[bytes],
        on_session: OnSession,
        max_sessions: int = 1,
        identity: Identity | None = None,
        gate: Gate | None = None,
        plain: tuple[str, int] | None = None,
        ice_servers: Sequence[IceServer] = (),
        limits: Limits | None = None,
        connections: ConnectionLimits | None = None,
    ) -> None:
        self.port = port
        self.plain_port = None if plain is None else plain[1]
        self.app = web.Application(client_max_size=SDP_MAX_BYTES, middlewares=[self._guard])
        self.app.on_response_prepare.append(_allow_other_origins)
        self.app.router.add_route("OPTIONS", WHIP_PATH, self._options)
        self.app.router.add_post(WHIP_PATH, self._post)
        resource = WHIP_PATH + "/{secret}"
        self.app.router.add_route("OPTIONS", resource, self._options)
        self.app.router.add_patch(resource, self._patch)
        self.app.router.add_delete(resource, self._delete)
        self._host = host
        self._plain = plain
        self._identity = identity
        self._connections = connections or ConnectionLimits()
        self._door = Door(token, gate, limits or Limits(), token_only_plain=plain is not None)
        self._network_ids = tuple(network_ids)
        self._ice_servers = tuple(ice_servers)
        self._on_session = on_session
        self._max_sessions = max_sessions
        self._sessions: dict[str, WhipSession] = {}
        self._consumers: set[asyncio.Task[None]] = set()
        self._admission = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._listeners: list[Listener] = []
        self._rechecking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens. Raises SignallingError naming the port when it cannot, and IdentityError."""
        tls = None if self._identity is None else self._identity.server_context()
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        assert runner.server is not None
        self._runner = runner
        wanted = [(self._host, self.port, tls)]
        if self._plain is not None:
            wanted.append((*self._plain, None))
        for host, port, context in wanted:
            listener = Listener(runner.server, host, port, context, self._connections)
            try:
                await listener.start()
            except OSError as error:
                await self.stop()
                taken = error.errno == errno.EADDRINUSE
                why = "it is taken by another program" if taken else str(error)
                raise SignallingError(f"cannot listen on {host}:{port}: {why}") from error
            self._listeners.append(listener)
        self.port = self._listeners[0].port
        self.plain_port = None if self._plain is None else self._listeners[1].port
        self._rechecking = asyncio.ensure_future(self._recheck())

    async def stop(self) -> None:
        """Stops listening, ends all sessions and waits for their consumers (5 s at most)."""
        if self._rechecking is not None:
            self._rechecking.cancel()
            await asyncio.gather(self._rechecking, return_exceptions=True)
        await asyncio.gather(*(listener.stop() for listener in self._listeners))
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await asyncio.gather(*(listener.close_connections() for listener in self._listeners))
        self._listeners.clear()
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        if self._consumers:
            _, late = await asyncio.wait(self._consumers, timeout=CONSUMER_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        self._door.slow_down(request)
        return await handler(request)

    async def _options(self, request: web.Request) -> web.Response:
        """A preflight; who shows the token learns of the ICE servers before its offer."""
        response = web.Response(status=204, headers=_PREFLIGHT)
        if await self._door.has_token(request):
            self._add_links(response)
        return response

    async def _post(self, request: web.Request) -> web.Response:
        by_token = await self._door.enter(request)
        text = await read_body(request, _SDP_TYPE)
        try:
            offer = parse_offer(text)
        except WireError as error:
            raise refusal(web.HTTPBadRequest, str(error)) from error
        except NoH265Error as error:
            if by_token:  # FFmpeg shows no body; whoever has no right here must not fill the log
                logger.warning("an offer from %s was refused: %s", request.remote, error)
            raise refusal(web.HTTPUnprocessableEntity, str(error)) from error
        box = None if by_token else self._door.check_box(request, offer)
        async with self._admission:
            source = source_of(request.remote or "?")
            stream = clean_name(request.headers.get(STREAM_HEADER)) or ""
            await self._make_room(source, peer_id(source, box, stream))
            transport = MediaTransport(
                controlling=False,
                loopback=_is_loopback(request.remote or "?"),
                identity=self._identity,
                ice_servers=self._ice_servers,
            )
            session = WhipSession(
                offer,
                transport,
                source,
                box,
                stream,
                by_token=by_token,
                on_proven=self._on_proven,
                on_over=self._on_over,
            )
            answer = await self._open(session, offer)
        headers = {"Location": f"{WHIP_PATH}/{session.secret}", "ETag": session.etag}
        response = web.Response(status=201, text=answer, content_type=_SDP_TYPE, headers=headers)
        self._add_links(response)
        return response

    async def _patch(self, request: web.Request) -> web.Response:
        """Trickled candidates (RFC 9725, section 4.3); a restart of ICE is not supported (422)."""
        session = await self._find(request)
        text = await read_body(request, _TRICKLE_TYPE)
        tags = {tag.strip() for tag in request.headers.get("If-Match", "").split(",")} - {""}
        if not tags:
            raise refusal(web.HTTPPreconditionRequired, "If-Match must hold the session's ETag")
        if not tags & {"*", session.etag}:
            raise refusal(web.HTTPPreconditionFailed, "Another ICE session than the one under way")
        try:
            user_name, candidates = parse_candidates(text)
        except WireError as error:
            raise refusal(web.HTTPBadRequest, str(error)) from error
        if session.is_restart(user_name):
            raise refusal(web.HTTPUnprocessableEntity, "ICE restart is not supported: POST again")
        await session.transport.add_candidates(candidates)
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        session = await self._find(request)
        session.receiver.end("the sender ended the session")
        await session.close()
        return web.Response(status=200)

    def _add_links(self, response: web.Response) -> None:
        for value in link_values(self._ice_servers):
            response.headers.add("Link", value)

    async def _find(self, request: web.Request) -> WhipSession:
        """The session whose secret URL this is; one that began with the token needs it again."""
        session = self._sessions.get(request.match_info["secret"])
        if session is None:
            raise refusal(web.HTTPNotFound, "No such session")
        if session.by_token and not await self._door.has_token(request):
            raise refusal(web.HTTPUnauthorized, TOKEN_NEEDED, {"WWW-Authenticate": "Bearer"})
        return session

    async def _make_room(self, source: str, peer: str) -> None:
        """Frees the places of sessions whose peers are gone: of all where none is free, else of
        the one that comes back. 503 when all of them are alive."""
        live = [session for session in self._sessions.values() if session.is_live]
        if len(live) < self._max_sessions:
            live = [session for session in live if session.receiver.peer_id == peer]
        alive = await asyncio.gather(
            *(session.receiver.is_alive(TAKEOVER_PATIENCE_S) for session in live)
        )
        for session, lives in zip(live, alive, strict=True):
            if not lives:
                session.receiver.end("another streamer took over from a silent one")
                await session.close()
        if self._live_count() >= self._max_sessions:
            raise _busy(f"{self._max_sessions} of {self._max_sessions} sessions are running")
        waiting = [session for session in self._sessions.values() if not session.is_live]
        same = [session for session in waiting if session.source == source]
        if len(same) >= MAX_CONNECTING_EACH:
            same[0].receiver.end("a newer offer came from the same address")
            await same[0].close()
        elif len(waiting) >= MAX_CONNECTING:
            raise _busy(f"{MAX_CONNECTING} streamers are connecting already")

    async def _open(self, session: WhipSession, offer: PeerDescription) -> str:
        """Takes the session in and begins to connect; the answer."""
        transport = session.transport
        try:
            ours = transport.answer(await transport.gather(), offer.transport)
        except BaseException:  # the client went away
            await transport.close()
            raise
        self._sessions[session.secret] = session
        consumer = session.run(ours.dtls.role, self._on_session)
        self._consumers.add(consumer)
        consumer.add_done_callback(self._consumers.discard)
        return make_answer(offer, ours, self._network_ids)

    async def _recheck(self) -> None:
        """Ends the sessions of boxes that were forgotten."""
        while True:
            await asyncio.sleep(RECHECK_S)
            for session in list(self._sessions.values()):
                if session.is_live and not self._door.still_knows(session.box):
                    session.receiver.end("this box was forgotten")

    def _live_count(self) -> int:
        return sum(session.is_live for session in self._sessions.values())

    def _on_proven(self, session: WhipSession) -> None:
        if self._live_count() >= self._max_sessions:
            raise LinkError("another streamer was faster")
        if not self._door.admits(session.box):
            raise LinkError("this box is not paired")

    def _on_over(self, session: WhipSession) -> None:
        self._sessions.pop(session.secret, None)


def _busy(why: str) -> web.HTTPError:
    return refusal(web.HTTPServiceUnavailable, why, {"Retry-After": str(RETRY_AFTER_S)})


async def _allow_other_origins(request: web.Request, response: web.StreamResponse) -> None:
    """CORS, so that a page from elsewhere can publish (RFC 9725, section 4.8); for WHIP alone."""
    if request.path.startswith(WHIP_PATH):
        response.headers.update(_CORS)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.split("%")[0]).is_loopback
    except ValueError:
        return False
