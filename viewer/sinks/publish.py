"""The restored video to a WHIP server (RFC 9725), which serves the audience."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence

from daemon.backoff import Backoff
from daemon.figures import Figures
from daemon.log import event
from link.errors import LinkError, Unreachable
from link.ice_servers import IceServer
from link.whip_exchange import WhipExchange
from link.whip_http import WhipHttp
from viewer.sinks.live_peer import LivePeer
from viewer.sinks.live_video import LiveVideo

SIGNALLING_TIMEOUT_S = 10.0
STABLE_S = 5.0  # a session that lived this long starts the back-off again
CONNECTING, PUBLISHING, WAITING = "connecting", "publishing", "waiting"

_log = logging.getLogger(__name__)


class Publisher:
    """Publishes for ever: a server that is away, or says no, is tried again and again."""

    def __init__(
        self,
        url: str,
        token: str | None,
        video: LiveVideo,
        figures: Figures,
        ice_servers: Sequence[IceServer] = (),
        *,
        rng: random.Random | None = None,
    ) -> None:
        """Raises SignallingError for what is no URL."""
        self._url = url
        self._http = WhipHttp(url, token, None, {})
        self._video = video
        self._figures = figures
        self._ice_servers = ice_servers
        self._backoff = Backoff(rng or random.Random())
        self._told = ""
        self._enter(CONNECTING, "publishing to")

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            try:
                await self._session()
            except LinkError as error:
                self._enter(WAITING, "cannot publish: trying for ever", str(error))
            except Exception as error:  # aiortc may raise anything; the viewer must stay up
                self._enter(WAITING, "publishing failed: trying for ever", repr(error))
            await asyncio.sleep(self._backoff.next_s())

    async def _session(self) -> None:
        """One session, from offer to DELETE. Raises LinkError when it does not come about."""
        peer = LivePeer(self._video, self._ice_servers)
        exchange = WhipExchange(self._http, self._url)
        try:
            try:
                answer = await asyncio.wait_for(
                    exchange.post(await peer.offer()), SIGNALLING_TIMEOUT_S
                )
            except asyncio.TimeoutError:
                raise Unreachable(f"{self._url} does not answer in time") from None
            await peer.accept(answer)
            await peer.wait_connected()
            started = time.monotonic()
            self._enter(PUBLISHING, "publishing")
            await peer.wait_over()
            if time.monotonic() - started >= STABLE_S:
                self._backoff.reset()
            self._enter(WAITING, "publishing was interrupted: connecting again")
        finally:
            await peer.close()
            await exchange.delete()

    def _enter(self, state: str, what: str, why: str = "") -> None:
        """Change the state; what was told last is not told again."""
        self._figures.set("publishing", state)
        if what == self._told:
            return
        self._told = what
        level = logging.WARNING if state == WAITING else logging.INFO
        event(_log, what, level=level, server=self._url, **({"why": why} if why else {}))
