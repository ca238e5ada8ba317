"""Everything that shows the restored video live, wired: the page, its players, its recordings,
and the WHIP server it is published to."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from link.clock import monotonic_us
from link.errors import SignallingError
from viewer.address import Address
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.reach import draw_qr, link
from viewer.restorers import Restorers
from viewer.sinks.channel import Channel
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.publish import Publisher
from viewer.sinks.record import Record
from viewer.sinks.record_switch import PATIENCE_S, RecordSwitch
from viewer.sinks.sink import Sink
from viewer.sinks.web import WebPage
from viewer.sinks.web_api import WebApi
from viewer.sinks.whep import Whep

_log = logging.getLogger(__name__)


@asynccontextmanager
async def watching(
    config: ViewerConfig,
    figures: Figures,
    streams: Sequence[Figures],
    restorers: Restorers,
    *,
    prefix: str,
) -> AsyncIterator[list[list[Sink[Shown]]]]:
    """Serves and publishes while the block runs; the sinks of each stream, whose figures are given.

    Raises UsageError for a port that is taken, a file that cannot be made, or what is no URL.
    """
    async with AsyncExitStack() as running:
        channels = []
        for number, own in enumerate(streams):
            recorder = _recorder(config.for_place(number), own, number)
            recording = RecordSwitch(recorder, on=config.record is not None, later=number > 0)
            running.push_async_callback(_finish, recording)
            channels.append(Channel(own, recording, LiveVideo(own)))
        for number, channel in enumerate(channels):
            if (url := config.publish_url(number)) is not None:
                await _publish(config, url, number, channel, running)
        if config.page is not None:
            api = WebApi(channels, figures, restorers)
            whep = Whep(channels, config.ice_server)
            routes = [*api.routes, *whep.routes]
            page = WebPage(channels, figures, config.token, prefix=prefix, more=routes)
            await _serve(page, config.page, running)
            running.push_async_callback(whep.stop)
        yield [_needed(config, channel) for channel in channels]


def _needed(config: ViewerConfig, channel: Channel) -> list[Sink[Shown]]:
    """Those sinks that something may come out of."""
    if config.page is not None:
        return [channel.feeds, channel.video, channel.recording]
    sinks: list[Sink[Shown]] = []
    if config.publish is not None:
        sinks.append(channel.video)
    if config.record is not None:
        sinks.append(channel.recording)
    return sinks


async def _finish(recording: RecordSwitch) -> None:
    """By now its sink has closed it, or hangs."""
    with suppress(TimeoutError):
        await asyncio.to_thread(recording.close, PATIENCE_S)


async def _serve(page: WebPage, address: Address, running: AsyncExitStack) -> None:
    url = link(await page.start(address), address)
    running.push_async_callback(page.stop)
    event(_log, "watch at", url=url)
    draw_qr(url, sys.stderr)


async def _publish(
    config: ViewerConfig, url: str, number: int, channel: Channel, running: AsyncExitStack
) -> None:
    try:
        publisher = Publisher(
            url, config.publish_token, channel.video, channel.figures, config.ice_server
        )
    except SignallingError as error:
        raise UsageError(f"--publish: {error}") from error

    async def run() -> None:
        if number > 0:  # there may never be such a stream
            await channel.video.begun.wait()
        await publisher.run()

    task = asyncio.ensure_future(run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    running.push_async_callback(stop)


def _recorder(config: ViewerConfig, figures: Figures, number: int) -> _Recorder | None:
    folder = config.recordings_folder
    no_place = config.record is None and folder is None
    return None if no_place else _Recorder(config, figures, number)


class _Recorder:
    """Makes the next recording: of `--record`, or a new file in the page's folder."""

    def __init__(self, config: ViewerConfig, figures: Figures, number: int) -> None:
        self._config = config
        self._figures = figures
        self._number = number

    def __call__(self) -> Record:
        path = self._config.record
        if path is None:
            folder = self._config.recordings_folder
            assert folder is not None
            stream = f"-stream{self._number}" if self._config.max_streams > 1 else ""
            path = folder / f"denc-{datetime.now():%Y%m%d-%H%M%S}{stream}.mkv"
        return Record(
            path,
            self._config.record_quality,
            self._figures,
            monotonic_us,
            persists=self._config.listen is not None or self._config.record is None,
            split=self._config.record_split,
        )
