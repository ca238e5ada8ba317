"""Both daemons over one link; either can be killed, or the link cut, and the way back is timed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benches.demo.processes import Daemon, free_port
from tests.net.emulated_link import EmulatedLink
from tests.net.knobs import Knobs
from tests.net.line_count import LineCount
from tests.net.peers import DencPeer, Stream
from tests.net.schedule import Schedule

POLL_S = 0.02
START_S = 60.0  # for the programs and their first picture
NOTICE_S = PICTURE_S = 10.0  # then it counts as never
DARK_S = 3.5  # at least; both ends give a session up within 3 s
STREAMER, VIEWER, DARK = "streamer", "viewer", "dark"  # what goes away
ENDS_OF_SESSION = {STREAMER: "the session ended", VIEWER: "stream ended"}  # said by whom


@dataclass(frozen=True)
class Reconnect:
    """Seconds; infinite if it did not come true."""

    kind: str
    noticed_s: float  # from the loss of the peer on, by all who are left
    picture_s: float  # from the end of the disturbance on: connected, listening, or light again


class Ends:
    """The daemons themselves; made by `running`."""

    def __init__(
        self, port: int, url: str, folder: Path, peer: DencPeer, stream: Stream, bitrate_bps: int
    ) -> None:
        self._port, self._url, self._folder = port, url, folder
        self._peer, self._stream, self._bitrate_bps = peer, stream, bitrate_bps
        self.figures_ports = {STREAMER: free_port(), VIEWER: free_port()}
        self._shown = LineCount(folder / "frames.csv")
        self.viewer, self.streamer = self._view(), self._send()

    def frames(self) -> int:
        """Shown by this viewer."""
        return max(0, self._shown.lines() - 1)  # less the heading

    def daemon(self, end: str) -> Daemon:
        return self.streamer if end == STREAMER else self.viewer

    def exit_reason(self) -> str:
        """Why an end is not there any more; empty while both run."""
        return self.viewer.exit_reason() or self.streamer.exit_reason()

    async def restart(self, end: str) -> None:
        """In place of one that was killed."""
        await asyncio.to_thread(self.daemon(end).__exit__, None, None, None)
        if end == STREAMER:
            self.streamer = self._send()
        else:
            self._shown.path.unlink(missing_ok=True)
            self.viewer = self._view()

    async def stop(self) -> None:
        for daemon in (self.streamer, self.viewer):
            await asyncio.to_thread(daemon.__exit__, None, None, None)

    def _view(self) -> Daemon:
        return self._peer.receiver(self._port, self.figures_ports[VIEWER], self._folder)

    def _send(self) -> Daemon:
        return self._peer.sender(
            self._url, self._stream, self._bitrate_bps, self.figures_ports[STREAMER], self._folder
        )


@asynccontextmanager
async def running(
    folder: Path, knobs: Knobs, *, peer: DencPeer, stream: Stream, bitrate_bps: int, seed: int
) -> AsyncIterator[tuple[Ends, EmulatedLink]]:
    """Both ends once the first pictures were shown, and the link between them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frames.csv").unlink(missing_ok=True)
    port = free_port()
    async with EmulatedLink(port, seed, Schedule.steady(knobs), place=peer.place) as link:
        ends = Ends(port, link.url, folder, peer, stream, bitrate_bps)
        try:
            assert await seconds_until(lambda: ends.frames() > 5, START_S) < START_S, (
                f"no picture within {START_S:g} s{ends.streamer.last_words()}"
            )
            yield ends, link
        finally:
            await ends.stop()


async def kill(ends: Ends, victim: str) -> Reconnect:
    """`kill -9` of an end; another one in its place once the other end has noticed."""
    survivor = VIEWER if victim == STREAMER else STREAMER
    told = said(ends.daemon(survivor), ENDS_OF_SESSION[survivor])
    os.kill(ends.daemon(victim).pid, signal.SIGKILL)
    noticed_s = await seconds_until(
        lambda: said(ends.daemon(survivor), ENDS_OF_SESSION[survivor]) > told, NOTICE_S
    )
    await ends.restart(victim)
    frames = ends.frames()
    ready = "connected" if victim == STREAMER else "listening"
    if await seconds_until(lambda: said(ends.daemon(victim), ready) > 0, START_S) > START_S:
        return Reconnect(victim, noticed_s, float("inf"))
    return Reconnect(
        victim, noticed_s, await seconds_until(lambda: ends.frames() > frames, PICTURE_S)
    )


async def darken(ends: Ends, link: EmulatedLink, knobs: Knobs) -> Reconnect:
    """Nothing passes until both ends gave the session up; then the link is as before."""
    told = {end: said(ends.daemon(end), text) for end, text in ENDS_OF_SESSION.items()}

    def noticed() -> bool:
        return all(said(ends.daemon(end), ENDS_OF_SESSION[end]) > n for end, n in told.items())

    link.set_knobs(Knobs(blackout=True))
    begin = time.monotonic()
    noticed_s = await seconds_until(noticed, NOTICE_S)
    await asyncio.sleep(max(0.0, DARK_S - (time.monotonic() - begin)))
    frames = ends.frames()
    link.set_knobs(knobs)
    return Reconnect(
        DARK, noticed_s, await seconds_until(lambda: ends.frames() > frames, PICTURE_S)
    )


async def seconds_until(condition: Callable[[], bool], timeout_s: float) -> float:
    """How long it took; infinite if it did not come true."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_s:
        if condition():
            return time.monotonic() - start
        await asyncio.sleep(POLL_S)
    return float("inf")


def said(daemon: Daemon, text: str) -> int:
    """How often it stands in the log."""
    return daemon.log.read_text(encoding="utf-8", errors="replace").count(text)
