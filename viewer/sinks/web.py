"""The page: restored video, latent preview, live figures and snapshots over HTTP.

    /               the page            /figures.json, /metrics      live figures
    /restored.mjpeg restored video      /preview.mjpeg, /preview.jpg the latent as it travels
    /snapshot.png   the newest picture

each of stream 0 or of `?stream=N`, and what `viewer.sinks.whep` and `viewer.sinks.web_api` add.
With a token every request needs it: `Authorization: Bearer TOKEN`, or once `/?token=TOKEN`, which
leaves a cookie.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.figures_server import routes as figure_routes
from link.listener import ConnectionLimits, Listener
from link.sdp import SDP_MAX_BYTES
from viewer.address import EVERYWHERE, Address
from viewer.sinks.channel import Channel, channel_of
from viewer.sinks.feed import Feed
from viewer.sinks.page_door import SECURITY_HEADERS, Handler, PageDoor
from viewer.sinks.still import encode_png

PAGE = Path(__file__).parent.parent / "page"
BOUNDARY = "picture"
SHUTDOWN_TIMEOUT_S = 1.0
BODY_MAX_BYTES = SDP_MAX_BYTES  # nothing larger is ever sent to the page
KEEP_ALIVE_S = 60.0  # until the next request of a connection
# A browser opens six; moving pictures last for as long as somebody looks.
CONNECTIONS = ConnectionLimits(total=256, each=64, seconds=None, request_s=10.0)


class WebPage:
    """The server of the page; start it on the event loop before pictures come."""

    def __init__(
        self,
        channels: Sequence[Channel],
        figures: Figures,
        token: str | None,
        *,
        prefix: str,
        more: Sequence[web.AbstractRouteDef] = (),
        connections: ConnectionLimits = CONNECTIONS,
    ) -> None:
        """`more` are routes of others, behind the same door."""
        self._channels = channels
        self._door = PageDoor(token)
        self._connections = connections
        self._listener: Listener | None = None
        self._app = web.Application(
            client_max_size=BODY_MAX_BYTES, middlewares=[self._note, self._door.guard]
        )
        self._app.add_routes(more)
        self._app.add_routes(figure_routes(figures, prefix))
        self._app.add_routes(
            [
                web.get("/", self._index),
                web.get("/restored.mjpeg", self._restored_stream),
                web.get("/preview.mjpeg", self._preview_stream),
                web.get("/preview.jpg", self._preview_still),
                web.get("/snapshot.png", self._snapshot),
                web.get("/page/{name}", self._part),
            ]
        )
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
            keepalive_timeout=KEEP_ALIVE_S,
        )

    async def start(self, address: Address) -> str:
        """Serve, and the URL to open. Raises UsageError when the port is taken."""
        await self._runner.setup()
        assert self._runner.server is not None
        listener = Listener(
            self._runner.server, address.host, address.port, None, self._connections
        )
        try:
            await listener.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"cannot serve the page on {address}: {error.strerror}; "
                "give another port with --web, or --headless for no page"
            ) from error
        self._listener = listener
        host = "127.0.0.1" if address.host == EVERYWHERE else address.host
        return f"http://{Address(host, listener.port)}/" + (
            "?token=..." if self._door.needs_token else ""
        )

    async def stop(self) -> None:
        """Send every browser home and stop listening."""
        for channel in self._channels:
            channel.feeds.stop()
        if self._listener is not None:
            await self._listener.stop()
        await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.close_connections()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._listener is not None:
            self._listener.asked(request)
        return await handler(request)

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _part(self, request: web.Request) -> web.StreamResponse:
        """A file of the page, by a name that is there: no other ever reaches the file system."""
        parts = {path.name: path for path in PAGE.iterdir()}
        part = parts.get(request.match_info["name"])
        if part is None:
            raise web.HTTPNotFound
        return web.FileResponse(part)

    async def _snapshot(self, request: web.Request) -> web.StreamResponse:
        planes = channel_of(request, self._channels).feeds.restored.newest
        if planes is None:
            raise web.HTTPNotFound(text="No picture yet\n")
        return _picture(await asyncio.to_thread(encode_png, planes), "image/png")

    async def _preview_still(self, request: web.Request) -> web.StreamResponse:
        jpeg = await asyncio.to_thread(channel_of(request, self._channels).feeds.preview.still)
        if jpeg is None:
            raise web.HTTPNotFound(text="No picture yet\n")
        return _picture(jpeg, "image/jpeg")

    async def _restored_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, channel_of(request, self._channels).feeds.restored)

    async def _preview_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, channel_of(request, self._channels).feeds.preview)

    async def _stream(self, request: web.Request, feed: Feed) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", **SECURITY_HEADERS})
        response.content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        await response.prepare(request)
        try:
            async with await feed.watch() as watcher:
                while (jpeg := await watcher.next_jpeg()) is not None:
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                    head += f"Content-Length: {len(jpeg)}\r\n\r\n"
                    await response.write(head.encode() + jpeg + b"\r\n")
        except ConnectionError:
            pass  # the browser left
        return response


def _picture(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, content_type=content_type, headers={"Cache-Control": "no-store"})
