"""Everything that shows the restored video live, wired: the page, its players, its recordings,
and the WHIP server it is published to."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from link.errors import SignallingError
from viewer.address import Address
from viewer.clock import monotonic_us
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.reach import draw_qr, link
from viewer.restorers import Restorers
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.publish import Publisher
from viewer.sinks.record import Record
from viewer.sinks.record_switch import RecordSwitch
from viewer.sinks.sink import Sink
from viewer.sinks.web import WebPage
from viewer.sinks.web_api import WebApi
from viewer.sinks.whep import Whep

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watching:
    """The sinks that the pipeline feeds."""

    page: WebPage | None
    sinks: tuple[Sink[Shown], ...]


@asynccontextmanager
async def watching(
    config: ViewerConfig, figures: Figures, restorers: Restorers, *, prefix: str
) -> AsyncIterator[Watching]:
    """Serves and publishes while the block runs.

    Raises UsageError for a port that is taken, a file that cannot be made, or what is no URL.
    """
    async with AsyncExitStack() as running:
        sinks: list[Sink[Shown]] = []
        recording = RecordSwitch(_recorder(config, figures), on=config.record is not None)
        running.push_async_callback(asyncio.to_thread, recording.close)
        if config.record is not None or config.page is not None:
            sinks.append(recording)
        if config.page is None and config.publish is None:
            yield Watching(None, tuple(sinks))
            return
        video = LiveVideo(figures)
        sinks.append(video)
        if config.publish is not None:
            await _publish(config, config.publish, video, figures, running)
        page = None
        if config.page is not None:
            api = WebApi(figures, restorers, recording)
            whep = Whep(video, config.ice_server)
            routes = [*api.routes, *whep.routes]
            page = WebPage(figures, config.token, prefix=prefix, more=routes)
            await _serve(page, config.page, running)
            running.push_async_callback(whep.stop)
        yield Watching(page, tuple(sinks))


async def _serve(page: WebPage, address: Address, running: AsyncExitStack) -> None:
    url = link(await page.start(address), address)
    running.push_async_callback(page.stop)
    event(_log, "watch at", url=url)
    draw_qr(url, sys.stderr)


async def _publish(
    config: ViewerConfig, url: str, video: LiveVideo, figures: Figures, running: AsyncExitStack
) -> None:
    try:
        publisher = Publisher(url, config.publish_token, video, figures, config.ice_server)
    except SignallingError as error:
        raise UsageError(f"--publish: {error}") from error
    task = asyncio.ensure_future(publisher.run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    running.push_async_callback(stop)


def _recorder(config: ViewerConfig, figures: Figures) -> _Recorder | None:
    folder = config.recordings_folder
    return None if config.record is None and folder is None else _Recorder(config, figures)


class _Recorder:
    """Makes the next recording: of `--record`, or a new file in the page's folder."""

    def __init__(self, config: ViewerConfig, figures: Figures) -> None:
        self._config = config
        self._figures = figures

    def __call__(self) -> Record:
        path = self._config.record
        if path is None:
            folder = self._config.recordings_folder
            assert folder is not None
            path = folder / f"denc-{datetime.now():%Y%m%d-%H%M%S}.mkv"
        return Record(
            path,
            self._config.record_quality,
            self._figures,
            monotonic_us,
            persists=self._config.listen is not None or self._config.record is None,
            split=self._config.record_split,
        )
