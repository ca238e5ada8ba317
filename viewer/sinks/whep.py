"""A WHEP endpoint (draft-ietf-wish-whep-02): the restored video to browsers and other players.

    POST   /whep        201 answer, Location, Accept-Post | 400 403 404 413 415 422 503
    DELETE /whep/SECRET 200                               | 403 404

Players give all their candidates in the offer; trickling and ICE restart (PATCH) get 405, as
section 4.3 allows. `?stream=N` asks for another stream than the first. The door of the page decides
who may come (`viewer.sinks.page_door`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence

from aiohttp import web

from daemon.log import event
from link.errors import SignallingError
from link.ice_servers import IceServer
from link.request_body import read_body
from link.whip_door import refusal
from link.whip_exchange import SDP_TYPE
from viewer.sinks.channel import Channel, channel_of
from viewer.sinks.live_peer import LivePeer

PATH = "/whep"
MAX_SESSIONS = 4  # each costs the event loop some 20 us a packet
RETRY_AFTER_S = 5

_log = logging.getLogger(__name__)


class Whep:
    """Sessions of the live videos, so many at once."""

    def __init__(self, channels: Sequence[Channel], ice_servers: Sequence[IceServer]) -> None:
        self._channels = channels
        self._ice_servers = ice_servers
        self._sessions: dict[str, LivePeer] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self.routes = [
            web.post(PATH, self._post),
            web.delete(PATH + "/{session}", self._delete),
        ]

    async def stop(self) -> None:
        """Ends every session; one that is being ended already is waited for, not cut off."""
        for peer in self._sessions.values():
            peer.leave()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _post(self, request: web.Request) -> web.Response:
        video = channel_of(request, self._channels).video
        offer = await read_body(request, SDP_TYPE)
        if not offer.startswith("v=0"):
            raise refusal(web.HTTPBadRequest, "This is no SDP\n")
        if len(self._sessions) >= MAX_SESSIONS:
            raise refusal(
                web.HTTPServiceUnavailable,
                f"{MAX_SESSIONS} of {MAX_SESSIONS} players are watching\n",
                {"Retry-After": str(RETRY_AFTER_S)},
            )
        secret = secrets.token_urlsafe(16)
        peer = self._sessions[secret] = LivePeer(video, self._ice_servers)
        try:
            answer = await peer.answer(offer, request.remote or "127.0.0.1")
        except BaseException as error:
            await self._end(secret)
            if isinstance(error, SignallingError):
                raise refusal(web.HTTPUnprocessableEntity, f"{error}\n") from error
            raise
        task = asyncio.ensure_future(self._serve(secret, peer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return web.Response(
            status=201,
            text=answer,
            content_type=SDP_TYPE,
            headers={"Location": f"{PATH}/{secret}", "Accept-Post": SDP_TYPE},
        )

    async def _delete(self, request: web.Request) -> web.Response:
        if request.match_info["session"] not in self._sessions:
            raise refusal(web.HTTPNotFound, "No such session\n")
        await self._end(request.match_info["session"])
        return web.Response(status=200)

    async def _serve(self, secret: str, peer: LivePeer) -> None:
        """Keeps a session until its peer is gone."""
        try:
            await peer.wait_over()
        finally:
            await self._end(secret)

    async def _end(self, secret: str) -> None:
        peer = self._sessions.pop(secret, None)
        if peer is not None:
            await peer.close()
            event(_log, "a player left" if peer.is_connected else "a player did not connect")
