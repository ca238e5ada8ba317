"""Send: keeps a session with the viewer for ever, and hands it the access units."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from daemon.backoff import Backoff
from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from link.access_unit import AccessUnit
from link.errors import LinkError, PeerChanged, Refused
from link.stats import SenderStats
from link.whip_client import publish as link_publish
from streamer.carrier import CodedUnit

HANDOVER_MAX = 64  # access units between the encoder's thread and the event loop
DRAIN_S, DRAIN_STEP_S = 1.0, 0.02  # for the last access units to leave
FIGURES_INTERVAL_S = 0.5
STABLE_S = 5.0  # a session that lived this long starts the back-off again
UNAUTHORIZED = 401
CONNECTING, CONNECTED, WAITING = "connecting", "connected", "waiting"

_log = logging.getLogger(__name__)


class Session(Protocol):
    """What is used of `link.sender.MediaSender`."""

    @property
    def peer_network_ids(self) -> Sequence[bytes]: ...
    def send(self, unit: AccessUnit) -> bool: ...
    def set_max_bitrate(self, bitrate_bps: int) -> None: ...
    def stats(self) -> SenderStats: ...
    async def wait_closed(self) -> str: ...
    async def close(self) -> None: ...


class Publish(Protocol):
    """`link.whip_client.publish`."""

    def __call__(
        self,
        url: str,
        *,
        token: str | None,
        network_ids: Sequence[bytes],
        on_irap_request: Callable[[], None],
        on_bitrate: Callable[[int], None],
    ) -> Awaitable[Session]: ...


class Send:
    """One viewer at a time, connected to again and again.

    A viewer that cannot be reached, has no place now, or is not paired yet is tried for ever; one
    that refuses the token is a mistake of the configuration and ends the daemon.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        network_id: bytes,
        bitrate_bps: int,
        request_irap: Callable[[], None],
        set_bitrate: Callable[[int], None],
        figures: Figures,
        *,
        publish: Publish = link_publish,
        rng: random.Random | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._network_id = network_id
        self._bitrate_bps = bitrate_bps
        self._request_irap = request_irap
        self._set_bitrate = set_bitrate
        self._figures = figures
        self._publish = publish
        self._backoff = Backoff(rng or random.Random())
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._handover: deque[CodedUnit] = deque()
        self._told = ""
        self._figures.set("peer", url)
        self._enter(CONNECTING, "connecting")

    @property
    def wants(self) -> bool:
        return self._session is not None

    def put(self, coded: CodedUnit) -> None:
        """Hand an access unit to the event loop; a loop that is stuck loses it."""
        if self._session is None:
            return
        if len(self._handover) >= HANDOVER_MAX:
            self._lost()
            return
        self._handover.append(coded)
        self._loop.call_soon_threadsafe(self._send_next)

    async def run(self) -> None:
        """Connect, and connect again. Raises UsageError when the viewer refuses the token."""
        while True:
            try:
                session = await self._publish(
                    self._url,
                    token=self._token,
                    network_ids=(self._network_id,),
                    on_irap_request=self._request_irap,
                    on_bitrate=self._set_bitrate,
                )
            except Refused as error:
                if error.status == UNAUTHORIZED:
                    raise UsageError(self._token_message()) from error
                self._enter(WAITING, "the viewer says no: trying until it agrees", str(error))
            except PeerChanged as error:
                self._enter(WAITING, "another viewer than the known one: waiting", str(error))
            except LinkError as error:
                self._enter(WAITING, "the viewer cannot be reached: trying for ever", str(error))
            else:
                await self._serve(session)
            await asyncio.sleep(self._backoff.next_s())

    async def finish(self) -> None:
        """Let the last access units leave, then say goodbye."""
        session, self._session = self._session, None
        if session is None:
            return
        for _ in range(round(DRAIN_S / DRAIN_STEP_S)):
            if not session.stats().queue_packets:
                break
            await asyncio.sleep(DRAIN_STEP_S)
        await session.close()

    async def _serve(self, session: Session) -> None:
        """One session, from its first IRAP to its end."""
        started = time.monotonic()
        self._enter(CONNECTED, "connected")
        self._check_networks(session)
        self._session = session
        session.set_max_bitrate(self._bitrate_bps)
        self._request_irap()
        figures = asyncio.ensure_future(self._show_figures(session))
        try:
            why = await session.wait_closed()
        finally:
            figures.cancel()
        self._session = None
        self._set_bitrate(self._bitrate_bps)  # a recording goes on
        if time.monotonic() - started >= STABLE_S:
            self._backoff.reset()
        self._enter(WAITING, "the session ended: connecting again", why)

    def _send_next(self) -> None:
        coded = self._handover.popleft()
        if self._session is None:
            return
        if not self._session.send(coded.unit):
            self._lost()
            return
        self._figures.observe("send_ms", (time.monotonic() - coded.encoded_at) * 1e3)
        self._figures.add("frames_sent")
        self._figures.rate("bits_per_s", len(coded.unit.data) * 8)

    def _lost(self) -> None:
        self._figures.add("units_dropped")
        self._request_irap()

    async def _show_figures(self, session: Session) -> None:
        while True:
            stats = session.stats()
            if stats.rtt_ms is not None:
                self._figures.set("rtt_ms", round(stats.rtt_ms, 2))
            self._figures.set("fraction_lost", round(stats.fraction_lost, 4))
            if stats.target_bps is not None:
                self._figures.set("path_bits_per_s", stats.target_bps)
            self._figures.set("packets_retransmitted", stats.packets_retransmitted)
            self._figures.set("packets_repair", stats.packets_repair)
            await asyncio.sleep(FIGURES_INTERVAL_S)

    def _check_networks(self, session: Session) -> None:
        if not session.peer_network_ids:
            event(_log, "the viewer lists no networks: it will show the small preview picture")
        elif any(self._network_id) and self._network_id not in session.peer_network_ids:
            event(
                _log,
                "the viewer has no partner of this encoder network and will upscale plainly: "
                "install the same version of denc there",
                level=logging.WARNING,
                network=self._network_id.hex(),
            )

    def _enter(self, state: str, what: str, why: str = "") -> None:
        """Change the state; what was told last is not told again."""
        self._figures.set("state", state)
        if what == self._told:
            return
        self._told = what
        level = logging.WARNING if state == WAITING else logging.INFO
        event(_log, what, level=level, peer=self._url, **({"why": why} if why else {}))

    def _token_message(self) -> str:
        if self._token is None:
            return f"{self._url} asks for a token: give the viewer's with --token"
        return f"{self._url} refuses this token: give the viewer's with --token"
