"""A WHIP endpoint (RFC 9725): the viewer's side of the signalling.

    OPTIONS /whip        204, CORS, Accept-Post
    POST    /whip        201 answer, Location, ETag | 400 401 413 415 422 503
    PATCH   /whip/SECRET 204 trickled candidates    | 401 404 412 415 422 (ICE restart)
    DELETE  /whip/SECRET 200                        | 401 404

A session that does not show life when another streamer comes is taken over; one whose peer is
silent ends by itself within 3 s.
"""

import asyncio
import errno
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

from aiohttp import web

from link.errors import LinkError, SessionEnded, SignallingError, WireError
from link.receiver import MediaReceiver
from link.sdp import SDP_MAX_BYTES, NoH265Error, PeerDescription, parse_candidates, parse_offer
from link.sdp_text import make_answer
from link.transport import MediaTransport

DEFAULT_PORT = 8889
WHIP_PATH = "/whip"
CONNECT_TIMEOUT_S = 10.0
TAKEOVER_PATIENCE_S = 1.0
RETRY_AFTER_S = 1
BODY_TIMEOUT_S = 5.0
SHUTDOWN_TIMEOUT_S = 1.0  # of HTTP connections
CONSUMER_TIMEOUT_S = 5.0
_SDP_TYPE = "application/sdp"
_TRICKLE_TYPE = "application/trickle-ice-sdpfrag"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Location",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "OPTIONS, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Accept-Post": _SDP_TYPE,
    "Accept-Patch": _TRICKLE_TYPE,
}

logger = logging.getLogger(__name__)
OnSession = Callable[[MediaReceiver], Awaitable[None]]


class _Session:
    """One streamer: from its accepted offer to the end of `on_session`."""

    def __init__(
        self,
        offer: PeerDescription,
        transport: MediaTransport,
        peer: str,
        on_over: Callable[["_Session"], None],
    ) -> None:
        self.secret = secrets.token_urlsafe(16)
        self.transport = transport
        self.receiver = MediaReceiver(transport, offer.video, on_closed=self._on_closed)
        self._remote = offer.transport
        self._peer = peer
        self._on_over = on_over
        self._connected = False
        self._task: asyncio.Task[None] | None = None

    @property
    def etag(self) -> str:
        """Entity tag of the ICE session (RFC 9725, section 4.3.1)."""
        return f'"{self.transport.ice_user_name}"'

    def run(self, role: str, on_session: OnSession) -> asyncio.Task[None]:
        """Connects in the background and hands the receiver to `on_session`."""
        self._task = asyncio.ensure_future(self._run(role, on_session))
        return self._task

    def is_restart(self, ice_user_name: str | None) -> bool:
        """Whether a trickle fragment belongs to another ICE session than this one."""
        return ice_user_name not in (None, self._remote.ice.usernameFragment)

    async def _run(self, role: str, on_session: OnSession) -> None:
        try:
            await self.transport.connect(self._remote, role, CONNECT_TIMEOUT_S)
            logger.info("session with %s connected", self._peer)
            self._connected = True
            self.receiver.start()
            await on_session(self.receiver)
        except SessionEnded:
            pass  # the usual end of a consumer
        except LinkError as error:
            self.receiver.end(str(error))
        except Exception:
            logger.exception("the consumer of the session with %s failed", self._peer)
        finally:
            await self.receiver.close()

    async def close(self) -> None:
        """Ends the media path; the consumer gets SessionEnded and is not waited for."""
        if self._task is not None and not self._connected:
            self._task.cancel()
        await self.receiver.close()

    async def _on_closed(self, reason: str) -> None:
        logger.info("session with %s over: %s", self._peer, reason)
        self._on_over(self)


