"""The viewer, wired: a live session or a file, through the pipeline, to the sinks."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine

from daemon.cores import cores
from daemon.errors import RunError, UsageError
from daemon.figures import Figures
from daemon.figures_server import LOCALHOST, serve
from daemon.log import event
from daemon.state import default_folder, open_state
from engines.codec import installed_network_ids
from link.clock import monotonic_us
from link.errors import LinkError
from link.identity import short
from link.whip_server import WhipServer
from viewer.address import Address
from viewer.config import ViewerConfig
from viewer.outputs import outputs
from viewer.pairing import Pairing
from viewer.pipeline import Pipeline
from viewer.playback import Playback, StreamFile
from viewer.progress import show_progress
from viewer.reach import from_elsewhere
from viewer.receive import Reception
from viewer.restorers import Restorers
from viewer.speed_book import FILE_NAME, SpeedBook
from viewer.state_line import show_state
from viewer.summary import live_line
from viewer.watching import watching

FIGURES_PREFIX = "denc_view"

_log = logging.getLogger(__name__)


async def view(config: ViewerConfig, stop: asyncio.Event) -> None:
    """Run until `stop`, or until the stream ends where that is the end.

    Raises DaemonError, or EngineError for an engine that was asked for and cannot be had.
    """
    figures = Figures()
    streams = _streams(config, figures)
    restorers = Restorers(
        config.engine,
        threads=config.threads or cores(),
        fidelity=config.fidelity,
        book=SpeedBook((config.state or default_folder()) / FILE_NAME),
        waits=config.keeps_every_frame,
        streams=len(streams),
    )
    file = StreamFile(config.input) if config.input else None
    async with (
        serve(figures, LOCALHOST, config.figures_port_or_default, prefix=FIGURES_PREFIX),
        watching(config, figures, streams, restorers, prefix=FIGURES_PREFIX) as watched,
        outputs(config, streams, restorers, stop) as more,
    ):
        sinks = [a + b for a, b in zip(watched, more, strict=True)]
        pipeline = Pipeline(config, list(zip(streams, sinks, strict=True)), restorers)
        discard = True
        try:
            if file is not None:
                await _play(file, config, pipeline, figures, stop)
            elif config.listen is not None:
                await _listen(config.listen, config, pipeline, figures, stop)
            discard = stop.is_set() and config.keeps_every_frame
        finally:
            await asyncio.to_thread(pipeline.close, discard=discard)
        if file is not None and not stop.is_set():
            _check_restored(config, pipeline, figures)


def _streams(config: ViewerConfig, figures: Figures) -> list[Figures]:
    """The figures of each stream; where there is but one, they are the viewer's."""
    if config.max_streams == 1:
        return [figures]
    figures.streams = {str(number): Figures() for number in range(config.max_streams)}
    return list(figures.streams.values())


async def _listen(
    address: Address,
    config: ViewerConfig,
    pipeline: Pipeline,
    figures: Figures,
    stop: asyncio.Event,
) -> None:
    reception = Reception(pipeline.places, figures)
    state = open_state(config.state)
    identity = state.identity()
    pairing = Pairing(state, identity.fingerprint, first_may_pair=config.token is None)
    server = WhipServer(
        host=address.host,
        port=address.port,
        token=config.token,
        network_ids=installed_network_ids(),
        on_session=reception.on_session,
        max_sessions=config.max_streams,
        identity=identity,
        gate=pairing,
        plain=None if config.http is None else (config.http.host, config.http.port),
        ice_servers=config.ice_server,
    )
    try:
        await server.start()
    except LinkError as error:
        raise UsageError(f"{error}; give another port with --listen or --http") from error
    state_line: asyncio.Task[None] | None = None
    try:
        here = from_elsewhere(Address(address.host, server.port))
        event(
            _log,
            "listening",
            address=Address(address.host, server.port),
            fingerprint=short(identity.fingerprint),
            admits=pairing.summary(),
            there=f"denc-stream --camera 0 --peer {here}",
        )
        state_line = asyncio.create_task(
            show_state(sys.stderr, lambda: live_line(figures, here, pairing.summary))
        )
        if config.http is not None and server.plain_port is not None:
            plain = Address(config.http.host, server.plain_port)
            event(_log, "listening without TLS, for who shows the token", address=plain)
        ends = [stop.wait(), pipeline.failure()]
        if config.once:
            ends.append(reception.ended.wait())
        await _first(*ends)
    finally:
        await _cancel(state_line)
        await server.stop()


async def _play(
    file: StreamFile,
    config: ViewerConfig,
    pipeline: Pipeline,
    figures: Figures,
    stop: asyncio.Event,
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def at_end() -> None:
        loop.call_soon_threadsafe(ended.set)

    figures.set("state", "playing")
    progress = asyncio.create_task(show_progress(sys.stderr, len(file), pipeline.pictures_done))
    playback = Playback(
        file,
        pipeline.places[0].decoding,
        paced=not config.keeps_every_frame,
        clock=monotonic_us,
        ended=at_end,
        failed=pipeline.fail,
    )
    try:
        await _first(stop.wait(), pipeline.failure(), ended.wait())
        if not stop.is_set():
            await _first(stop.wait(), pipeline.failure(), asyncio.to_thread(pipeline.drain))
    finally:
        if stop.is_set() or pipeline.has_failed:
            pipeline.abandon()
        await asyncio.to_thread(playback.close)
        await _cancel(progress)


def _check_restored(config: ViewerConfig, pipeline: Pipeline, figures: Figures) -> None:
    """A file is restored wholly or the exit code says no."""
    if error := pipeline.sink_error():
        raise RunError(error)
    shown = figures.snapshot().get("frames_shown", 0)
    if not shown:
        raise RunError(f"no picture of {config.input} could be restored")
    event(_log, "restored", file=config.input, frames=shown)


async def _cancel(task: asyncio.Task[None] | None) -> None:
    """End what only tells; nothing that went wrong with it keeps the rest from ending."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _first(*ends: Coroutine[object, object, object]) -> None:
    """Wait for the first of them; what it raises is raised."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
