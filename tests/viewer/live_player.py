"""A WHEP player for the tests, of stock aiortc; and a viewer's page with everything on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from made_pictures import shown

from daemon.figures import Figures
from viewer.address import Address
from viewer.picture import Shown
from viewer.restorers import Restorers
from viewer.sinks.channel import Channel
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.record_switch import RecordSwitch
from viewer.sinks.web import WebPage
from viewer.sinks.web_api import WebApi
from viewer.sinks.whep import Whep

INTERVAL_S = 0.04
SDP = {"Content-Type": "application/sdp"}


class Site:
    """A page that is served, and what is behind it."""

    def __init__(self, token: str | None, recording: RecordSwitch | None, streams: int) -> None:
        self.figures = Figures()
        self.restorers = Restorers("plain", threads=1)
        self.recording = recording or RecordSwitch(None)
        if streams > 1:
            self.figures.streams = {str(number): Figures() for number in range(streams)}
        own = [*self.figures.streams.values()] or [self.figures]
        for figures in (self.figures, *own):
            figures.set("state", "receiving")
        self.channels = [
            Channel(figures, self.recording if i == 0 else RecordSwitch(None), LiveVideo(figures))
            for i, figures in enumerate(own)
        ]
        self.video = self.channels[0].video
        self.whep = Whep(self.channels, ())
        api = WebApi(self.channels, self.figures, self.restorers)
        routes = [*api.routes, *self.whep.routes]
        self.page = WebPage(self.channels, self.figures, token, prefix="denc_view", more=routes)
        self.url = ""

    def show(self, picture: Shown, stream: int = 0) -> None:
        """As the pipeline's sinks do, one after another."""
        channel = self.channels[stream]
        for sink in (channel.feeds, channel.video, channel.recording):
            sink.show(picture)
        channel.figures.add("frames_shown")
        channel.figures.rate("fps", 1)


@asynccontextmanager
async def site(
    token: str | None = None, *, recording: RecordSwitch | None = None, streams: int = 1
) -> AsyncIterator[Site]:
    served = Site(token, recording, streams)
    served.url = (await served.page.start(Address("127.0.0.1", 0))).partition("?")[0].rstrip("/")
    try:
        yield served
    finally:
        await served.whep.stop()
        await served.page.stop()


@contextmanager
def moving(
    served: Site, *, width: int = 192, height: int = 112, stream: int = 0
) -> Iterator[asyncio.Task[None]]:
    """Pictures come for as long as the block runs."""

    async def run() -> None:
        number = 0
        while True:
            picture = shown(number, width=width, height=height)
            await asyncio.to_thread(served.show, picture, stream)
            number += 1
            await asyncio.sleep(INTERVAL_S)

    task = asyncio.ensure_future(run())
    try:
        yield task
    finally:
        task.cancel()


class Player:
    """One watcher; `track` gives decoded pictures once it is connected."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver("video", direction="recvonly")

    @property
    def track(self) -> MediaStreamTrack:
        """Once there is an answer."""
        return self.connection.getTransceivers()[0].receiver.track

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def watch(self, url: str, stream: int = 0) -> tuple[int, str, str]:
        """Status, body and session URL of a POST; connects when it is 201."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{url}/whep?stream={stream}", data=await self.offer(), headers=SDP
            ) as response,
        ):
            body = await response.text()
            location = response.headers.get("Location", "")
        if response.status == 201:
            await self.connection.setRemoteDescription(RTCSessionDescription(body, "answer"))
        return response.status, body, location