class WhipServer:
    """Takes H.265 publishers; `on_session` gets the receiver of each, in a task of its own.

    `on_session` should return when `receive` raises SessionEnded (it may let it through); when it
    returns earlier, the session is closed. The next session may begin before it has returned.
    `host` "" or "0.0.0.0" is every interface, `port` 0
    any free one. `token`: the bearer token to ask for, None = nobody is asked.
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
    ) -> None:
        self.port = port
        self.app = web.Application(client_max_size=SDP_MAX_BYTES)
        self.app.on_response_prepare.append(_allow_other_origins)
        self.app.router.add_route("OPTIONS", WHIP_PATH, self._options)
        self.app.router.add_post(WHIP_PATH, self._post)
        resource = WHIP_PATH + "/{secret}"
        self.app.router.add_route("OPTIONS", resource, self._options)
        self.app.router.add_patch(resource, self._patch)
        self.app.router.add_delete(resource, self._delete)
        self._host = host
        self._token = token
        self._network_ids = tuple(network_ids)
        self._on_session = on_session
        self._max_sessions = max_sessions
        self._sessions: dict[str, _Session] = {}
        self._consumers: set[asyncio.Task[None]] = set()
        self._admission = asyncio.Lock()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens. Raises SignallingError naming the port when it cannot."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host or "0.0.0.0", self.port).start()
        except OSError as error:
            await runner.cleanup()
            taken = error.errno == errno.EADDRINUSE
            why = "it is taken by another program" if taken else str(error)
            raise SignallingError(f"cannot listen on {self._host}:{self.port}: {why}") from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening, ends all sessions and waits for their consumers (5 s at most)."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        if self._consumers:
            _, late = await asyncio.wait(self._consumers, timeout=CONSUMER_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _options(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers=_PREFLIGHT)

    async def _post(self, request: web.Request) -> web.Response:
        text = await self._body(request, _SDP_TYPE)
        try:
            offer = parse_offer(text)
        except WireError as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from error
        except NoH265Error as error:
            raise _refusal(web.HTTPUnprocessableEntity, str(error)) from error
        async with self._admission:
            await self._make_room()
            session, answer = await self._open(offer, request.remote or "?")
        headers = {"Location": f"{WHIP_PATH}/{session.secret}", "ETag": session.etag}
        return web.Response(status=201, text=answer, content_type=_SDP_TYPE, headers=headers)

    async def _patch(self, request: web.Request) -> web.Response:
        """Trickled candidates (RFC 9725, section 4.3); a restart of ICE is not supported (422)."""
        text = await self._body(request, _TRICKLE_TYPE)
        session = self._find(request)
        if request.headers.get("If-Match", "*") not in ("*", session.etag):
            raise _refusal(web.HTTPPreconditionFailed, "Another ICE session than the one under way")
        try:
            user_name, candidates = parse_candidates(text)
        except WireError as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from error
        if session.is_restart(user_name):
            raise _refusal(web.HTTPUnprocessableEntity, "ICE restart is not supported: POST again")
        await session.transport.add_candidates(candidates)
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        self._authorize(request)
        session = self._find(request)
        session.receiver.end("the sender ended the session")
        await session.close()
        return web.Response(status=200)

    async def _body(self, request: web.Request, content_type: str) -> str:
        """The text of a permitted request of the right type and size."""
        self._authorize(request)
        if request.content_type != content_type:
            raise _refusal(web.HTTPUnsupportedMediaType, f"Send {content_type}")
        try:
            body = await asyncio.wait_for(request.read(), BODY_TIMEOUT_S)
            return body.decode()
        except asyncio.TimeoutError as error:
            raise _refusal(web.HTTPRequestTimeout, "The body did not arrive") from error
        except UnicodeDecodeError as error:
            raise _refusal(web.HTTPBadRequest, "The body is not UTF-8 text") from error
        except ConnectionError as error:
            raise _refusal(web.HTTPBadRequest, "The body is cut off") from error

    def _authorize(self, request: web.Request) -> None:
        if self._token is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(
            given.strip().encode(errors="surrogateescape"), self._token.encode()
        )
        if scheme.lower() != "bearer" or not right:
            raise _refusal(
                web.HTTPUnauthorized,
                "A bearer token is needed, and this one is not it",
                {"WWW-Authenticate": "Bearer"},
            )

    def _find(self, request: web.Request) -> _Session:
        session = self._sessions.get(request.match_info["secret"])
        if session is None:
            raise _refusal(web.HTTPNotFound, "No such session")
        return session

    async def _make_room(self) -> None:
        """Frees the place of a session whose peer is gone. 503 when all of them are alive."""
        if len(self._sessions) < self._max_sessions:
            return
        sessions = list(self._sessions.values())
        alive = await asyncio.gather(
            *(session.receiver.is_alive(TAKEOVER_PATIENCE_S) for session in sessions)
        )
        for session, lives in zip(sessions, alive, strict=True):
            if not lives:
                session.receiver.end("another streamer took over from a silent one")
                await session.close()
        if len(self._sessions) >= self._max_sessions:
            raise _refusal(
                web.HTTPServiceUnavailable,
                f"{self._max_sessions} of {self._max_sessions} sessions are running",
                {"Retry-After": str(RETRY_AFTER_S)},
            )

    async def _open(self, offer: PeerDescription, peer: str) -> tuple[_Session, str]:
        transport = MediaTransport(controlling=False, loopback=_is_loopback(peer))
        ours = transport.answer(await transport.gather(), offer.transport)
        session = _Session(offer, transport, peer, self._on_over)
        self._sessions[session.secret] = session
        consumer = session.run(ours.dtls.role, self._on_session)
        self._consumers.add(consumer)
        consumer.add_done_callback(self._consumers.discard)
        return session, make_answer(offer, ours, self._network_ids)

    def _on_over(self, session: _Session) -> None:
        self._sessions.pop(session.secret, None)


def _refusal(
    kind: type[web.HTTPError], message: str, headers: dict[str, str] | None = None
) -> web.HTTPError:
    return kind(text=message, headers=headers)


async def _allow_other_origins(request: web.Request, response: web.StreamResponse) -> None:
    """CORS, so that a page from elsewhere can publish (RFC 9725, section 4.8); for WHIP alone."""
    if request.path.startswith(WHIP_PATH):
        response.headers.update(_CORS)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.split("%")[0]).is_loopback
    except ValueError:
        return False
