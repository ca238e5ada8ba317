"""Publishing the restored video, to a WHIP server of stock aiortc."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from live_player import moving, site
from made_pictures import shown

from daemon import backoff
from daemon.errors import UsageError
from daemon.figures import Figures
from link.errors import SignallingError
from viewer.config import ViewerConfig
from viewer.restorers import Restorers
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.publish import PUBLISHING, WAITING, Publisher
from viewer.watching import watching


class StockServer:
    """POST /whip takes a publisher, DELETE ends it; says no `refusals` times before."""

    def __init__(
        self, refusals: int = 0, token: str | None = None, answer: str | None = None
    ) -> None:
        self.tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.posts: list[str | None] = []
        self.deletes = 0
        self.connections: list[RTCPeerConnection] = []
        self.url = ""
        self._refusals = refusals
        self._token = token
        self._answer = answer  # instead of one that makes sense
        self.app = web.Application()
        self.app.add_routes([web.post("/whip", self._post), web.delete("/session", self._delete)])

    async def _post(self, request: web.Request) -> web.Response:
        self.posts.append(request.headers.get("Authorization"))
        if len(self.posts) <= self._refusals:
            raise web.HTTPServiceUnavailable(text="full house")
        if self._token is not None and self.posts[-1] != f"Bearer {self._token}":
            raise web.HTTPUnauthorized(text="who are you?")
        if self._answer is not None:
            return self._created(self._answer)
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connections.append(connection)
        connection.on("track", self.tracks.put_nowait)
        offer = RTCSessionDescription(await request.text(), "offer")
        await connection.setRemoteDescription(offer)
        await connection.setLocalDescription(await connection.createAnswer())
        return self._created(connection.localDescription.sdp)

    def _created(self, answer: str) -> web.Response:
        return web.Response(
            status=201,
            text=answer,
            content_type="application/sdp",
            headers={"Location": "/session"},
        )

    async def _delete(self, request: web.Request) -> web.Response:
        self.deletes += 1
        return web.Response()


@asynccontextmanager
async def stock_server(**options: object) -> AsyncIterator[StockServer]:
    server = StockServer(**options)  # type: ignore[arg-type]
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/whip"
    try:
        yield server
    finally:
        await asyncio.gather(*(connection.close() for connection in server.connections))
        await runner.cleanup()


@asynccontextmanager
async def publishing(
    url: str, video: LiveVideo, figures: Figures, token: str | None = None
) -> AsyncIterator[None]:
    task = asyncio.ensure_future(Publisher(url, token, video, figures).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.05)


async def state(figures: Figures, wanted: str) -> None:
    for _ in range(200):
        if figures.snapshot().get("publishing") == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never {wanted}: {figures.snapshot()}")


async def test_a_server_gets_the_restored_pictures_and_a_goodbye() -> None:
    async with stock_server(token="secret") as server, site() as served:
        with moving(served):
            async with publishing(server.url, served.video, served.figures, "secret"):
                track = await asyncio.wait_for(server.tracks.get(), 10)
                for _ in range(5):
                    picture = await asyncio.wait_for(track.recv(), 10)
                await state(served.figures, PUBLISHING)
        got = picture.to_ndarray(format="yuv420p")[:112].astype(float)
        assert min(np.abs(got - shown(n).frame.planes.y).mean() for n in range(400)) < 3
        assert server.posts == ["Bearer secret"]
        assert server.deletes == 1
        assert served.figures.snapshot()["watchers"] == 0


async def test_a_server_that_is_full_or_goes_away_is_tried_again() -> None:
    async with stock_server(refusals=2) as server, site() as served:
        with moving(served):
            async with publishing(server.url, served.video, served.figures):
                await state(served.figures, WAITING)
                first = await asyncio.wait_for(server.tracks.get(), 10)
                await asyncio.wait_for(first.recv(), 10)
                await server.connections[0].close()  # it says goodbye in DTLS
                second = await asyncio.wait_for(server.tracks.get(), 10)
                await asyncio.wait_for(second.recv(), 10)
        assert len(server.posts) == 4


@pytest.mark.parametrize("body", ["", "v=0\r\n", "v=0\r\nm=video x\r\n"])
async def test_an_answer_that_makes_no_sense_is_told_and_tried_again(
    body: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stock_server(answer=body) as server, site() as served:
        async with publishing(server.url, served.video, served.figures):
            await state(served.figures, WAITING)
        assert "cannot publish: trying for ever" in caplog.text
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
        assert served.figures.snapshot()["watchers"] == 0


async def test_a_server_that_nobody_runs_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with site() as served:
        async with publishing("http://127.0.0.1:9/whip", served.video, served.figures):
            await asyncio.sleep(0.5)
        assert caplog.text.count("cannot publish") == 1


async def test_what_is_no_url_ends_the_start_with_a_clear_error() -> None:
    figures = Figures()
    with pytest.raises(SignallingError):
        Publisher("janus.example", None, LiveVideo(figures), figures)
    config = ViewerConfig(input=__file__, publish="janus.example")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"--publish.*janus\.example"):
        async with watching(config, figures, [figures], Restorers("plain", threads=1), prefix="x"):
            pass


async def test_publishing_alone_needs_no_page_and_paces_a_file() -> None:
    config = ViewerConfig(input=__file__, publish="http://127.0.0.1:9/")  # type: ignore[arg-type]
    assert (config.page, config.keeps_every_frame) == (None, False)
    with pytest.raises(UsageError, match="--publish-token is for --publish"):
        ViewerConfig(input=__file__, publish_token="x")  # type: ignore[arg-type]
